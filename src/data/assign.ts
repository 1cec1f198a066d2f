import { LatheError } from '../base/index.ts';
import type { Collected } from './collect.ts';
import { type Fractions, position, SPLITS, type SplitName, splitAt } from './split.ts';

/**
 * Gives each spooled row its split, as an index in SPLITS; 255 for rows that were dropped. Rows that belong together share the
 * place of the earliest among them. A split that the data came with is kept; a validation split that it lacks is taken
 * from its training rows. A split that would be empty gets the set of rows that falls nearest to it.
 */
export function assignSplits(collected: Collected, fractions: Fractions, seed: number): Uint8Array {
  const { numbers, splits, together, isKept } = collected;
  const count = numbers.length;
  const out = new Uint8Array(count).fill(255);
  const leaders = new Int32Array(collected.rowsRead).fill(-1);
  const placeOf = (index: number): number =>
    position({ high: collected.keyHighs.data[index]!, low: collected.keyLows.data[index]! }, seed);

  const sizes = [0, 0, 0];
  const given = new Set<number>();
  for (let index = 0; index < count; index++) if (isKept(numbers.data[index]!)) given.add(splits.data[index]!);
  const carve = given.has(SPLITS.indexOf('train')) && !given.has(SPLITS.indexOf('validation'));
  const places = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const row = numbers.data[index]!;
    // The earliest row of a set may have been dropped before it came here: then the next one leads.
    const root = together.find(row);
    if (leaders[root]! < 0) leaders[root] = index;
    const leader = leaders[root]!;
    if (!isKept(row)) continue;
    places[index] = placeOf(leader);
    out[index] = splitOfRow(splits.data[index]!, places[index]!);
    sizes[out[index]!]!++;
  }
  function splitOfRow(own: number, place: number): number {
    if (own < 0) return SPLITS.indexOf(splitAt(place, fractions));
    if (SPLITS[own] !== 'train' || !carve) return own;
    return SPLITS.indexOf(splitAt(place, { ...fractions, test: 0 }));
  }
  if (given.size === 1 && given.has(-1)) fillEmpty(out, places, sizes, fractions);
  return out;
}

function fillEmpty(out: Uint8Array, places: Float64Array, sizes: number[], fractions: Fractions): void {
  for (const [split, name] of SPLITS.entries()) {
    if (sizes[split]! > 0 || fractions[name] === 0) continue;
    const target = middleOf(name, fractions);
    const canGive = SPLITS.map((_, other) => hasTwoSets(out, places, other));
    let best = -1;
    for (let index = 0; index < out.length; index++) {
      if (out[index] === 255 || !canGive[out[index]!]) continue;
      if (best < 0 || Math.abs(places[index]! - target) < Math.abs(places[best]! - target)) best = index;
    }
    if (best < 0) {
      throw new LatheError('invalid-data', `too few rows to split: nothing is left for ${name}`, {
        hint: 'Each split needs at least one row (or set of rows that belong together). Add data, or set its share to 0.',
      });
    }
    const place = places[best]!;
    for (let index = 0; index < out.length; index++) {
      if (out[index] === 255 || places[index] !== place) continue;
      sizes[out[index]!]!--;
      out[index] = split;
      sizes[split]!++;
    }
  }
}

function hasTwoSets(out: Uint8Array, places: Float64Array, split: number): boolean {
  const first = out.indexOf(split);
  return first >= 0 && out.some((other, index) => other === split && places[index] !== places[first]);
}

function middleOf(split: SplitName, fractions: Fractions): number {
  const total = fractions.train + fractions.validation + fractions.test;
  const start = { test: 0, validation: fractions.test, train: fractions.test + fractions.validation }[split];
  return (start + fractions[split] / 2) / total;
}
