import type { ClassificationReport } from '../metrics/index.ts';
import type { Terminal } from './terminal.ts';
import type { TrainedClassifier } from './train-classifier.ts';

/** Shows what training came to, and gives the JSON of it. */
export function showTrained(
  { package: written, evaluated, baseline, reportPath, stopped }: TrainedClassifier,
  terminal: Terminal,
): Record<string, unknown> {
  const { report } = evaluated;
  const row = (name: string, { metrics }: ClassificationReport): (string | number)[] => [
    name,
    metrics.accuracy,
    metrics.precision,
    metrics.recall,
    metrics.f1,
  ];
  const of = report.positive === undefined ? 'mean over labels' : `of "${report.positive}"`;
  terminal.say(`\nOn ${report.examples} test texts (precision, recall, F1 ${of}):`);
  terminal.table(
    ['model', 'accuracy', 'precision', 'recall', 'F1'],
    [
      row(String(written.manifest.lineage.settings.arch), report),
      ...(baseline ? [row('linear, same texts', baseline.evaluated.report)] : []),
    ],
  );
  if (baseline) {
    const { difference, low, high } = baseline.comparison.bootstrap;
    terminal.say(`Difference in F1: ${difference.toFixed(4)} (95 % between ${low.toFixed(4)} and ${high.toFixed(4)}).`);
  }
  if (new Set(evaluated.predictions).size === 1) {
    terminal.warn('the model gives every text the same label: it learned nothing. Try a lower --learning-rate.');
  }
  terminal.say(`\nPackage: ${written.folder}\nReport:  ${reportPath}`);
  terminal.hint(`lathe predict ${written.folder} "a text to classify"`);
  return {
    package: written.folder,
    report: reportPath,
    stopped,
    ...evaluationJson(report, written.manifest.metrics[0]?.dataHash),
    ...(baseline && {
      baseline: {
        ...evaluationJson(baseline.evaluated.report, written.manifest.metrics[0]?.dataHash),
        comparison: baseline.comparison,
      },
    }),
  };
}

/** The shape of `lathe evaluate --json`. */
export function evaluationJson(report: ClassificationReport, dataHash: string | undefined): Record<string, unknown> {
  const { task, examples, average, positive, metrics, perClass, confusion, intervals, signatures, warnings } = report;
  return {
    task,
    examples,
    average,
    ...(positive !== undefined && { positive }),
    metrics,
    perClass,
    confusion,
    intervals,
    signatures,
    warnings,
    dataHash,
  };
}
