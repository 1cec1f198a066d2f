import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Example {
  readonly document: string;
  /** Of the block's first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  readonly file: string;
}

/** The TypeScript blocks of a document. */
function examplesIn(document: string, text: string): Example[] {
  return Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ({ index, 1: code }) => {
    const line = text.slice(0, index).split('\n').length + 1;
    return { document, line, code: code!, file: `${document.replace(/\W+/g, '-')}-${line}` };
  });
}

const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path).split(sep).join('/')),
];
const EXAMPLES = DOCUMENTS.flatMap((document) => examplesIn(document, readFileSync(join(ROOT, document), 'utf8')));

// Inside the checkout, where `lathe-ml/graph` means this package; outside what git and the linter look at.
mkdirSync(join(ROOT, '.cache'), { recursive: true });
const FOLDER = mkdtempSync(join(ROOT, '.cache', 'examples-'));

/** The blocks of a document run in their order and in one folder, so that one reads what an earlier one wrote. */
describe('examples', () => {
  let complaints: readonly string[] = [];

  beforeAll(async () => {
    for (const { file, code } of EXAMPLES) writeFileSync(join(FOLDER, `${file}.mts`), `${code}\nexport {};\n`);
    const options = { noEmit: false, rootDir: '.', outDir: 'js', noEmitOnError: false };
    writeFileSync(
      join(FOLDER, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: options, include: ['*.mts'] }),
    );
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const compiled = await run(process.execPath, [compiler, '-p', FOLDER], { cwd: FOLDER }).catch(
      (error: { stdout: string }) => error,
    );
    complaints = compiled.stdout.split('\n').filter((line) => line.includes('error TS'));
  });

  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  it('are there', () => {
    const documents = new Set(EXAMPLES.map(({ document }) => document));
    expect([...documents].sort()).toEqual([
      'README.md',
      'docs/compression.md',
      'docs/fine-tuning.md',
      'docs/graph.md',
      'docs/guide.md',
      'docs/zoo.md',
    ]);
  });

  it('are right in their types', () => {
    expect(complaints).toEqual([]);
  });

  it.each(EXAMPLES)('run: $document, line $line', async ({ document, file }) => {
    const folder = join(FOLDER, `in-${basename(document, '.md')}`);
    mkdirSync(folder, { recursive: true });
    const script = join(FOLDER, 'js', `${file}.mjs`);
    await run(process.execPath, [script], { cwd: folder });
  });
});

describe('finding examples', () => {
  it('takes the TypeScript blocks and says where they are', () => {
    const text = 'One\n\n```ts\nconst a = 1;\n```\n\n```sh\nls\n```\n\n```ts\nconst b = 2;\n```\n';
    expect(examplesIn('docs/x.md', text).map(({ line, code }) => [line, code])).toEqual([
      [4, 'const a = 1;\n'],
      [12, 'const b = 2;\n'],
    ]);
  });

  it('starts from the root of the repository', () => {
    expect(relative(ROOT, FOLDER).split(sep)[0]).toBe('.cache');
  });
});
