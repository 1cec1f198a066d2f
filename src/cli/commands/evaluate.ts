import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.ts';
import { LatheError } from '../../base/index.ts';
import { datasetFromFile, isPrepared, openDataset, SPLITS, type SplitName, sourceOf } from '../../data/index.ts';
import { classificationCurves } from '../../metrics/index.ts';
import { openPackage, openPipeline } from '../../pipeline/index.ts';
import { renderRunReport, worstMistakes } from '../../train/report/index.ts';
import { defineCommand } from '../command.ts';
import { evaluate, type LabelledTexts, readLabelled } from '../evaluation.ts';
import { evaluationJson } from '../trained-summary.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of a package' }),
  data: z
    .string()
    .meta({ description: 'prepared data, or a CSV, TSV, JSONL, JSON or Parquet file', placeholder: 'DIR|FILE' }),
  split: z
    .enum([...SPLITS, 'all'])
    .optional()
    .meta({ description: 'rows to measure on [default: test of prepared data, all of a file]' }),
  text: z.string().optional().meta({ description: 'column of the text [default: as trained]', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label [default: as trained]', placeholder: 'COLUMN' }),
  variant: z.string().default('fp32').meta({ description: 'variant of the model', placeholder: 'NAME' }),
  out: z.string().optional().meta({ description: 'folder for evaluation.json and report.html', placeholder: 'DIR' }),
});

export default defineCommand({
  name: 'evaluate',
  summary: 'measure a package on labelled texts',
  parameters,
  positional: ['package'],
  examples: [
    ['lathe evaluate models/spam --data mails/', 'on the test split of prepared data'],
    ['lathe evaluate models/spam --data new.csv --text body --label kind', 'on all rows of a file'],
    ['lathe evaluate models/spam --data mails/ --out evaluations/spam --json', 'with a report, and JSON for programs'],
  ],
  files: ({ package: folder, data, out }) => ({
    reads: [folder, data],
    writes: out === undefined ? [] : [join(out, 'evaluation.json'), join(out, 'report.html')],
  }),
  async run({ package: folder, data, split, text, label, variant, out }, terminal) {
    const opened = await openPackage(folder);
    const { labels, positive, columns, lineage } = opened.manifest;
    const prepared = isPrepared(data);
    const dataset = prepared
      ? await openDataset(data)
      : // Every row of a file counts, duplicates too: what is measured is what is there.
        await datasetFromFile({
          source: sourceOf([data]),
          text: text ?? columns.text,
          label: label ?? columns.label,
          cleaning: [],
          ...(split === undefined && { split: false, fractions: { train: 0, validation: 0, test: 1 } }),
          minimumClasses: 1,
          signal: terminal.signal,
        });
    const wanted: readonly SplitName[] = split === 'all' ? SPLITS : [split ?? 'test'];
    const parts: LabelledTexts[] = [];
    for (const name of wanted)
      if (wanted.length === 1 || dataset.facts.splits[name] > 0) parts.push(await readLabelled(dataset, name, labels));
    const examples: LabelledTexts = {
      texts: parts.flatMap(({ texts }) => texts),
      truth: Int32Array.from(parts.flatMap(({ truth }) => [...truth])),
    };
    if (examples.texts.length === 0) throw new LatheError('invalid-data', `"${data}" has no rows to measure on`);
    if (prepared && dataset.facts.contentHash !== lineage.dataHash && wanted.includes('train'))
      terminal.warn('these are not the data that the package was trained on');

    const progress = terminal.progress('evaluating');
    const pipeline = await openPipeline(opened, { variant });
    // Prepared data went through the package's steps; rows of a file have yet to.
    const evaluated = await evaluate(pipeline, examples, {
      positive,
      prepared,
      signal: terminal.signal,
      onProgress: (done, total) => progress.update(done, total),
    });
    await pipeline.close();
    progress.done(`evaluated ${examples.texts.length} ${examples.texts.length === 1 ? 'text' : 'texts'}`);

    const { report } = evaluated;
    const result = {
      ...evaluationJson(report, dataset.facts.contentHash),
      split: split ?? (prepared ? 'test' : 'all'),
      package: folder,
      variant,
    };
    terminal.table(
      ['label', 'precision', 'recall', 'F1', 'examples'],
      Object.entries(report.perClass).map(([name, values]) => [
        name,
        values.precision,
        values.recall,
        values.f1,
        values.support,
      ]),
    );
    const interval = report.intervals?.f1;
    terminal.say(
      `accuracy ${report.metrics.accuracy.toFixed(4)}, F1 ${report.metrics.f1.toFixed(4)}${interval === undefined ? '' : ` (95 % between ${interval.low.toFixed(4)} and ${interval.high.toFixed(4)})`}`,
    );
    for (const warning of report.warnings) terminal.warn(warning);
    if (out !== undefined) {
      await writeFileAtomically(join(out, 'evaluation.json'), `${JSON.stringify(result, null, 2)}\n`);
      const page = renderRunReport({
        title: folder,
        task: report.task,
        model: String(lineage.settings.arch ?? folder),
        finishedAt: new Date().toISOString(),
        evaluation: {
          split: result.split,
          report,
          curves: classificationCurves(
            examples.truth,
            evaluated.scores,
            labels,
            positive === undefined ? {} : { positive: labels.indexOf(positive) },
          ),
        },
        mistakes: worstMistakes(
          examples.truth,
          evaluated.predictions,
          evaluated.scores,
          labels,
          (example) => examples.texts[example]!,
        ),
        data: {
          source: data,
          hash: dataset.facts.contentHash,
          splits: wanted.map((name) => ({ name, examples: dataset.facts.splits[name] })),
        },
      });
      await writeFileAtomically(join(out, 'report.html'), page);
      terminal.say(`Report: ${join(out, 'report.html')}`);
    }
    return result;
  },
});
