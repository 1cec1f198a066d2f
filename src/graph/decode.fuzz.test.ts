import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LatheError } from '../base/errors.ts';
import { type Random, random } from '../base/random.ts';
import { problems } from './check.ts';
import { decodeModel, encodeModel } from './encoding.ts';
import { printModel } from './print.ts';

const DATA = '/usr/share/libonnx-testdata/data';
const ROUNDS = 100;

const sources: Readonly<Record<string, string>> = {
  everything: join(import.meta.dirname, 'fixtures/everything.onnx'),
  'a loop': join(DATA, 'node/test_range_float_type_positive_delta_expanded/model.onnx'),
  'an expanded operator': join(DATA, 'node/test_sce_mean_weight_ii_4d_log_prob_expanded/model.onnx'),
  'an exported transformer': join(import.meta.dirname, 'fixtures/bert-dynamo.onnx'),
};

type Mutation = (bytes: Uint8Array, dice: Random) => Uint8Array;

const mutations: Readonly<Record<string, Mutation>> = {
  'flips bits': (bytes, dice) => {
    const changed = bytes.slice();
    for (let count = 1 + dice.integer(8); count > 0; count--) {
      changed[dice.integer(changed.length)]! ^= 1 << dice.integer(8);
    }
    return changed;
  },
  'sets bytes to what lies in lengths and tags': (bytes, dice) => {
    const changed = bytes.slice();
    const odd = [0x00, 0x7f, 0x80, 0xff, 0x0a, 0x3a, 0x0b, 0x0c];
    for (let count = 1 + dice.integer(6); count > 0; count--) {
      changed[dice.integer(changed.length)] = odd[dice.integer(odd.length)]!;
    }
    return changed;
  },
  'claims an enormous length': (bytes, dice) => {
    const changed = bytes.slice();
    changed.set([0xff, 0xff, 0xff, 0xff, 0x0f], dice.integer(changed.length - 5));
    return changed;
  },
  'cuts the end': (bytes, dice) => bytes.slice(0, dice.integer(bytes.length)),
  'cuts from within': (bytes, dice) => {
    const start = dice.integer(bytes.length);
    return joined(bytes.subarray(0, start), bytes.subarray(start + dice.integer(64)));
  },
  'repeats a part': (bytes, dice) => {
    const start = dice.integer(bytes.length);
    const end = start + dice.integer(256);
    return joined(bytes.subarray(0, end), bytes.subarray(start));
  },
};

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** What a broken file may end in: a model, which then can be checked, printed and written, or an error that says so. */
function outcome(bytes: Uint8Array): 'a model' | 'an error' {
  try {
    const model = decodeModel(bytes);
    problems(model);
    printModel(model);
    const again = decodeModel(encodeModel(model));
    expect(Buffer.compare(encodeModel(again), encodeModel(model))).toBe(0);
    return 'a model';
  } catch (error) {
    if (!(error instanceof LatheError)) throw error;
    return 'an error';
  }
}

describe.each(Object.entries(sources))('broken copies of %s', (_, path) => {
  const source = new Uint8Array(readFileSync(path));

  it.each(Object.entries(mutations))('end in a model or a clear error: %s', (name, mutate) => {
    const dice = random(name.length * 1000 + source.length);
    const before = process.memoryUsage().arrayBuffers;
    const counts = { 'a model': 0, 'an error': 0 };
    let most = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const broken = mutate(source, dice);
      try {
        counts[outcome(broken)]++;
      } catch (error) {
        throw new Error(`round ${round}: ${(error as Error).stack}`);
      }
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(counts['an error']).toBeGreaterThan(0);
    expect(most).toBeLessThan(256 << 20);
  });
});
