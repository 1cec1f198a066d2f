import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folders inside a layer that have a face of their own for `cli`. */
const SUBFACES: ReadonlySet<string> = new Set(['train/report/index.ts']);

interface Import {
  /** Both from `src/`, with slashes. */
  readonly file: string;
  readonly target: string;
}

/** The rows of the table in docs/architecture.md: what each layer may import besides `base`. */
function layerTable(document: string): Map<string, Set<string>> {
  const rows = [...document.matchAll(/^\| `src\/(\w+)` \|[^|]*\| ([^|]*) \|$/gm)].map(
    ([, layer, allowed]) => [layer!, allowed!] as const,
  );
  const layers = rows.map(([layer]) => layer);
  return new Map(
    rows.map(([layer, allowed]) => {
      if (allowed === 'everything') return [layer, new Set(layers)];
      const names = allowed === 'nothing' || allowed === '–' ? [] : allowed.split(', ');
      for (const name of names) {
        if (!layers.includes(name))
          throw new Error(`docs/architecture.md: "${name}" in the row of ${layer} is no layer`);
      }
      return [layer, new Set([layer, ...(allowed === 'nothing' ? [] : ['base']), ...names])];
    }),
  );
}

/** Every relative import and re-export of a source, of types too, and `import()`, also in types. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const forms = [/\bfrom\s*['"](\.[^'"]*)['"]/g, /\bimport\s*['"](\.[^'"]*)['"]/g, /\bimport\(\s*['"](\.[^'"]*)['"]/g];
  return forms.flatMap((form) => Array.from(code.matchAll(form), ([, path]) => path!));
}

function readImports(): Import[] {
  const source = join(ROOT, 'src');
  const slashes = (path: string): string => relative(source, path).split(sep).join('/');
  return readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((file) =>
      importsOf(readFileSync(file, 'utf8')).map((path) => ({
        file: slashes(file),
        target: slashes(join(dirname(file), path)),
      })),
    );
}

const layerOf = (path: string): string => path.split('/', 1)[0]!;

/** What is wrong with an import, or undefined. Tests may reach for fixtures and the repository's other files. */
function problemOf({ file, target }: Import, table: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const from = layerOf(file);
  const to = layerOf(target);
  if (to === '..') return file.endsWith('.test.ts') ? undefined : `${file}: imports ${target}, outside src/`;
  if (from === to) return undefined;
  if (!table.get(from)?.has(to)) return `${file}: ${from} may not import ${to} (${target})`;
  if (to === 'base' || target === `${to}/index.ts` || (from === 'cli' && SUBFACES.has(target))) return undefined;
  return `${file}: imports ${target} instead of ${to}/index.ts`;
}

/** Layers that import each other, directly or by way of others, as a path; undefined when there are none. */
function cycleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const done = new Set<string>();
  const visit = (layer: string, path: readonly string[]): string | undefined => {
    if (path.includes(layer)) return [...path.slice(path.indexOf(layer)), layer].join(' → ');
    if (done.has(layer)) return undefined;
    for (const next of edges.get(layer) ?? []) {
      const found = visit(next, [...path, layer]);
      if (found !== undefined) return found;
    }
    done.add(layer);
    return undefined;
  };
  for (const layer of edges.keys()) {
    const found = visit(layer, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

const TABLE = layerTable(readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8'));
const IMPORTS = readImports();

describe('layers', () => {
  it('are those of docs/architecture.md', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect([...TABLE.keys()].sort()).toEqual(folders.map(({ name }) => name).sort());
  });

  it('import only what the table allows, by the face of each layer', () => {
    expect(IMPORTS.length).toBeGreaterThan(500);
    expect(IMPORTS.flatMap((found) => problemOf(found, TABLE) ?? [])).toEqual([]);
  });

  it('do not import each other in a circle', () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of IMPORTS) {
      const [from, to] = [layerOf(file), layerOf(target)];
      if (from !== to && to !== '..') edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
    expect(cycleIn(edges)).toBeUndefined();
  });
});

describe('the check of layers', () => {
  it('sees every form of import', () => {
    const source = `
      import { a } from './a.ts';
      import type {
        B,
      } from "../b/index.ts";
      export * from './c.ts';
      import './d.ts';
      const e = await import('./e.ts');
      type F = import('./f.ts').F;
      // import { g } from './g.ts';
      /** import { h } from './h.ts'; */
      import { z } from 'zod';`;
    expect(importsOf(source).sort()).toEqual(['../b/index.ts', './a.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
  });

  it.each([
    [
      'a layer that is not allowed',
      'graph/ir.ts',
      'data/index.ts',
      'graph/ir.ts: graph may not import data (data/index.ts)',
    ],
    [
      'anything from base',
      'base/tensor.ts',
      'graph/index.ts',
      'base/tensor.ts: base may not import graph (graph/index.ts)',
    ],
    [
      'a file behind a face',
      'nn/build.ts',
      'graph/ir.ts',
      'nn/build.ts: imports graph/ir.ts instead of graph/index.ts',
    ],
    [
      'a sub-face by others than cli',
      'cli/main.ts',
      'train/report/format.ts',
      'cli/main.ts: imports train/report/format.ts instead of train/index.ts',
    ],
    ['what is outside', 'graph/read.ts', '../tests/x.ts', 'graph/read.ts: imports ../tests/x.ts, outside src/'],
  ])('refuses %s', (_, file, target, problem) => {
    expect(problemOf({ file, target }, TABLE)).toBe(problem);
  });

  it.each([
    ['nn/build.ts', 'graph/index.ts'],
    ['nn/build.ts', 'base/tensor.ts'],
    ['nn/layers/linear.ts', 'nn/build.ts'],
    ['cli/run-report.ts', 'train/report/index.ts'],
  ])('lets %s import %s', (file, target) => {
    expect(problemOf({ file, target }, TABLE)).toBeUndefined();
  });

  it('finds circles, long ones too', () => {
    const edges = new Map([
      ['a', new Set(['b', 'd'])],
      ['b', new Set(['c'])],
      ['c', new Set(['a'])],
      ['d', new Set<string>()],
    ]);
    expect(cycleIn(edges)).toBe('a → b → c → a');
    edges.set('c', new Set(['d']));
    expect(cycleIn(edges)).toBeUndefined();
  });
});
