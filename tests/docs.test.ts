import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commandLinesOf, parametersOf } from './cli/command-line.ts';

const ROOT = new URL('../', import.meta.url);
const DOCUMENTS = [
  'README.md',
  'examples/spam/README.md',
  'examples/digits/README.md',
  ...readdirSync(fileURLToPath(new URL('docs', ROOT)), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`),
];

/** The command lines in a document's shell blocks. */
function commandLinesIn(text: string): string[] {
  return Array.from(text.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```$/gm), ([, code]) => code!).flatMap(
    commandLinesOf,
  );
}

const LINES = DOCUMENTS.flatMap((document) =>
  commandLinesIn(readFileSync(new URL(document, ROOT), 'utf8')).map((line) => ({ document, line })),
);

describe('command lines of the documents', () => {
  it('are there', () => {
    const documents = new Set(LINES.map(({ document }) => document));
    expect([...documents]).toEqual(expect.arrayContaining(['README.md', 'docs/guide.md', 'examples/spam/README.md']));
  });

  it.each(LINES)('$document: $line', async ({ line }) => {
    await parametersOf(line);
  });
});

describe('finding command lines', () => {
  it('takes those of shell blocks, whole', () => {
    const text =
      'lathe no\n\n```sh\nnpm ci\nnpx lathe train --data x \\\n  --out y\ncat a | lathe predict m --file - | head # first\n```\n\n```ts\nlathe no\n```\n';
    expect(commandLinesIn(text)).toEqual(['lathe train --data x --out y', 'lathe predict m --file -']);
  });
});
