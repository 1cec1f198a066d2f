import type { TaskReport } from '../metrics/index.ts';
import { metricName } from '../train/report/index.ts';
import { shownMetrics } from './shown-metrics.ts';
import { recordedName } from './start/model-files.ts';
import type { TrainPlan } from './train-plan.ts';

/** README.md of a package: the model card that Hugging Face shows, with its YAML. Every figure in it was measured. */
export function modelCard({
  plan,
  labels,
  positive,
  report,
  baseline,
}: {
  readonly plan: TrainPlan;
  readonly labels: readonly string[];
  readonly positive: string | undefined;
  readonly report: TaskReport;
  readonly baseline?: TaskReport;
}): string {
  const { facts } = plan.dataset;
  const { task } = plan.task;
  const start = plan.model === undefined ? undefined : recordedName(plan.model);
  const name = start ?? plan.arch;
  const isTransformer = name !== 'linear';
  const names = shownMetrics(report);
  const row = (name: string, values: TaskReport): string =>
    `| ${name} | ${names.map((metric) => (values.metrics[metric] ?? Number.NaN).toFixed(4)).join(' | ')} |`;
  const of = !('average' in report)
    ? ''
    : positive === undefined
      ? '; precision, recall and F1 are means over the labels'
      : `; precision, recall and F1 are those of \`${positive}\``;
  const noun = facts.columns.image === undefined ? 'texts' : 'images';
  const reads =
    noun === 'images'
      ? ''
      : isTransformer
        ? `; reads the first ${plan.maxLength} tokens`
        : '; reads words and pairs of words (TF-IDF)';
  return `---
library_name: ${isTransformer ? 'transformers.js' : 'lathe-ml'}
pipeline_tag: ${task.tag}
tags:
- lathe
- onnx
metrics:
${names.map((name) => `- ${name}`).join('\n')}
---

# ${start === undefined ? `${plan.arch} for ` : ''}${labels.length > 0 ? labels.join(' / ') : task.name}

Trained ${start === undefined ? 'from scratch' : `from \`${start}\``} with Lathe${taughtBy(plan)} on ${facts.splits.train.toLocaleString('en')} ${noun} to ${task.summary}${reads}.

## How good it is

On ${report.examples.toLocaleString('en')} ${noun} of the test split, which share nothing with training${of}:

| Model | ${names.map(metricName).join(' | ')} |
|---|${'---|'.repeat(names.length)}
${row(name, report)}
${baseline === undefined ? '' : `${row('linear (TF-IDF, logistic regression), same texts', baseline)}\n`}
## Limits

It knows the kind of ${noun} that it was trained on and nothing else: measure it on your own (\`lathe evaluate\`) before you rely on it.
Data: ${facts.rows.kept.toLocaleString('en')} rows kept of ${facts.rows.read.toLocaleString('en')}, content hash \`${facts.contentHash.slice(0, 16)}\`. Settings and lineage are in \`lathe.json\`.
`;
}

function taughtBy({ distillation }: TrainPlan): string {
  return distillation === undefined ? '' : `, taught by \`${distillation.source}\` (${distillation.method}),`;
}
