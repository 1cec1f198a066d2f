import type { ClassificationCurves, ClassificationReport } from '../../metrics/index.ts';
import { metricName, score } from './format.ts';
import {
  bars,
  histogram,
  intervalPlot,
  type LineSeries,
  linePlot,
  matrixPlot,
  type Plot,
  reliabilityPlot,
  scatterPlot,
  type Tone,
} from './plots/index.ts';
import type { Evaluation, History, RunReportData } from './run-report-data.ts';
import { headlineOf, isClassification } from './verdict.ts';

/** The plots of a run by the name of the file that each is saved as (without .svg). */
export type RunPlots = Readonly<Partial<Record<RunPlotName, Plot>>>;

export type RunPlotName =
  | 'comparison'
  | 'loss'
  | 'metrics'
  | 'learning-rate'
  | 'confusion'
  | 'confusion-normalized'
  | 'precision-recall'
  | 'roc'
  | 'f1-threshold'
  | 'calibration'
  | 'scores'
  | 'residuals'
  | 'labels';

/** A matrix of more classes than this is a texture, not a plot. */
const MOST_MATRIX_CLASSES = 60;
const CLASS_TONES: readonly Tone[] = ['one', 'two', 'three', 'four'];

/** Every plot that the data of a run allow. */
export function plotsOfRun(data: RunReportData): RunPlots {
  const { report } = data.evaluation;
  return {
    ...comparison(data),
    ...(data.history === undefined ? {} : training(data.history, headlineOf(report).metric)),
    ...(isClassification(report) ? classification(data.evaluation, report) : regression(data.evaluation)),
    ...labels(data),
  };
}

function comparison(data: RunReportData): RunPlots {
  const own = headlineOf(data.evaluation.report);
  if (!Number.isFinite(own.value)) return {};
  const row = (name: string, tone: Tone, of: typeof own) => ({
    name,
    tone,
    value: of.value,
    ...(of.interval === undefined ? {} : of.interval),
  });
  const rows = [row(data.model, 'model', own)];
  if (data.baseline !== undefined) rows.push(row(data.baseline.name, 'baseline', headlineOf(data.baseline.report)));
  return { comparison: intervalPlot(own.name, rows) };
}

function training(history: History, headline: string): RunPlots {
  const validation = history.validation ?? [];
  const best = validation.find((point) => point.step === history.bestStep);
  const lossSeries: LineSeries[] = [
    {
      name: 'training',
      tone: 'train',
      smoothed: history.training.length > 40,
      points: history.training.map(({ step, loss }) => ({ x: step, y: loss })),
    },
  ];
  const validationLoss = validation.flatMap(({ step, loss }) => (loss === undefined ? [] : [{ x: step, y: loss }]));
  if (validationLoss.length > 0) {
    lossSeries.push({ name: 'validation', tone: 'model', dots: true, points: validationLoss });
  }
  const names = [...new Set(validation.flatMap((point) => Object.keys(point.metrics)))]
    .sort((a, b) => Number(b === headline) - Number(a === headline))
    .slice(0, 3);
  const learningRates = history.training.flatMap(({ step, learningRate }) =>
    learningRate === undefined ? [] : [{ x: step, y: learningRate }],
  );
  const lastLoss = history.training.at(-1)?.loss;
  return {
    ...(history.training.length === 0
      ? {}
      : {
          loss: linePlot({
            title: 'Loss',
            description: `Loss over ${history.training.length} recorded steps${lastLoss === undefined ? '' : `, ending at ${score(lastLoss)} in training`}${validationLoss.length === 0 ? '' : ` and ${score(validationLoss.at(-1)!.y)} in validation`}.`,
            xLabel: 'step',
            yLabel: 'loss',
            yFromZero: true,
            series: lossSeries,
            marks:
              best?.loss === undefined
                ? []
                : [{ x: best.step, y: best.loss, label: `kept: step ${best.step}`, tone: 'model' }],
          }),
        }),
    ...(names.length === 0
      ? {}
      : {
          metrics: linePlot({
            title: 'Validation metrics',
            description: names
              .map((name) => `${metricName(name)} ends at ${score(validation.at(-1)?.metrics[name] ?? Number.NaN)}`)
              .join('; '),
            xLabel: 'step',
            yLabel: 'score',
            series: names.map((name, index) => ({
              name: metricName(name),
              tone: CLASS_TONES[index]!,
              dots: true,
              points: validation.flatMap(({ step, metrics }) =>
                metrics[name] === undefined ? [] : [{ x: step, y: metrics[name] }],
              ),
            })),
            marks:
              best?.metrics[headline] === undefined
                ? []
                : [
                    {
                      x: best.step,
                      y: best.metrics[headline],
                      label: `kept: ${score(best.metrics[headline])}`,
                      tone: 'one',
                    },
                  ],
          }),
        }),
    ...(learningRates.length === 0
      ? {}
      : {
          'learning-rate': linePlot({
            title: 'Learning rate',
            description: `Highest ${Math.max(...learningRates.map((point) => point.y)).toExponential(1)}.`,
            xLabel: 'step',
            yLabel: 'learning rate',
            yFromZero: true,
            named: false,
            series: [{ name: 'learning rate', tone: 'muted', points: learningRates }],
          }),
        }),
  };
}

function classification(evaluation: Evaluation, report: ClassificationReport): RunPlots {
  const { confusion, reliability } = report;
  const shown = confusion !== undefined && confusion.labels.length <= MOST_MATRIX_CLASSES ? confusion : undefined;
  const curves = evaluation.curves ?? [];
  return {
    ...(shown === undefined
      ? {}
      : {
          confusion: matrixPlot({ title: 'Confusion', ...shown }),
          'confusion-normalized': matrixPlot({
            title: 'Confusion, share of each true label',
            ...shown,
            normalized: true,
          }),
        }),
    ...(curves.length === 0 ? {} : rankings(curves, report)),
    ...(curves.length === 1 ? { 'f1-threshold': thresholds(curves[0]!, evaluation, report) } : {}),
    ...(reliability === undefined
      ? {}
      : { calibration: reliabilityPlot(reliability, report.metrics.expectedCalibrationError) }),
    ...(evaluation.scores === undefined
      ? {}
      : {
          scores: histogram({
            title: report.positive === undefined ? 'Scores' : `Scores of ${report.positive}`,
            description: 'How many examples have which score, by true label.',
            xLabel: 'score',
            yLabel: evaluation.noun ?? 'examples',
            xDomain: [0, 1],
            groups: evaluation.scores.slice(0, 4).map(({ label, values }, index) => ({
              name: label,
              tone: CLASS_TONES[index]!,
              values,
            })),
            guide: {
              x: report.threshold ?? 0.5,
              label: `threshold ${(report.threshold ?? 0.5).toFixed(2)}`,
            },
          }),
        }),
  };
}

/** One curve named, or every curve faint and the three classes with the lowest F1 named. */
function rankings(curves: readonly ClassificationCurves[], report: ClassificationReport): RunPlots {
  const weakest = curves
    .map((curve) => ({ label: curve.label, f1: report.perClass[curve.label]?.f1 ?? 0 }))
    .sort((a, b) => a.f1 - b.f1)
    .slice(0, 3)
    .map((one) => one.label);
  const single = curves.length === 1;
  const series = (points: (curve: ClassificationCurves) => LineSeries['points']): LineSeries[] =>
    curves.map((curve) => {
      const rank = weakest.indexOf(curve.label);
      return {
        name: curve.label,
        tone: rank < 0 ? 'muted' : single ? 'model' : CLASS_TONES[rank]!,
        background: rank < 0,
        points: points(curve),
      };
    });
  const suffix = curves.length > 3 ? ': the three weakest classes named' : '';
  const { rocAuc, averagePrecision } = report.metrics;
  return {
    'precision-recall': linePlot({
      title: `Precision and recall${suffix}`,
      description: averagePrecision === undefined ? 'By threshold.' : `Average precision ${score(averagePrecision)}.`,
      xLabel: 'recall',
      yLabel: `precision${averagePrecision === undefined ? '' : `, average ${score(averagePrecision)}`}`,
      xDomain: [0, 1],
      yDomain: [0, 1],
      named: !single,
      series: series((curve) => curve.precisionRecall.map(({ precision, recall }) => ({ x: recall, y: precision }))),
      marks: single
        ? [
            {
              x: report.metrics.recall,
              y: report.metrics.precision,
              label: 'where it decides',
              tone: 'model',
              place: 'left',
            },
          ]
        : [],
    }),
    roc: linePlot({
      title: `ROC${suffix}`,
      description: rocAuc === undefined ? 'By threshold.' : `Area under the curve ${score(rocAuc)}.`,
      xLabel: 'false positive rate',
      yLabel: `true positive rate${rocAuc === undefined ? '' : `, area ${score(rocAuc)}`}`,
      xDomain: [0, 1],
      yDomain: [0, 1],
      named: !single,
      guide: { from: { x: 0, y: 0 }, to: { x: 1, y: 1 } },
      series: series((curve) =>
        curve.roc.map(({ falsePositiveRate, truePositiveRate }) => ({ x: falsePositiveRate, y: truePositiveRate })),
      ),
    }),
  };
}

function thresholds(curve: ClassificationCurves, evaluation: Evaluation, report: ClassificationReport): Plot {
  const suggestion = evaluation.suggestedThreshold;
  const used = report.threshold ?? 0.5;
  const at = curve.f1.findLast((point) => point.threshold <= (suggestion?.threshold ?? used)) ?? curve.f1[0];
  return linePlot({
    title: `Thresholds for ${curve.label}`,
    description: `Precision, recall and F1 if ${curve.label} is predicted from a score upwards${suggestion === undefined ? '' : `; best on ${suggestion.split}: ${score(suggestion.threshold)}`}.`,
    xLabel: 'threshold',
    yLabel: 'score',
    xDomain: [0, 1],
    yDomain: [0, 1],
    series: (['precision', 'recall', 'f1'] as const).map((key, index) => ({
      name: metricName(key),
      tone: (['two', 'three', 'model'] as const)[index]!,
      nameAt: { x: 0.22, side: (['below', 'above', 'above'] as const)[index]! },
      points: curve.f1.map((point) => ({ x: point.threshold, y: point[key] })),
    })),
    marks:
      suggestion === undefined || at === undefined
        ? []
        : [
            {
              x: suggestion.threshold,
              y: at.f1,
              label: `suggested ${score(suggestion.threshold)}`,
              tone: 'model',
              place: 'foot',
            },
          ],
  });
}

function regression(evaluation: Evaluation): RunPlots {
  const [truth, prediction] = evaluation.scores ?? [];
  if (truth === undefined || prediction === undefined) return {};
  const residuals = Float64Array.from(prediction.values, (value, index) => value - truth.values[index]!);
  return {
    scores: scatterPlot({
      title: 'Prediction against truth',
      description: 'A dot an example; on the dashed line the prediction is exact.',
      xLabel: truth.label,
      yLabel: prediction.label,
      x: truth.values,
      y: prediction.values,
    }),
    residuals: histogram({
      title: 'Residuals',
      description: 'Prediction minus truth.',
      xLabel: 'prediction − truth',
      yLabel: evaluation.noun ?? 'examples',
      groups: [{ name: 'residual', tone: 'model', values: residuals }],
    }),
  };
}

const MOST_BARS = 30;

function labels(data: RunReportData): RunPlots {
  const rows = data.data?.labels ?? [];
  if (rows.length === 0) return {};
  const tones: readonly Tone[] = ['train', 'model', 'two', 'three'];
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const sorted = rows.length > MOST_BARS ? rows.toSorted((a, b) => sum(b.counts) - sum(a.counts)) : rows;
  const rest = sorted.slice(MOST_BARS);
  const shown = sorted.slice(0, MOST_BARS).map(({ label, counts }) => ({ label, values: counts }));
  if (rest.length > 0) {
    shown.push({
      label: `${rest.length} more`,
      values: data.data!.splits.map((_, split) => sum(rest.map((row) => row.counts[split] ?? 0))),
    });
  }
  return {
    labels: bars({
      title: 'Labels',
      description: `Examples by label and split, ${rows.length} labels.`,
      series: data.data!.splits.map((split, index) => ({ name: split.name, tone: tones[index] ?? 'muted' })),
      rows: shown,
    }),
  };
}
