import { checkColumns, checkScores, type Labels, type Scores } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';
import { sweepColumn, type ThresholdSweep } from './threshold-sweep.ts';

export interface RankingOptions {
  /** The class whose scores rank the examples, when there are two classes or one score an example. Default 1. */
  readonly positive?: number;
  /** The mean over classes, each against the rest, when there are more. Default macro. */
  readonly average?: 'macro' | 'weighted';
}

/**
 * A ranking metric of one class, or its mean over all classes, each against the rest. Classes that never occur in the
 * truth are left out, with a warning: no ranking of them exists.
 */
export function oneVersusRest(
  name: string,
  truth: Labels,
  scores: Scores,
  options: RankingOptions,
  ofSweep: (sweep: ThresholdSweep) => { readonly value: number; readonly warning?: string },
): Measurement {
  const classes = checkScores(name, truth, scores);
  if (classes <= 2 || options.positive !== undefined) {
    const positive = options.positive ?? 1;
    checkColumns(name, truth, classes === 1 ? Number.POSITIVE_INFINITY : classes);
    const { value, warning } = ofSweep(sweepColumn(truth, scores, positive, classes));
    return measurement(name, { average: 'binary', positive }, value, warning === undefined ? [] : [warning]);
  }
  checkColumns(name, truth, classes);
  const average = options.average ?? 'macro';
  const warnings: string[] = [];
  let sum = 0;
  let total = 0;
  for (let label = 0; label < classes; label++) {
    const sweep = sweepColumn(truth, scores, label, classes);
    if (sweep.positives === 0) {
      warnings.push(`class ${label} is never true: ${name} leaves it out`);
      continue;
    }
    const weight = average === 'weighted' ? sweep.positives : 1;
    const { value, warning } = ofSweep(sweep);
    if (warning !== undefined) warnings.push(`class ${label}: ${warning}`);
    sum += weight * value;
    total += weight;
  }
  return measurement(name, { average, multi_class: 'ovr' }, sum / total, warnings);
}
