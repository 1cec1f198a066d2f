import { bootstrapIntervals } from './bootstrap.ts';
import type { ClassCounts } from './class-counts.ts';
import { signature } from './measurement.ts';
import { type LabelSetCounts, microF1Of } from './multi-label-report.ts';
import { type ClassificationScores, precisionRecallF1Of } from './precision-recall-f1.ts';
import type { TaskReport } from './task-report.ts';

/** What a stretch [start, end) of an example is: of its words, or of its characters. */
export interface Entity {
  readonly label: string;
  readonly start: number;
  readonly end: number;
}

/** The entities of each example; in one example no two are equal. */
export type EntityLists = readonly (readonly Entity[])[];

export interface EntityScores extends ClassificationScores {
  /** The types, sorted; `label` of a class is a place in them. */
  readonly types: readonly string[];
}

/**
 * Precision, recall and F1 of entities, which are right when their type and both their ends are, as conlleval and seqeval
 * count them. A division by zero gives 0 and a warning.
 */
export function entityScores(truth: EntityLists, predictions: EntityLists): EntityScores {
  const types = [...new Set([...truth, ...predictions].flat().map(({ label }) => label))].sort();
  const scores = precisionRecallF1Of(countsOf(truth, predictions, types));
  const named = (warning: string): string =>
    warning.replace(/class (\d+)/, (_, index) => `type "${types[Number(index)]}"`);
  return { ...scores, types, warnings: scores.warnings.map(named) };
}

export interface EntityReportOptions {
  readonly task: string;
  /** Right words, or what else is measured beside the entities. */
  readonly more?: Readonly<Record<string, number>>;
  /** How entities were read from tags. Default `default`: as conlleval does. */
  readonly mode?: 'default' | 'strict';
  /** Seed of the bootstrap, which draws examples. Default 0. */
  readonly seed?: number;
  /** Default 1,000; 0 leaves the intervals out. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/** Every metric of predicted entities, by type as well. */
export function entityReport(truth: EntityLists, predictions: EntityLists, options: EntityReportOptions): TaskReport {
  const { task, more = {}, mode = 'default', seed = 0, resamples = 1000, confidence = 0.95 } = options;
  const { types, perClass, micro, macro, weighted, warnings } = entityScores(truth, predictions);
  const counts = entityCounts(truth, predictions);
  const interval =
    resamples === 0
      ? undefined
      : bootstrapIntervals(truth.length, ['f1'], (indices) => ({ f1: microF1Of(counts, indices) }), {
          seed,
          resamples,
          confidence,
        }).f1;
  const of = (name: string, average: string): string =>
    signature(`entity_${name}`, { average, mode, zero_division: 0 });
  return {
    task,
    examples: truth.length,
    headline: 'f1',
    metrics: {
      precision: micro.precision,
      recall: micro.recall,
      f1: micro.f1,
      macroF1: macro.f1,
      weightedF1: weighted.f1,
      ...more,
    },
    perClass: Object.fromEntries(
      perClass.map(({ label, precision, recall, f1, support }) => [types[label]!, { precision, recall, f1, support }]),
    ),
    ...(interval !== undefined && { intervals: { f1: { low: interval.low, high: interval.high } }, confidence }),
    signatures: {
      precision: of('precision', 'micro'),
      recall: of('recall', 'micro'),
      f1: of('f1', 'micro'),
      macroF1: of('f1', 'macro'),
      weightedF1: of('f1', 'weighted'),
      ...Object.fromEntries(Object.keys(more).map((name) => [name, name])),
      ...(interval !== undefined && { intervals: interval.signature }),
    },
    warnings,
  };
}

/** Right, predicted and true entities of each example. */
export function entityCounts(truth: EntityLists, predictions: EntityLists): LabelSetCounts {
  const right = Float64Array.from(truth, (entities, example) => shared(entities, predictions[example]!).length);
  const predicted = Float64Array.from(predictions, (entities) => entities.length);
  const support = Float64Array.from(truth, (entities) => entities.length);
  const whole = Uint8Array.from(right, (count, at) => (count === predicted[at] && count === support[at] ? 1 : 0));
  return { right, predicted, support, whole };
}

function countsOf(truth: EntityLists, predictions: EntityLists, types: readonly string[]): ClassCounts {
  const placeOf = new Map(types.map((type, place) => [type, place]));
  const count = (lists: EntityLists): Float64Array => {
    const counts = new Float64Array(types.length);
    for (const { label } of lists.flat()) counts[placeOf.get(label)!]!++;
    return counts;
  };
  return {
    labels: Int32Array.from(types.keys()),
    truePositives: count(truth.map((entities, example) => shared(entities, predictions[example]!))),
    predicted: count(predictions),
    support: count(truth),
    examples: truth.length,
  };
}

function shared(entities: readonly Entity[], others: readonly Entity[]): readonly Entity[] {
  const keyOf = ({ label, start, end }: Entity): string => `${start} ${end} ${label}`;
  const keys = new Set(others.map(keyOf));
  return entities.filter((entity) => keys.has(keyOf(entity)));
}
