import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/graph/index.ts';
import {
  CATALOGUE,
  CATALOGUE_TASKS,
  type CatalogueEntry,
  fetchModel,
  formatSource,
  modelFacts,
  parseSource,
} from '../../src/zoo/index.ts';
import { jsonOf, lathe } from '../cli/lathe.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALLED = CATALOGUE.filter(({ source }) => source.startsWith('npm:'));

/** Parameters of a BERT encoder by the sizes of its published config.json. */
function encoderSize(sizes: {
  readonly vocabulary: number;
  readonly positions: number;
  readonly types: number;
  readonly hidden: number;
  readonly layers: number;
  readonly pooler: boolean;
}): number {
  const { vocabulary, positions, types, hidden: h, layers, pooler } = sizes;
  const norm = 2 * h;
  const dense = (from: number, to: number): number => from * to + to;
  const layer = 4 * dense(h, h) + dense(h, 4 * h) + dense(4 * h, h) + 2 * norm;
  return (vocabulary + positions + types) * h + norm + layers * layer + (pooler ? dense(h, h) : 0);
}

const BASE = { vocabulary: 30522, positions: 512, types: 2, hidden: 768, layers: 12, pooler: true };
const DISTIL = { ...BASE, types: 0, layers: 6, pooler: false };

describe('the catalogue', () => {
  it('has every source and name once, and no task without a model', () => {
    const once = (key: (entry: CatalogueEntry) => string): void =>
      expect(new Set(CATALOGUE.map(key)).size).toBe(CATALOGUE.length);
    once(({ name }) => name);
    once(({ source }) => source);
    for (const { source } of CATALOGUE) expect(formatSource(parseSource(source))).toBe(source);
    expect(new Set(CATALOGUE.map(({ task }) => task))).toEqual(new Set(CATALOGUE_TASKS));
  });

  it.each([
    ['hf:google-bert/bert-base-uncased', BASE],
    ['hf:distilbert/distilbert-base-uncased', DISTIL],
    ['hf:distilbert/distilbert-base-uncased-finetuned-sst-2-english', DISTIL],
    ['hf:FacebookAI/roberta-base', { ...BASE, vocabulary: 50265, positions: 514, types: 1 }],
    ['hf:sentence-transformers/all-MiniLM-L6-v2', { ...BASE, hidden: 384, layers: 6 }],
    ['hf:BAAI/bge-small-en-v1.5', { ...BASE, hidden: 384 }],
  ])('counts the parameters of %s', (source, sizes) => {
    expect(CATALOGUE.find((entry) => entry.source === source)?.parameters).toBe(encoderSize(sizes));
  });

  it.each(INSTALLED)('measured $source', async ({ source, bytes, parameters }) => {
    const { folder, files } = await fetchModel(parseSource(source), { mostBytes: 0 }, ROOT);
    expect(files).toEqual([{ path: expect.any(String), bytes }]);
    const facts = modelFacts(await readModel(join(folder, files[0]!.path)));
    expect(facts.parameters).toBe(parameters);
    expect(facts.unsupported).toEqual([]);
  });
});

describe('lathe zoo list', () => {
  it('lists all, or those of a task', async () => {
    const all = await lathe(ROOT, ['zoo', 'list', '--json']);
    expect(jsonOf(all)).toEqual({ models: CATALOGUE });
    for (const { source } of CATALOGUE) expect(all.stderr).toContain(source);
    const some = jsonOf<{ models: CatalogueEntry[] }>(
      await lathe(ROOT, ['zoo', 'list', '--task', 'text-recognition', '--json']),
    );
    expect(some.models.map(({ name }) => name)).toEqual(['PP-OCRv4 text recognition, Chinese and English']);
  });
});
