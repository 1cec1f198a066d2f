import { deriveSeed, type Random, random, type Tensor, tensor } from '../../base/index.ts';
import type { BatchContext } from './batch-step.ts';

/** What masked-language-model training does to a batch (Devlin et al., 2018): plain data. */
export interface MaskTokens {
  readonly kind: 'mask-tokens';
  readonly maskId: number;
  readonly vocabularySize: number;
  /** Tokens that are neither hidden nor put in the place of others. */
  readonly specialIds: readonly number[];
  /** Share of the tokens of a text that are to be found again; one at least. */
  readonly share: number;
  /** Tokens that go on with the word of the token before them: given, whole words are hidden. */
  readonly continuationIds?: readonly number[];
}

/**
 * Chooses tokens to find again. Of these, 80 % are hidden behind the mask token, 10 % become a random token, 10 % stay.
 * What is chosen depends on the seed, the epoch and the example alone. `input_ids` changes; new are `masked_positions`, int64
 * [masked], places in [batch · sequence], and `labels`, int64 [masked], the tokens that stood there. A batch without
 * anything to find gets one place whose label does not count (−100).
 */
export function maskTokens(
  batch: Readonly<Record<string, Tensor>>,
  rules: MaskTokens,
  { indices, epoch, seed }: BatchContext,
): Record<string, Tensor> {
  const { dims } = batch.input_ids!;
  const [rows, length] = dims as [number, number];
  const ids = (batch.input_ids!.data as BigInt64Array).slice();
  const present = batch.attention_mask!.data as BigInt64Array;
  const special = setOf(rules.specialIds);
  const continuation = rules.continuationIds && setOf(rules.continuationIds);
  const positions: bigint[] = [];
  const labels: bigint[] = [];
  for (let row = 0; row < rows; row++) {
    const source = random(deriveSeed(seed, 'mask', epoch, indices[row]!));
    const units: number[][] = [];
    let tokens = 0;
    for (let at = row * length; at < (row + 1) * length; at++) {
      const id = Number(ids[at]!);
      if (present[at] === 0n || special.has(id)) continue;
      tokens++;
      const last = units.at(-1);
      if (continuation?.has(id) && last?.at(-1) === at - 1) last.push(at);
      else units.push([at]);
    }
    for (const at of chosen(units, Math.max(1, Math.round(tokens * rules.share)), source)) {
      positions.push(BigInt(at));
      labels.push(ids[at]!);
      const what = source.uniform();
      if (what < 0.8) ids[at] = BigInt(rules.maskId);
      else if (what < 0.9) ids[at] = BigInt(ordinary(source, rules.vocabularySize, special));
    }
  }
  if (positions.length === 0) {
    positions.push(0n);
    labels.push(-100n);
  }
  const column = (values: readonly bigint[]): Tensor => tensor('int64', [values.length], BigInt64Array.from(values));
  return {
    ...batch,
    input_ids: tensor('int64', dims, ids),
    masked_positions: column(positions),
    labels: column(labels),
  };
}

/** Places of randomly chosen units, `count` of them or what comes nearest below; ascending. */
function chosen(units: number[][], count: number, source: Random): number[] {
  const places: number[] = [];
  for (const unit of source.shuffle(units)) {
    if (places.length >= count) break;
    // A long word would take more than its share, unless it is all there is.
    if (places.length + unit.length > count && places.length > 0) continue;
    places.push(...unit);
  }
  return places.sort((one, other) => one - other);
}

function ordinary(source: Random, vocabularySize: number, special: ReadonlySet<number>): number {
  for (;;) {
    const id = source.integer(vocabularySize);
    if (!special.has(id)) return id;
  }
}

const sets = new WeakMap<readonly number[], ReadonlySet<number>>();

function setOf(ids: readonly number[]): ReadonlySet<number> {
  let set = sets.get(ids);
  if (set === undefined) {
    set = new Set(ids);
    sets.set(ids, set);
  }
  return set;
}
