import { LatheError } from '../base/index.ts';
import { checkLabels, checkSameLength, type Labels } from './inputs.ts';
import { signature } from './measurement.ts';

export interface McNemar {
  /** Examples that only the first model gets right. */
  readonly firstOnly: number;
  /** Examples that only the second model gets right. */
  readonly secondOnly: number;
  /** The smaller of the two counts (exact), or chi-square with one degree of freedom. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
  readonly method: 'exact' | 'chi-square';
  readonly signature: string;
}

/**
 * Whether two models are right equally often on the same examples (McNemar 1947): exact binomial below 25 examples on
 * which they differ, otherwise chi-square with continuity correction (Edwards 1948).
 */
export function mcNemar(
  truth: Labels,
  first: Labels,
  second: Labels,
  options: { readonly method?: 'auto' | 'exact' | 'chi-square' } = {},
): McNemar {
  checkSameLength('mcnemar', truth, first);
  checkSameLength('mcnemar', truth, second);
  checkLabels('mcnemar', 'true label', truth);
  checkLabels('mcnemar', 'first predicted label', first);
  checkLabels('mcnemar', 'second predicted label', second);
  let firstOnly = 0;
  let secondOnly = 0;
  for (let index = 0; index < truth.length; index++) {
    const firstRight = first[index] === truth[index];
    const secondRight = second[index] === truth[index];
    if (firstRight && !secondRight) firstOnly++;
    else if (secondRight && !firstRight) secondOnly++;
  }
  return mcNemarOfCounts(firstOnly, secondOnly, options);
}

export function mcNemarOfCounts(
  firstOnly: number,
  secondOnly: number,
  options: { readonly method?: 'auto' | 'exact' | 'chi-square' } = {},
): McNemar {
  for (const count of [firstOnly, secondOnly]) {
    if (!Number.isInteger(count) || count < 0) {
      throw new LatheError('usage', `mcnemar: expected counts of examples, got ${firstOnly} and ${secondOnly}`);
    }
  }
  const differing = firstOnly + secondOnly;
  const asked = options.method ?? 'auto';
  const method = asked === 'auto' ? (differing < 25 ? 'exact' : 'chi-square') : asked;
  const exact = method === 'exact';
  const chiSquare = differing === 0 ? 0 : Math.max(0, Math.abs(firstOnly - secondOnly) - 1) ** 2 / differing;
  const smaller = Math.min(firstOnly, secondOnly);
  return {
    firstOnly,
    secondOnly,
    statistic: exact ? smaller : chiSquare,
    pValue: exact ? Math.min(1, 2 * fairCoinTail(smaller, differing)) : complementaryError(Math.sqrt(chiSquare / 2)),
    method,
    signature: signature('mcnemar', exact ? { method } : { method, continuity: 1 }),
  };
}

/** The chance of at most `successes` heads in `tosses` of a fair coin, summed by logarithms so that 2^-tosses may underflow. */
function fairCoinTail(successes: number, tosses: number): number {
  let logTerm = -tosses * Math.LN2;
  let sum = Math.exp(logTerm);
  for (let heads = 1; heads <= successes; heads++) {
    logTerm += Math.log((tosses - heads + 1) / heads);
    sum += Math.exp(logTerm);
  }
  return sum;
}

/** erfc(x) for x >= 0: the Maclaurin series below 2, the continued fraction (modified Lentz) above. */
function complementaryError(x: number): number {
  const square = x * x;
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= -square / n;
      sum += term / (2 * n + 1);
      if (term === 0) break;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = x;
  let above = x;
  let below = 0;
  for (let n = 1; n < 500; n++) {
    const half = n / 2;
    below = 1 / (x + half * below);
    above = x + half / above;
    const factor = above * below;
    fraction *= factor;
    if (Math.abs(factor - 1) < 1e-16) break;
  }
  return Math.exp(-square) / (fraction * Math.sqrt(Math.PI));
}
