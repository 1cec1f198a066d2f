import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { answerOf, lathe, listed, temporaryFolder, writeMessages } from './lathe.ts';

// It trains, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = temporaryFolder();
writeMessages(join(folder, 'messages.csv'), 240);

interface Answer {
  readonly variant: string;
  readonly quantized: number;
  readonly bytes: { readonly source: number; readonly variant: number };
  readonly speed: readonly { readonly batch: number; readonly ratio: number }[];
  readonly batchInvariant: boolean;
  readonly score?: {
    readonly metric: string;
    readonly source: number;
    readonly variant: number;
    readonly kept: number;
  };
}

interface Manifest {
  readonly variants: Readonly<
    Record<
      string,
      { readonly file: string; readonly batchInvariant?: boolean; readonly step?: { readonly step: string } }
    >
  >;
  readonly metrics: readonly { readonly variant?: string; readonly values: { readonly f1: number } }[];
  readonly files: Readonly<Record<string, { readonly sha256: string }>>;
}

const manifestOf = (name: string): Manifest =>
  JSON.parse(readFileSync(join(folder, name, 'lathe.json'), 'utf8')) as Manifest;
const quantize = (words: string): Promise<Answer> => answerOf(folder, ['quantize', 'tiny', ...words.split(' ')]);

beforeAll(async () => {
  const words =
    'train --data messages.csv --arch bert-tiny --epochs 6 --no-baseline --max-length 16 --out tiny --quiet';
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
});

describe('lathe quantize', () => {
  it('writes a smaller variant beside the model, with what it measured of both', async () => {
    const answer = await quantize('--data messages.csv --budget 0.9 --out int8 --rounds 3');
    expect(answer.variant).toBe('int8');
    expect(answer.quantized).toBe(15);
    expect(answer.bytes.variant).toBeLessThan(answer.bytes.source / 3);
    expect(answer.speed.map(({ batch }) => batch)).toEqual([1, 8]);
    expect(answer.speed.every(({ ratio }) => ratio > 0)).toBe(true);
    expect(answer.score!.metric).toBe('f1');
    expect(answer.score!.source).toBeGreaterThan(0.8);
    expect(answer.score!.kept).toBeCloseTo(answer.score!.variant / answer.score!.source, 9);
    const { variants, metrics } = manifestOf('int8');
    expect(Object.keys(variants)).toEqual(['fp32', 'int8']);
    expect(variants.int8).toMatchObject({
      file: 'onnx/model_int8.onnx',
      batchInvariant: answer.batchInvariant,
      step: { step: 'quantize', settings: { scheme: 'dynamic', activations: 'row' } },
    });
    expect(metrics.find(({ variant }) => variant === 'int8')!.values.f1).toBe(answer.score!.variant);
    const evaluated = await answerOf<{ readonly metrics: { readonly f1: number } }>(
      folder,
      'evaluate int8 --variant int8 --data messages.csv --split test'.split(' '),
    );
    expect(evaluated.metrics.f1).toBe(answer.score!.variant);
  });

  it('writes the same bytes each time', async () => {
    await quantize('--out once --rounds 3');
    await quantize('--out twice --rounds 3');
    const hash = (name: string): string => manifestOf(name).files['onnx/model_int8.onnx']!.sha256;
    expect(hash('once')).toBe(hash('twice'));
    expect(hash('once')).toBe(hash('int8'));
  });

  it('refuses a budget without data, and writes nothing', async () => {
    const ended = await lathe(folder, 'quantize tiny --budget 0.9 --out none'.split(' '));
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('--budget needs --data');
    expect(listed(folder)).not.toContain('none');
  });
});
