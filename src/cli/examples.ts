import { join, resolve } from 'node:path';
import { LatheError } from '../base/index.ts';
import { type PreparedDataset, type SplitName, textOf } from '../data/index.ts';
import type { Example } from '../pipeline/index.ts';

/** Reads a split as examples. Throws LatheError('invalid-data') for an empty one, and for data without labels. */
export async function readExamples(
  dataset: PreparedDataset,
  split: SplitName,
  { labelled }: { readonly labelled: boolean },
): Promise<readonly Example[]> {
  const { text, textPair, image, label } = dataset.facts.columns;
  if (labelled && label === undefined)
    throw new LatheError('invalid-data', 'the data have no label column', { hint: 'Name it with --label.' });
  const rows = await dataset.readSplit(split);
  const imageFolder = resolve(dataset.directory ?? '', dataset.facts.imageFolder ?? '');
  if (rows.length === 0)
    throw new LatheError('invalid-data', `the ${split} split has no rows`, {
      hint: 'Give it a larger share, or more data.',
    });
  return rows.map((row): Example => {
    if (image !== undefined) {
      const path = join(imageFolder, textOf(row[image]) ?? '');
      return {
        image: typeof row.sha256 === 'string' ? { path, sha256: row.sha256 } : path,
        ...(label !== undefined && { label: row[label]! }),
      };
    }
    const value = row[text!]!;
    return {
      text: Array.isArray(value) ? (value as string[]) : (textOf(value) ?? ''),
      ...(textPair !== undefined && { textPair: textOf(row[textPair]) ?? '' }),
      ...(label !== undefined && { label: row[label]! }),
    };
  });
}

/** Names a row in an error. */
export function rowOf(split: string): (example: number) => string {
  return (example) => `row ${example + 1} of ${split}`;
}

/** The text that a vocabulary is learned from. */
export function textsOf(examples: readonly Example[]): (string | readonly [string, string])[] {
  return examples.flatMap((example) => {
    if ('image' in example) return [];
    const { text, textPair } = example;
    const whole = typeof text === 'string' ? text : text.join(' ');
    return [textPair === undefined ? whole : ([whole, textPair] as const)];
  });
}
