import { LatheError, type Random, random } from '../base/index.ts';
import { binomial } from './binomial.ts';
import { type ClassCounts, presentLabels } from './class-counts.ts';
import type { ConfusionMatrix } from './confusion.ts';
import type { Labels } from './inputs.ts';
import { signature } from './measurement.ts';

export interface BootstrapOptions {
  readonly seed: number;
  /** Default 1,000. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

export interface Interval {
  /** NaN when the metric was not defined in any resample. */
  readonly low: number;
  readonly high: number;
  readonly signature: string;
  /** Resamples in which the metric was NaN (for example: no positive was drawn); they are left out. */
  readonly undefinedResamples: number;
}

/** Computes a metric over the examples at `indices`, which repeat. */
export type MetricOfExamples = (indices: Int32Array) => number;

/**
 * A percentile bootstrap interval (Efron 1979) of any metric: `metric` is asked for its value over `resamples` draws of
 * `examples` indices with replacement.
 */
export function bootstrapInterval(examples: number, metric: MetricOfExamples, options: BootstrapOptions): Interval {
  return bootstrapIntervals(examples, ['value'], (indices) => ({ value: metric(indices) }), options).value;
}

/** As {@link bootstrapInterval} for several metrics of the same draws. */
export function bootstrapIntervals<Name extends string>(
  examples: number,
  names: readonly Name[],
  metrics: (indices: Int32Array) => Readonly<Record<Name, number>>,
  options: BootstrapOptions,
): Record<Name, Interval> {
  const { resamples, source } = settings(examples, options);
  const indices = new Int32Array(examples);
  const values = names.map(() => new Float64Array(resamples));
  for (let resample = 0; resample < resamples; resample++) {
    draw(source, indices);
    const measured = metrics(indices);
    for (let index = 0; index < names.length; index++) values[index]![resample] = measured[names[index]!];
  }
  return byName(names, values, options);
}

/**
 * As {@link bootstrapInterval} for metrics of predicted labels, several at once, in time that does not grow with the
 * number of examples: examples in the same cell of the confusion matrix are alike, so that the cells of a resample are
 * one multinomial draw.
 */
export function bootstrapIntervalsOfCounts<Name extends string>(
  matrix: ConfusionMatrix,
  metrics: Readonly<Record<Name, (counts: ClassCounts) => number>>,
  options: BootstrapOptions,
): Record<Name, Interval> {
  const classes = matrix.labels.length;
  const cells: Cell[] = [];
  for (let cell = 0; cell < matrix.counts.length; cell++) {
    if (matrix.counts[cell]! > 0) cells.push({ count: matrix.counts[cell]!, at: cell });
  }
  const examples = cells.reduce((sum, cell) => sum + cell.count, 0);
  const { resamples, source } = settings(examples, options);
  const names = Object.keys(metrics) as Name[];
  const values = names.map(() => new Float64Array(resamples));
  for (let resample = 0; resample < resamples; resample++) {
    const counts = emptyCounts(matrix.labels, examples);
    drawCells(source, cells, examples, (cell, drawn) => {
      tally(counts, Math.floor(cell / classes), cell % classes, drawn);
    });
    const present = presentOnly(counts);
    for (let index = 0; index < names.length; index++) values[index]![resample] = metrics[names[index]!](present);
  }
  return byName(names, values, options);
}

export interface PairedBootstrap {
  /** The first metric minus the second, over all examples. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided: twice the smaller share of resamples in which the difference is not on its side of 0, at most 1. */
  readonly pValue: number;
  readonly signature: string;
  readonly undefinedResamples: number;
}

/**
 * Whether two models differ on the same examples: each resample gives both the same draw (paired bootstrap; Efron and
 * Tibshirani 1993, Koehn 2004). Works for any metric.
 */
export function pairedBootstrap(
  examples: number,
  first: MetricOfExamples,
  second: MetricOfExamples,
  options: BootstrapOptions,
): PairedBootstrap {
  const { resamples, source } = settings(examples, options);
  const indices = Int32Array.from({ length: examples }, (_, index) => index);
  const difference = first(indices) - second(indices);
  const values = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    draw(source, indices);
    values[resample] = first(indices) - second(indices);
  }
  return pairedResult(difference, values, options);
}

/**
 * As {@link pairedBootstrap} for a metric of predicted labels, in time that hardly grows with the number of examples:
 * those with the same truth and the same two predictions are alike, and a resample is one multinomial draw of them.
 */
export function pairedBootstrapOfCounts(
  truth: Labels,
  first: Labels,
  second: Labels,
  metric: (counts: ClassCounts) => number,
  options: BootstrapOptions,
): PairedBootstrap {
  const examples = truth.length;
  const { resamples, source } = settings(examples, options);
  const present = presentLabels('paired bootstrap', truth, first, second);
  const labels = Array.from(present.labels);
  const classes = labels.length;
  const place = (side: Labels, index: number): number => present.position[side[index]!]!;
  const byOutcome = new Map<number, number>();
  for (let index = 0; index < examples; index++) {
    const outcome = (place(truth, index) * classes + place(first, index)) * classes + place(second, index);
    byOutcome.set(outcome, (byOutcome.get(outcome) ?? 0) + 1);
  }
  const cells = Array.from(byOutcome, ([at, count]): Cell => ({ at, count })).sort((a, b) => a.at - b.at);
  const values = new Float64Array(resamples);
  const difference = (visit: (add: (cell: number, count: number) => void) => void): number => {
    const ofFirst = emptyCounts(labels, examples);
    const ofSecond = emptyCounts(labels, examples);
    visit((cell, count) => {
      const actual = Math.floor(cell / (classes * classes));
      tally(ofFirst, actual, Math.floor(cell / classes) % classes, count);
      tally(ofSecond, actual, cell % classes, count);
    });
    return metric(presentOnly(ofFirst)) - metric(presentOnly(ofSecond));
  };
  const observed = difference((add) => {
    for (const cell of cells) add(cell.at, cell.count);
  });
  for (let resample = 0; resample < resamples; resample++) {
    values[resample] = difference((add) => drawCells(source, cells, examples, add));
  }
  return pairedResult(observed, values, options);
}

function pairedResult(difference: number, values: Float64Array, options: BootstrapOptions): PairedBootstrap {
  let atMostZero = 0;
  let atLeastZero = 0;
  let defined = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    defined++;
    if (value <= 0) atMostZero++;
    if (value >= 0) atLeastZero++;
  }
  const { low, high, undefinedResamples } = interval(values, options);
  return {
    difference,
    low,
    high,
    // One is added to both (Davison and Hinkley 1997): no finite number of resamples proves a probability of 0.
    pValue: Math.min(1, (2 * (Math.min(atMostZero, atLeastZero) + 1)) / (defined + 1)),
    signature: signatureOf('paired_bootstrap', options),
    undefinedResamples,
  };
}

/** Examples that are alike, and how many of them there are. */
interface Cell {
  readonly at: number;
  readonly count: number;
}

/** A multinomial draw: one binomial a cell, of what the cells before it left over. */
function drawCells(
  source: Random,
  cells: readonly Cell[],
  examples: number,
  visit: (cell: number, drawn: number) => void,
): void {
  let toDraw = examples;
  let rest = examples;
  for (const cell of cells) {
    if (toDraw === 0) return;
    const drawn = binomial(source, toDraw, cell.count / rest);
    rest -= cell.count;
    toDraw -= drawn;
    if (drawn > 0) visit(cell.at, drawn);
  }
}

function emptyCounts(labels: readonly number[], examples: number): ClassCounts {
  const zeros = (): Float64Array => new Float64Array(labels.length);
  return { labels: Int32Array.from(labels), truePositives: zeros(), predicted: zeros(), support: zeros(), examples };
}

function tally(counts: ClassCounts, truth: number, prediction: number, count: number): void {
  counts.support[truth]! += count;
  counts.predicted[prediction]! += count;
  if (truth === prediction) counts.truePositives[truth]! += count;
}

function byName<Name extends string>(
  names: readonly Name[],
  values: readonly Float64Array[],
  options: BootstrapOptions,
): Record<Name, Interval> {
  return Object.fromEntries(names.map((name, index) => [name, interval(values[index]!, options)])) as Record<
    Name,
    Interval
  >;
}

/** `values` of the examples at `indices`; `width` values an example. */
export function take<T extends Float64Array | Float32Array | Int32Array>(values: T, indices: Int32Array, width = 1): T {
  const taken = new (values.constructor as new (length: number) => T)(indices.length * width);
  for (let row = 0; row < indices.length; row++) {
    for (let column = 0; column < width; column++)
      taken[row * width + column] = values[indices[row]! * width + column]!;
  }
  return taken;
}

function settings(examples: number, options: BootstrapOptions): { resamples: number; source: Random } {
  const resamples = options.resamples ?? 1000;
  const confidence = options.confidence ?? 0.95;
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new LatheError('usage', `bootstrap: expected resamples to be an integer of at least 1, got ${resamples}`);
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw new LatheError('usage', `bootstrap: expected confidence between 0 and 1, got ${confidence}`);
  }
  if (!Number.isInteger(examples) || examples < 1) {
    throw new LatheError('invalid-data', `bootstrap: expected at least one example, got ${examples}`);
  }
  return { resamples, source: random(options.seed) };
}

function draw(source: Random, indices: Int32Array): void {
  for (let index = 0; index < indices.length; index++) indices[index] = source.integer(indices.length);
}

function interval(values: Float64Array, options: BootstrapOptions): Interval {
  const tail = (1 - (options.confidence ?? 0.95)) / 2;
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  return {
    low: percentile(sorted, tail),
    high: percentile(sorted, 1 - tail),
    signature: signatureOf('bootstrap', options),
    undefinedResamples: values.length - sorted.length,
  };
}

function signatureOf(name: string, options: BootstrapOptions): string {
  const { resamples = 1000, confidence = 0.95, seed } = options;
  return signature(name, { interval: 'percentile', confidence, resamples, seed });
}

/** Linear between the two nearest ranks (NumPy's default). */
function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (position - below);
}

/** Without the classes that a resample neither holds nor predicts: averages are over those that it does. */
function presentOnly(counts: ClassCounts): ClassCounts {
  const kept = Array.from(counts.labels, (_, index) => index).filter(
    (index) => counts.support[index]! + counts.predicted[index]! > 0,
  );
  if (kept.length === counts.labels.length) return counts;
  return {
    labels: Int32Array.from(kept, (index) => counts.labels[index]!),
    truePositives: Float64Array.from(kept, (index) => counts.truePositives[index]!),
    predicted: Float64Array.from(kept, (index) => counts.predicted[index]!),
    support: Float64Array.from(kept, (index) => counts.support[index]!),
    examples: counts.examples,
  };
}
