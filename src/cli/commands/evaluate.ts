import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.ts';
import { jsonText } from '../../base/index.ts';
import type { TaskReport } from '../../metrics/index.ts';
import { openPackage, openPipeline } from '../../pipeline/index.ts';
import { TRAINABLE_TASKS } from '../../train/index.ts';
import { headlineOf, metricName, renderRunReport } from '../../train/report/index.ts';
import { defineCommand } from '../command.ts';
import { evaluate } from '../evaluation.ts';
import { evaluationDataParameters, openEvaluationData } from '../evaluation-data.ts';
import { withPictures } from '../pictured-mistakes.ts';
import { shownMetrics } from '../shown-metrics.ts';
import { evaluationJson } from '../trained-summary.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of a package' }),
  ...evaluationDataParameters,
  variant: z.string().default('fp32').meta({ description: 'variant of the model', placeholder: 'NAME' }),
  out: z.string().optional().meta({ description: 'folder for evaluation.json and report.html', placeholder: 'DIR' }),
});

export default defineCommand({
  name: 'evaluate',
  summary: 'measure a package on labelled texts or images',
  parameters,
  positional: ['package'],
  examples: [
    ['lathe evaluate models/spam --data mails/', 'on the test split of prepared data'],
    ['lathe evaluate models/spam --data new.csv --text body --label kind', 'on all rows of a file'],
    ['lathe evaluate models/photos --data photos/', 'on all images of a folder, one folder a label'],
    ['lathe evaluate models/spam --data mails/ --out evaluations/spam --json', 'with a report, and JSON for programs'],
  ],
  files: ({ package: folder, data, out }) => ({
    reads: [folder, data],
    writes: out === undefined ? [] : [join(out, 'evaluation.json'), join(out, 'report.html')],
  }),
  async run({ package: folder, data, split, variant, out, ...given }, terminal) {
    const opened = await openPackage(folder);
    const { task: name, positive, lineage } = opened.manifest;
    const task = TRAINABLE_TASKS[name];
    const rows = await openEvaluationData(opened.manifest, data, { ...given, split }, terminal);
    const { examples, prepared, where } = rows;

    const progress = terminal.progress('evaluating');
    const pipeline = await openPipeline(opened, { variant });
    const evaluated = await evaluate(task, pipeline, examples, {
      positive,
      prepared,
      where,
      signal: terminal.signal,
      onProgress: (done, total) => progress.update(done, total),
    });
    await pipeline.close();
    const noun = task.task.columns.image === undefined ? 'text' : 'image';
    progress.done(`evaluated ${examples.length} ${noun}${examples.length === 1 ? '' : 's'}`);

    const { report } = evaluated;
    const result = {
      ...evaluationJson(report, rows.hash),
      split: rows.split,
      package: folder,
      variant,
    };
    if (report.perClass !== undefined) {
      terminal.table(
        ['label', 'precision', 'recall', 'F1', 'examples'],
        Object.entries(report.perClass).map(([label, values]) => [
          label,
          values.precision,
          values.recall,
          values.f1,
          values.support,
        ]),
      );
    }
    terminal.say(metricsLine(report));
    for (const warning of report.warnings) terminal.warn(warning);
    if (out !== undefined) {
      await writeFileAtomically(join(out, 'evaluation.json'), jsonText(result));
      const { mistakes, ...details } = await withPictures(task.details?.(evaluated) ?? {}, evaluated.examples);
      const page = renderRunReport({
        title: folder,
        task: report.task,
        model: String(lineage.settings.arch ?? lineage.settings.model ?? folder),
        finishedAt: new Date().toISOString(),
        evaluation: { split: result.split, report, ...details },
        ...(mistakes && { mistakes }),
        data: {
          source: data,
          hash: rows.hash,
          splits: rows.parts,
        },
      });
      await writeFileAtomically(join(out, 'report.html'), page);
      terminal.say(`Report: ${join(out, 'report.html')}`);
    }
    return result;
  },
});

/** `accuracy 0.9310, F1 0.9270 (95 % between 0.9010 and 0.9480)`: the headline last, with its interval. */
function metricsLine(report: TaskReport): string {
  const { metric } = headlineOf(report);
  const shown = 'average' in report ? ['accuracy', 'f1'] : shownMetrics(report);
  const names = [...shown.filter((name) => name !== metric), metric];
  const interval = report.intervals?.[metric];
  const numbers = names.map(
    (name) =>
      `${name === 'f1' ? 'F1' : name === 'accuracy' ? name : metricName(name)} ${numberText(report.metrics[name] ?? Number.NaN)}`,
  );
  return `${numbers.join(', ')}${interval === undefined ? '' : ` (95 % between ${interval.low.toFixed(4)} and ${interval.high.toFixed(4)})`}`;
}

function numberText(value: number): string {
  return Number.isInteger(value) && value > 1 ? value.toLocaleString('en') : value.toFixed(4);
}
