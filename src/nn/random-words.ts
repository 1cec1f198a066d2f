import { random } from '../base/index.ts';

/** Fills an array with random 32-bit words: the stream of base's random(), at a few nanoseconds a word. */
export function fillRandomWords(words: Uint32Array, seed: number): void {
  // xoshiro128** with its state in local variables: through a closure over an array it is three times slower.
  let [a, b, c, d] = random(seed).state();
  for (let index = 0; index < words.length; index++) {
    const scrambled = Math.imul(b, 5);
    words[index] = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
  }
}
