import { LatheError } from '../base/index.ts';
import { checkColumns, checkProbabilities, type Labels, type Scores } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/** One row of the reliability table: the predictions whose confidence lies in (from, to]. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The mean confidence; 0 for an empty bin. */
  readonly confidence: number;
  /** The share of right predictions; 0 for an empty bin. */
  readonly accuracy: number;
}

/**
 * How well confidence matches accuracy: the probability of the predicted class (top-1) in `bins` equal bins, the first
 * of which includes 0. Scores [examples] are the probabilities of class 1.
 */
export function reliabilityTable(
  truth: Labels,
  probabilities: Scores,
  options: { readonly bins?: number } = {},
): ReliabilityBin[] {
  return table(truth, probabilities, options.bins ?? 15).rows;
}

/** The mean gap between confidence and accuracy, weighted by bin size (expected calibration error; Guo et al. 2017). */
export function expectedCalibrationError(
  truth: Labels,
  probabilities: Scores,
  options: { readonly bins?: number } = {},
): Measurement {
  const bins = options.bins ?? 15;
  const { rows, warnings } = table(truth, probabilities, bins);
  let sum = 0;
  for (const row of rows) sum += row.count * Math.abs(row.accuracy - row.confidence);
  return measurement('ece', { bins, confidence: 'top1' }, sum / truth.length, warnings);
}

function table(truth: Labels, probabilities: Scores, bins: number): { rows: ReliabilityBin[]; warnings: string[] } {
  if (!Number.isInteger(bins) || bins < 1) {
    throw new LatheError('usage', `calibration: expected bins to be an integer of at least 1, got ${bins}`);
  }
  const { classes, warnings } = checkProbabilities('calibration', truth, probabilities);
  checkColumns('calibration', truth, classes);
  const count = new Float64Array(bins);
  const confidence = new Float64Array(bins);
  const right = new Float64Array(bins);
  for (let row = 0; row < truth.length; row++) {
    let best = 0;
    let highest = probabilities[row * classes]!;
    if (classes === 1) {
      best = highest >= 0.5 ? 1 : 0;
      highest = Math.max(highest, 1 - highest);
    } else {
      for (let column = 1; column < classes; column++) {
        const probability = probabilities[row * classes + column]!;
        if (probability > highest) {
          highest = probability;
          best = column;
        }
      }
    }
    const bin = binOf(highest, bins);
    count[bin]!++;
    confidence[bin]! += highest;
    if (best === truth[row]) right[bin]!++;
  }
  const rows = Array.from(count, (size, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    count: size,
    confidence: size === 0 ? 0 : confidence[bin]! / size,
    accuracy: size === 0 ? 0 : right[bin]! / size,
  }));
  return { rows, warnings };
}

/** The bin (bin/bins, (bin+1)/bins] that holds a probability; the product is rounded, so its neighbours are asked too. */
function binOf(probability: number, bins: number): number {
  let bin = Math.min(bins - 1, Math.max(0, Math.ceil(probability * bins) - 1));
  if (bin > 0 && probability <= bin / bins) bin--;
  else if (bin < bins - 1 && probability > (bin + 1) / bins) bin++;
  return bin;
}
