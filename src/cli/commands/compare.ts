import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { openPackage } from '../../pipeline/index.ts';
import { TRAINABLE_TASKS } from '../../train/index.ts';
import { defineCommand } from '../command.ts';
import { comparePackages, showComparison } from '../comparison.ts';
import { evaluationDataParameters, openEvaluationData } from '../evaluation-data.ts';
import { evaluationJson } from '../trained-summary.ts';

const parameters = z.object({
  packages: z
    .array(z.string())
    .default([])
    .meta({ description: 'folders of packages of one task, as DIR:VARIANT for another variant', placeholder: 'DIR' }),
  ...evaluationDataParameters,
  variant: z
    .string()
    .default('fp32')
    .meta({ description: 'variant of the models, where none is named with the folder', placeholder: 'NAME' }),
  timed: z.int().min(10).default(100).meta({ description: 'examples whose answers are timed, one by one' }),
});

export default defineCommand({
  name: 'compare',
  summary: 'measure packages side by side, and say which to take',
  description:
    'Measures several packages on the same rows: the metric of their task with its interval, a paired test against the best, size, and the time of an answer, one text at a time. What it recommends is the best, or a lighter one that these rows do not show to be worse.',
  parameters,
  positional: ['packages'],
  examples: [
    ['lathe compare models/mini models/linear --data mails/', 'on the test split of prepared data'],
    ['lathe compare models/spam models/spam:int8 --data mails/', 'what 8 bits cost and gain'],
    ['lathe compare models/* --data new.csv --json', 'on all rows of a file, as JSON for programs'],
  ],
  files: ({ packages, data }) => ({
    reads: [...packages.map((named) => splitVariant(named).folder), data],
    writes: [],
  }),
  async run({ packages: named, data, variant, timed, ...given }, terminal) {
    const folders = named.map((one) => splitVariant(one));
    if (folders.length < 2) {
      throw new LatheError('usage', `compare: expected two packages or more, got ${folders.length}`, {
        hint: 'lathe evaluate measures one.',
      });
    }
    const packages = await Promise.all(folders.map(({ folder }) => openPackage(folder)));
    const variants = folders.map((one) => one.variant ?? variant);
    for (const [at, opened] of packages.entries()) opened.modelPath(variants[at]);
    const { manifest } = packages[0]!;
    const rows = await openEvaluationData(manifest, data, given, terminal);
    const { prepared, where } = rows;
    const comparison = await comparePackages(
      TRAINABLE_TASKS[manifest.task],
      packages,
      rows.examples,
      { variant: variants, prepared, timed, where },
      terminal,
    );
    terminal.say(`\nOn ${rows.examples.length} examples (${rows.split}):`);
    showComparison(comparison, terminal);
    return {
      task: manifest.task,
      data,
      split: rows.split,
      variant,
      ...comparison,
      packages: comparison.packages.map(({ report, ...rest }) => ({ ...rest, ...evaluationJson(report, rows.hash) })),
      models: comparison.packages.map(
        ({ package: name, variant: own, report, bytes, parameters: count, latencyMs }) => ({
          name,
          variant: own,
          bytes,
          parameters: count,
          latencyMs,
          metrics: report.metrics,
        }),
      ),
    };
  },
});

/** A folder with the variant behind its last colon, where one is named. The letter of a drive is no folder. */
function splitVariant(named: string): { readonly folder: string; readonly variant?: string } {
  const [, folder, variant] = /^(..+):(\w+)$/.exec(named) ?? [];
  return folder === undefined ? { folder: named } : { folder, variant: variant! };
}
