/**
 * The error function, to about one unit in the last place of float64: its Taylor series with positive terms only
 * (Abramowitz and Stegun 7.1.6) near zero, the continued fraction of its complement (7.1.14) beyond.
 */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude < 2.5) {
    const square = x * x;
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    return TWO_OVER_ROOT_PI * Math.exp(-square) * sum;
  }
  return Number.isNaN(x) ? x : Math.sign(x) * (1 - complement(magnitude));
}

/** 1 − erf(x), without the cancellation that the difference has for large x. */
export function erfc(x: number): number {
  return x < 2.5 ? 1 - erf(x) : complement(x);
}

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/** erfc for x ≥ 2.5: exp(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), evaluated from the inside. */
function complement(x: number): number {
  if (x > 27.3) return 0;
  let fraction = x;
  for (let n = 60; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}
