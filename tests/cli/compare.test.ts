import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { readModel } from '../../src/graph/index.ts';
import { openPackage, writeDerivedPackage } from '../../src/pipeline/index.ts';
import { jsonOf, lathe, temporaryFolder, writeMessages } from './lathe.ts';

// Some train models, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = temporaryFolder();
writeMessages(join(folder, 'messages.csv'), 240);
writeMessages(join(folder, 'new.csv'), 90, 1000);
// The same texts with labels that have nothing to do with them.
const [heading, ...lines] = readFileSync(join(folder, 'messages.csv'), 'utf8').trimEnd().split('\n');
const relabelled = lines.map((line, row) => line.replace(/,\w+$/, row % 5 < 2 ? ',spam' : ',ham'));
writeFileSync(join(folder, 'noise.csv'), `${[heading, ...relabelled].join('\n')}\n`);

interface Compared {
  readonly task: string;
  readonly metric: string;
  readonly packages: readonly {
    readonly package: string;
    readonly examples: number;
    readonly metrics: { readonly f1: number };
    readonly intervals: { readonly f1: { readonly low: number; readonly high: number } };
    readonly parameters: number;
    readonly bytes: number;
    readonly latencyMs: { readonly p50: number; readonly p95: number };
    readonly behindBest?: { readonly bootstrap: { readonly difference: number; readonly low: number } };
  }[];
  readonly best: string;
  readonly recommended: string;
  readonly reason: string;
}

const run = async (words: string) => {
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
};

beforeAll(async () => {
  await run('train --data messages.csv --arch linear --out good --quiet');
  await run('train --data noise.csv --arch linear --out bad --quiet');
});

describe('lathe compare', () => {
  it('measures packages on the same rows, and recommends the one that is better by more than chance', async () => {
    const ended = await run('compare bad good --data new.csv --timed 10 --json');
    const compared = jsonOf<Compared>(ended);
    expect(compared).toMatchObject({ task: 'text-classification', metric: 'f1', best: 'good', recommended: 'good' });
    expect(compared.reason).toMatch(/^good has the best F1 of spam \(.*more than chance explains\.$/);
    const [bad, good] = compared.packages;
    for (const measured of [bad!, good!]) {
      expect(measured.examples).toBe(90);
      expect(measured.intervals.f1.low).toBeLessThanOrEqual(measured.metrics.f1);
      expect(measured.intervals.f1.high).toBeGreaterThanOrEqual(measured.metrics.f1);
      expect(measured.latencyMs.p50).toBeGreaterThan(0);
      expect(measured.latencyMs.p95).toBeGreaterThanOrEqual(measured.latencyMs.p50);
      expect(measured.bytes).toBeGreaterThan(4 * measured.parameters);
    }
    expect(good!.metrics.f1).toBeGreaterThan(0.9);
    expect(good!.behindBest).toBeUndefined();
    const { difference, low } = bad!.behindBest!.bootstrap;
    expect(difference).toBeCloseTo(good!.metrics.f1 - bad!.metrics.f1, 12);
    expect(low).toBeGreaterThan(0);
    expect(ended.stderr).toMatch(/package +F1 of spam +95 % interval +behind the best/);
    const alone = jsonOf<{ metrics: object }>(await run('evaluate good --data new.csv --json'));
    expect(good!.metrics).toEqual(alone.metrics);
  });

  it.each([
    ['good --data new.csv', 2, /expected two packages or more, got 1/],
    ['good missing --data new.csv', 1, /"missing" is not a package/],
    ['good good --data new.csv --variant int8', 1, /has no variant "int8"/],
    ['good good:q4 --data new.csv', 1, /has no variant "q4"/],
  ])('%s: %i', async (words, code, message) => {
    const ended = await lathe(folder, ['compare', ...words.split(' ')]);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('takes a variant with each folder', async () => {
    const source = await openPackage(join(folder, 'good'));
    const model = await readModel(source.modelPath());
    const step = { step: 'none', settings: {}, seed: 0, versions: {} };
    await writeDerivedPackage(join(folder, 'both'), source, { variants: { fp16: { model, step } } });
    const compared = jsonOf<Compared & { models: readonly Record<string, unknown>[] }>(
      await run('compare both both:fp16 --data new.csv --timed 10 --json'),
    );
    expect(compared.packages.map((one) => one.package)).toEqual(['both', 'both:fp16']);
    const [first, second] = compared.models;
    expect(first).toMatchObject({ name: 'both', variant: 'fp32', latencyMs: { p99: expect.any(Number) } });
    expect(second).toMatchObject({ name: 'both:fp16', variant: 'fp16', metrics: first!.metrics });
  });

  it('refuses packages without common answers', async () => {
    await run(
      'train --data messages.csv --task fill-mask --arch bert-tiny --epochs 1 --max-length 16 --out words --quiet',
    );
    const ended = await lathe(folder, 'compare good words --data new.csv'.split(' '));
    expect([ended.code, ended.stderr]).toEqual([
      2,
      expect.stringMatching(/"words" is for fill-mask, "good" is for text-classification/),
    ]);
  });
});

describe('lathe select', () => {
  it('trains candidates on the same rows, chooses by validation, and says what the chosen one is worth', async () => {
    const args = 'select --data messages.csv --arch linear bert-tiny --epochs 1 --max-length 24 --vocabulary-size 300';
    const ended = await run(`${args} --timed 10 --out chosen --json`);
    const selected = jsonOf<Compared & { test: { examples: number; metrics: { f1: number } } }>(ended);
    expect(selected).toMatchObject({ task: 'text-classification', split: 'validation' });
    expect(selected.packages.map((one) => one.package)).toEqual(['chosen/linear', 'chosen/bert-tiny']);
    expect(selected.recommended).toBe('chosen/linear');
    expect(ended.stderr).toMatch(/On the test split it has F1 of spam/);
    const measured = await run('evaluate chosen/linear --data messages.csv --split test --json');
    const { metrics, examples } = jsonOf<{ metrics: object; examples: number }>(measured);
    expect(selected.test).toEqual({ metrics, examples });
  });

  it.each([
    ['--arch linear', /expected two candidates or more, got 1/],
    ['--arch linear --model x/linear', /two candidates have the name "linear"/],
  ])('%s is refused', async (words, message) => {
    const ended = await lathe(folder, ['select', '--data', 'messages.csv', '--out', 'x', ...words.split(' ')]);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it.each([
    ['whose start is missing', '--arch linear --model nothing', 1, /no file or folder "nothing"/],
    ['whose folder has other files', '--arch linear bert-tiny', 2, /"early.bert-tiny" exists and is not a package/],
  ])('refuses a candidate %s before it trains the first', async (_, words, code, message) => {
    mkdirSync(join(folder, 'early', 'bert-tiny'), { recursive: true });
    const ended = await lathe(folder, `select --data messages.csv --out early ${words}`.split(' '));
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(readdirSync(join(folder, 'early'))).toEqual(['bert-tiny']);
  });
});
