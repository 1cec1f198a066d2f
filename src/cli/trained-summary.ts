import type { TaskReport } from '../metrics/index.ts';
import type { Package } from '../pipeline/index.ts';
import { headlineOf, metricName } from '../train/report/index.ts';
import { shownMetrics } from './shown-metrics.ts';
import type { Terminal } from './terminal.ts';
import type { TrainedTask } from './train-task.ts';

/** Shows what training came to, and gives the JSON of it. */
export function showTrained(
  { package: written, evaluated, baseline, reportPath, stopped }: TrainedTask,
  terminal: Terminal,
): Record<string, unknown> {
  const { report } = evaluated;
  const names = shownMetrics(report);
  const isOfImages = written.manifest.pipeline.input === 'image';
  const nouns = isOfImages ? 'image' : 'text';
  const row = (name: string, { metrics }: TaskReport): (string | number)[] => [
    name,
    ...names.map((metric) => metrics[metric] ?? Number.NaN),
  ];
  const of = !('average' in report)
    ? ''
    : ` (precision, recall, F1 ${evaluated.positive === undefined ? 'mean over labels' : `of "${evaluated.positive}"`})`;
  terminal.say(`\nOn ${report.examples} test ${nouns}${report.examples === 1 ? '' : 's'}${of}:`);
  terminal.table(
    ['model', ...names.map((name) => (name === 'f1' ? 'F1' : metricName(name).toLowerCase()))],
    [
      row(String(written.manifest.lineage.settings.arch ?? written.manifest.lineage.settings.model), report),
      ...(baseline ? [row('linear, same texts', baseline.evaluated.report)] : []),
    ],
  );
  if (baseline?.comparison) {
    const { difference, low, high } = baseline.comparison.bootstrap;
    terminal.say(
      `Difference in ${headlineOf(report).metric === 'f1' ? 'F1' : headlineOf(report).name}: ${difference.toFixed(4)} (95 % between ${low.toFixed(4)} and ${high.toFixed(4)}).`,
    );
  }
  if (saysTheSame(evaluated.readings.rows)) {
    terminal.warn(`the model gives every ${nouns} the same answer: it learned nothing. Try a lower --learning-rate.`);
  }
  terminal.say(`\nPackage: ${written.folder}\nReport:  ${reportPath}`);
  showUse(written, terminal);
  if (written.manifest.lineage.settings.freezeBackbone === true)
    terminal.hint('the same without --freeze-backbone trains all of it: that takes longer, and is often better');
  return {
    package: written.folder,
    report: reportPath,
    stopped,
    ...evaluationJson(report, written.manifest.metrics[0]?.dataHash),
    ...(baseline && {
      baseline: {
        ...evaluationJson(baseline.evaluated.report, written.manifest.metrics[0]?.dataHash),
        ...(baseline.comparison && { comparison: baseline.comparison }),
      },
    }),
  };
}

/** Shows how a package is used. */
export function showUse({ folder, manifest }: Package, terminal: Terminal): void {
  const inputs =
    manifest.pipeline.input === 'image'
      ? 'IMAGE.png'
      : `"a text"${manifest.columns.textPair === undefined ? '' : ' --text-pair "its second text"'}`;
  terminal.hint(`lathe predict ${folder} ${inputs}`);
}

/** Whether scores have the same label on top for every text (of several). */
function saysTheSame(rows: readonly unknown[]): boolean {
  if (rows.length < 2 || !rows.every((row) => row instanceof Float64Array && row.length > 1)) return false;
  const tops = new Set((rows as readonly Float64Array[]).map((scores) => scores.indexOf(Math.max(...scores))));
  return tops.size === 1;
}

/** The shape of `lathe evaluate --json`. */
export function evaluationJson(report: TaskReport, dataHash: string | undefined): Record<string, unknown> {
  const { averages: _, reliability: __, confidence: ___, ...shown } = report as TaskReport & Record<string, unknown>;
  return { ...shown, dataHash };
}
