import { LatheError } from '../base/index.ts';
import { type Measurement, measurement } from './measurement.ts';

/** e to the mean negative log-likelihood (natural logarithm) of the tokens that were asked for. */
export function perplexity(negativeLogLikelihoods: ArrayLike<number>): Measurement {
  const count = negativeLogLikelihoods.length;
  if (count === 0) throw new LatheError('invalid-data', 'perplexity: expected at least one token, got none');
  let sum = 0;
  for (let index = 0; index < count; index++) sum += negativeLogLikelihoods[index]!;
  return measurement('perplexity', { base: 'e' }, Math.exp(sum / count));
}
