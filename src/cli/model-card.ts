import type { ClassificationReport } from '../metrics/index.ts';
import type { ClassifierPlan } from './train-classifier.ts';

/** README.md of a package: the model card that Hugging Face shows, with its YAML. Every figure in it was measured. */
export function modelCard({
  plan,
  labels,
  positive,
  report,
  baseline,
}: {
  readonly plan: ClassifierPlan;
  readonly labels: readonly string[];
  readonly positive: string | undefined;
  readonly report: ClassificationReport;
  readonly baseline?: ClassificationReport;
}): string {
  const { facts } = plan.dataset;
  const isTransformer = plan.arch !== 'linear';
  const row = (name: string, values: ClassificationReport): string =>
    `| ${name} | ${[values.metrics.accuracy, values.metrics.precision, values.metrics.recall, values.metrics.f1].map((value) => value.toFixed(4)).join(' | ')} |`;
  return `---
library_name: ${isTransformer ? 'transformers.js' : 'lathe-ml'}
pipeline_tag: text-classification
tags:
- lathe
- onnx
metrics:
- accuracy
- f1
---

# ${plan.arch} for ${labels.join(' / ')}

Trained from scratch with Lathe on ${facts.splits.train.toLocaleString('en')} texts; ${isTransformer ? `reads the first ${plan.maxLength} tokens` : 'reads words and pairs of words (TF-IDF)'}.

## How good it is

On ${report.examples.toLocaleString('en')} texts of the test split, which share nothing with training${positive === undefined ? '; precision, recall and F1 are means over the labels' : `; precision, recall and F1 are those of \`${positive}\``}:

| Model | Accuracy | Precision | Recall | F1 |
|---|---|---|---|---|
${row(plan.arch, report)}
${baseline === undefined ? '' : `${row('linear (TF-IDF, logistic regression), same texts', baseline)}\n`}
## Limits

It knows the kind of text that it was trained on and nothing else: measure it on your own (\`lathe evaluate\`) before you rely on it.
Data: ${facts.rows.kept.toLocaleString('en')} rows kept of ${facts.rows.read.toLocaleString('en')}, content hash \`${facts.contentHash.slice(0, 16)}\`. Settings and lineage are in \`lathe.json\`.
`;
}
