import type { ClassificationReport, McNemar, TaskReport } from '../../metrics/index.ts';
import { count, metricName, pValue, score, signed, times } from './format.ts';
import type { Baseline, RunReportData } from './run-report-data.ts';

export interface Verdict {
  /** What the comparison with the baseline came to; `alone` without one. */
  readonly outcome: 'better' | 'same' | 'worse' | 'alone' | 'untested';
  /** One line. */
  readonly headline: string;
  /** What stands behind it, in plain words. */
  readonly sentences: readonly string[];
}

/** The metric that a run is judged by. */
export interface Headline {
  readonly metric: string;
  /** "F1 of spam", "Macro F1", "R²". */
  readonly name: string;
  readonly value: number;
  readonly interval?: { readonly low: number; readonly high: number };
  readonly confidence?: number;
}

export function isClassification(report: TaskReport): report is ClassificationReport {
  return 'average' in report;
}

export function headlineOf(report: TaskReport): Headline {
  const metric = report.headline ?? (isClassification(report) ? 'f1' : report.metrics.r2 === undefined ? 'rmse' : 'r2');
  const name = !isClassification(report)
    ? metricName(metric)
    : report.average === 'macro'
      ? 'Macro F1'
      : `F1 of ${report.positive}`;
  const intervals: Readonly<Record<string, { readonly low: number; readonly high: number }>> | undefined =
    report.intervals;
  const interval = intervals?.[metric];
  return {
    metric,
    name,
    value: report.metrics[metric] ?? Number.NaN,
    ...(interval === undefined ? {} : { interval }),
    ...(report.confidence === undefined ? {} : { confidence: report.confidence }),
  };
}

/**
 * What the run came to, in words that a reader can act on. A model counts as better or worse than its baseline only
 * where the paired bootstrap interval of the difference leaves out 0.
 */
export function verdict(data: RunReportData): Verdict {
  const { report, noun = 'examples' } = data.evaluation;
  const { name, value, interval, confidence = 0.95 } = headlineOf(report);
  const own = `${name} is ${score(value)}${
    interval === undefined
      ? ''
      : ` (${percentOf(confidence)} interval ${score(interval.low)} to ${score(interval.high)})`
  } on ${count(report.examples)} ${noun} of the ${data.evaluation.split} split.`;
  const { baseline } = data;
  if (baseline === undefined) {
    return {
      outcome: 'alone',
      headline: `${name} ${score(value)}`,
      sentences: [own, 'There is no baseline in this run to say whether a simpler model would do as well.'],
    };
  }
  const other = headlineOf(baseline.report);
  const theirs = `The ${baseline.name} baseline has ${score(other.value)} on the same ${noun}.`;
  const { comparison } = baseline;
  if (comparison === undefined) {
    return {
      outcome: 'untested',
      headline: `${name} ${score(value)}, ${baseline.name} baseline ${score(other.value)}`,
      sentences: [own, theirs, 'No paired test was run, so the difference may be chance.'],
    };
  }
  const { difference, low, high } = comparison.bootstrap;
  const test = `Difference ${signed(difference)}, ${percentOf(confidence)} interval ${signed(low)} to ${signed(high)} (paired bootstrap, ${pValue(comparison.bootstrap.pValue)}).${
    comparison.mcNemar === undefined ? '' : ` ${disagreement(comparison.mcNemar, noun)}`
  }`;
  const traits = traitsOfBaseline(data, baseline);
  const traitsSentence = traits === undefined ? [] : [`The baseline is ${traits.text}.`];
  if (low > 0) {
    return {
      outcome: 'better',
      headline: `Better than the ${baseline.name} baseline by ${score(difference)}`,
      sentences: [own, theirs, test, ...traitsSentence],
    };
  }
  if (high < 0) {
    return {
      outcome: 'worse',
      headline: `The ${baseline.name} baseline is better by ${score(-difference)}: use it`,
      sentences: [own, theirs, test, ...traitsSentence],
    };
  }
  return {
    outcome: 'same',
    headline: `The ${baseline.name} baseline is as good${traits?.cheaper === true ? `: prefer it, it is ${traits.text}` : ''}`,
    sentences: [
      own,
      theirs,
      test,
      `This split cannot tell the two apart; a difference below about ${score((high - low) / 2)} would not show on it.`,
      ...(traits?.cheaper === true ? [] : traitsSentence),
    ],
  };
}

function disagreement({ firstOnly, secondOnly, pValue: chance }: McNemar, noun: string): string {
  return `Of the ${count(firstOnly + secondOnly)} ${noun} where only one of the two is right, the model has ${count(firstOnly)} and the baseline ${count(secondOnly)} (McNemar, ${pValue(chance)}).`;
}

/** "40× smaller and 12× faster", as far as it is known; `cheaper` when nothing in it speaks for the model of the run. */
function traitsOfBaseline(data: RunReportData, baseline: Baseline): { text: string; cheaper: boolean } | undefined {
  const ratios: { value: number; more: string; less: string }[] = [];
  if (data.size !== undefined && baseline.size !== undefined) {
    ratios.push({ value: data.size.bytes / baseline.size.bytes, more: 'smaller', less: 'larger' });
  }
  const { predictionsPerSecond } = data.speed ?? {};
  if (predictionsPerSecond !== undefined && baseline.examplesPerSecond !== undefined) {
    ratios.push({ value: baseline.examplesPerSecond / predictionsPerSecond, more: 'faster', less: 'slower' });
  }
  const telling = ratios.filter(({ value }) => value < 0.95 || value > 1.05);
  if (telling.length === 0) return undefined;
  return {
    text: telling
      .map(({ value, more, less }) => (value > 1 ? `${times(value)} ${more}` : `${times(1 / value)} ${less}`))
      .join(' and '),
    cheaper: telling.every(({ value }) => value > 1),
  };
}

function percentOf(confidence: number): string {
  return `${Number((100 * confidence).toFixed(1))}\u00a0%`;
}
