import type { Random } from '../base/index.ts';

/**
 * A binomial random number: how many of `trials` succeed at `probability`. Exact; its time does not grow with `trials`
 * (inversion for small means, otherwise the transformed rejection BTRS of Hörmann 1993).
 */
export function binomial(random: Random, trials: number, probability: number): number {
  if (trials <= 0 || probability <= 0) return 0;
  if (probability >= 1) return trials;
  if (probability > 0.5) return trials - binomial(random, trials, 1 - probability);
  return trials * probability < 10
    ? byInversion(random, trials, probability)
    : byRejection(random, trials, probability);
}

/** Adds up the waits between successes, each geometric. */
function byInversion(random: Random, trials: number, probability: number): number {
  const scale = Math.log1p(-probability);
  let position = 0;
  for (let successes = 0; ; successes++) {
    position += Math.floor(Math.log(1 - random.uniform()) / scale) + 1;
    if (position > trials) return successes;
  }
}

function byRejection(random: Random, trials: number, probability: number): number {
  const deviation = Math.sqrt(trials * probability * (1 - probability));
  const b = 1.15 + 2.53 * deviation;
  const a = -0.0873 + 0.0248 * b + 0.01 * probability;
  const center = trials * probability + 0.5;
  const odds = probability / (1 - probability);
  const alpha = (2.83 + 5.1 / b) * deviation;
  const mode = Math.floor((trials + 1) * probability);
  for (;;) {
    const offset = random.uniform() - 0.5;
    const height = random.uniform();
    const edge = 0.5 - Math.abs(offset);
    const drawn = Math.floor(((2 * a) / edge + b) * offset + center);
    if (edge >= 0.07 && height <= 0.92 - 4.2 / b) return drawn;
    if (drawn < 0 || drawn > trials) continue;
    const bound =
      (mode + 0.5) * Math.log((mode + 1) / (odds * (trials - mode + 1))) +
      (trials + 1) * Math.log((trials - mode + 1) / (trials - drawn + 1)) +
      (drawn + 0.5) * Math.log((odds * (trials - drawn + 1)) / (drawn + 1)) +
      stirlingTail(mode) +
      stirlingTail(trials - mode) -
      stirlingTail(drawn) -
      stirlingTail(trials - drawn);
    if (Math.log((height * alpha) / (a / (edge * edge) + b)) <= bound) return drawn;
  }
}

/** log(k!) − [log √(2π) + (k + ½) log(k + 1) − (k + 1)]. */
function stirlingTail(k: number): number {
  const small = SMALL_TAILS[k];
  if (small !== undefined) return small;
  const inverse = 1 / (k + 1);
  const square = inverse * inverse;
  return (1 / 12 - (1 / 360 - square / 1260) * square) * inverse;
}

const SMALL_TAILS: readonly number[] = Array.from({ length: 10 }, (_, k) => {
  let logFactorial = 0;
  for (let factor = 2; factor <= k; factor++) logFactorial += Math.log(factor);
  return logFactorial - (0.5 * Math.log(2 * Math.PI) + (k + 0.5) * Math.log(k + 1) - (k + 1));
});
