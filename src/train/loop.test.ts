import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { random } from '../base/index.ts';
import { type TensorDataset, tensorDataset } from '../data/index.ts';
import { attachLoss, crossEntropy, linearModel } from '../nn/index.ts';
import type { TrainEvent } from './events.ts';
import { runLoop } from './loop.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from './settings.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-loop-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FEATURES = 20;

/** Rows of three features; the label says whether the first half of the vocabulary has the most of them. */
function rows(count: number, seed: number, poison?: number): TensorDataset {
  const generator = random(seed);
  const ids = Int32Array.from({ length: count * 3 }, () => generator.integer(FEATURES));
  const labels = Int32Array.from({ length: count }, (_, row) => {
    const low = [0, 1, 2].filter((place) => ids[row * 3 + place]! < FEATURES / 2).length;
    return low >= 2 ? 1 : 0;
  });
  const weights = new Float32Array(count * 3).fill(1);
  if (poison !== undefined) weights[poison * 3] = Number.POSITIVE_INFINITY;
  return tensorDataset({
    feature_ids: { kind: 'fixed', values: ids, dims: [3], dtype: 'int64' },
    feature_weights: { kind: 'fixed', values: weights, dims: [3], dtype: 'float32' },
    labels: { kind: 'fixed', values: labels, dims: [], dtype: 'int64' },
  });
}

async function run(
  settings: Partial<TrainSettings>,
  options: { train?: TensorDataset; stopAfter?: number } = {},
): Promise<TrainEvent[]> {
  const model = attachLoss(linearModel({ vocabularySize: FEATURES, labels: 2 }), crossEntropy(), {
    predictions: 'logits',
    labels: 'labels',
  });
  const events: TrainEvent[] = [];
  let asked = 0;
  await runLoop(
    {
      training: model,
      inference: model,
      trainable: ['linear.weight', 'linear.bias'],
      train: options.train ?? rows(256, 1),
      validation: rows(64, 2),
      labels: 'labels',
      predictions: 'logits',
      objective: { kind: 'classification', labels: ['no', 'yes'], positive: 'yes' },
      settings: {
        ...DEFAULT_SETTINGS,
        batchSize: 16,
        learningRate: 0.05,
        optimizer: { name: 'adamW', weightDecay: 0 },
        ...settings,
      },
      folder,
      fingerprint: 'test',
      resume: false,
    },
    {
      emit: (event) => events.push(event),
      shouldStop: () => ++asked >= (options.stopAfter ?? Number.POSITIVE_INFINITY),
    },
  );
  return events;
}

const endOf = (events: readonly TrainEvent[]) => events.find((event) => event.type === 'end')!;

describe('the training loop', () => {
  it('learns, and keeps the best parameters', async () => {
    const events = await run({ epochs: 10, patience: 0 });
    const scores = events.flatMap((event) => (event.type === 'validation' ? [event.metrics.f1!] : []));
    expect(scores).toHaveLength(10);
    expect(Math.max(...scores)).toBeGreaterThan(0.95);
    expect(endOf(events)).toMatchObject({ reason: 'finished', step: 160, best: { score: Math.max(...scores) } });
    const log = (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    expect(log.filter(({ kind }) => kind === 'step')).toHaveLength(160);
    expect(log.filter(({ kind }) => kind === 'validation')).toHaveLength(10);
  });

  it('stops when validations no longer improve', async () => {
    const events = await run({ epochs: 200, patience: 2 });
    const end = endOf(events);
    expect(end).toMatchObject({ reason: 'no improvement' });
    const validations = events.filter((event) => event.type === 'validation');
    expect(validations.slice(-2).every(({ improved }) => !improved)).toBe(true);
    expect(validations.at(-3)).toMatchObject({ improved: true });
  });

  it('ends within a time budget, with the learning rate down by then', async () => {
    // Without the budget this would go on for hours.
    const events = await run({
      epochs: 1_000_000,
      patience: 0,
      validationsPerEpoch: 1,
      timeBudgetSeconds: 2,
      warmup: 0,
    });
    expect(endOf(events)).toMatchObject({ reason: 'time budget' });
    const log = (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; learningRate: number });
    const rates = log.filter(({ kind }) => kind === 'step').map(({ learningRate }) => learningRate);
    expect(rates.at(-1)!).toBeLessThan(rates[0]! / 2);
  });

  it('validates several times an epoch', async () => {
    const events = await run({ epochs: 2, validationsPerEpoch: 4, patience: 0 });
    expect(events.filter((event) => event.type === 'validation').map(({ step }) => step)).toEqual([
      4, 8, 12, 16, 20, 24, 28, 32,
    ]);
  });

  it('stops between steps when asked, with a checkpoint', async () => {
    const events = await run({ epochs: 10, patience: 0 }, { stopAfter: 5 });
    expect(endOf(events)).toMatchObject({ reason: 'interrupted', step: 5 });
  });

  it('names the step and the first value that is not finite', async () => {
    await expect(run({ epochs: 1 }, { train: rows(64, 1, 7) })).rejects.toThrow(
      /step \d+: the loss is NaN; the first value that is not finite is the input "feature_weights"/,
    );
  });

  it('names the node where numbers leave what float32 holds', async () => {
    const huge = rows(64, 1);
    const weights = huge.columns.feature_weights!;
    if (weights.kind === 'fixed') (weights.values as Float32Array).fill(1e30);
    await expect(run({ epochs: 1, learningRate: 1e30, clipNorm: 0 }, { train: huge })).rejects.toThrow(
      /step \d+: .*(from MatMul|gradient overflowed|from )/,
    );
  });
});
