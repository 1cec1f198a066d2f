/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, 2018), seeded through SplitMix32. The same seed gives the
 * same numbers on every platform, and the state can be saved and restored.
 */
export interface Random {
  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Shuffles in place (Fisher-Yates) and returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
  /** The four words of state: `random(state)` continues from here. */
  state(): readonly [number, number, number, number];
}

export function random(seed: number | readonly [number, number, number, number]): Random {
  const state = new Uint32Array(typeof seed === 'number' ? splitMix(seed) : seed);
  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(state[1]!, 5), 7), 9) >>> 0;
    const shifted = state[1]! << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = rotateLeft(state[3]!, 11);
    return result;
  };
  const uniform = (): number => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  const integer = (bound: number): number => Math.floor(uniform() * bound);
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle(items) {
      for (let index = items.length - 1; index > 0; index--) {
        const other = integer(index + 1);
        const held = items[index];
        (items as { [index: number]: unknown })[index] = items[other];
        (items as { [index: number]: unknown })[other] = held;
      }
      return items;
    },
    state: () => [state[0]!, state[1]!, state[2]!, state[3]!],
  };
}

/** A 32-bit hash of text (FNV-1a with a final mix): stable across runs and platforms; not for secrets. */
export function hash32(text: string, seed = 0): number {
  let hash = (2166136261 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  }
  return mix(hash);
}

/** A seed for one purpose, derived from the run's seed: `deriveSeed(7, 'shuffle', epoch)`. */
export function deriveSeed(seed: number, ...purpose: readonly (string | number)[]): number {
  return hash32(purpose.join('\u0000'), mix(seed));
}

function splitMix(seed: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: 4 }, () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state);
  });
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
