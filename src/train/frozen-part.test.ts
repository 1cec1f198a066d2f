import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numbersOf, random, type Tensor, tensorFrom } from '../base/index.ts';
import { type TensorDataset, tensorDataset } from '../data/index.ts';
import { check, GraphBuilder, ints, type Model, readModel } from '../graph/index.ts';
import { attachLoss, crossEntropy } from '../nn/index.ts';
import { readCheckpoint } from './checkpoint.ts';
import { cutFrozenPart, keepFeatures } from './frozen-part.ts';
import { graphForms } from './graph-forms.ts';
import { runLoop } from './loop.ts';
import { DEFAULT_SETTINGS } from './settings.ts';

const source = random(11);
const normal = (dims: readonly number[]): Tensor =>
  tensorFrom('float32', Array.from({ length: dims.reduce((a, b) => a * b, 1) }, source.normal), dims);

/** Convolution, batch normalization, pool, and a linear layer through a Reshape that reads the shape of its input. */
function network(): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['batch', 2, 6, 6]);
  const convolved = build.op('Conv', [x, build.initializer('conv.weight', normal([4, 2, 3, 3]))]);
  const [normalized] = build.node('BatchNormalization', [
    convolved,
    build.initializer('bn.scale', tensorFrom('float32', [1, 2, 0.5, 1])),
    build.initializer('bn.bias', tensorFrom('float32', [0, 1, 0, -1])),
    build.initializer('bn.mean', tensorFrom('float32', [0.1, 0, 0.2, 0])),
    build.initializer('bn.variance', tensorFrom('float32', [1, 2, 3, 4])),
  ]);
  const pooled = build.op('MaxPool', [build.op('Relu', [normalized!])], { kernel_shape: ints([4, 4]) });
  const shape = build.concat([build.slice(build.shape(pooled), [0], [1], [0]), build.int64s([4])], 0);
  const flat = build.reshape(pooled, shape);
  const logits = build.gemm(
    flat,
    build.initializer('fc.weight', normal([4, 2])),
    build.initializer('fc.bias', normal([2])),
  );
  build.output(logits, { dtype: 'float32', shape: ['batch', 2] }, 'y');
  return build.build();
}

function images(size: number): TensorDataset {
  const values = Float32Array.from({ length: size * 72 }, source.normal);
  const labels = Int32Array.from({ length: size }, (_, row) =>
    values[row * 72]! > 0 ? 1 : values[row * 72 + 1]! > 0 ? 2 : 0,
  );
  return tensorDataset({
    x: { kind: 'fixed', values, dims: [2, 6, 6], dtype: 'float32' },
    labels: { kind: 'fixed', values: labels, dims: [], dtype: 'int64' },
  });
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-frozen-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function trained(
  model: Model,
  name: string,
  trainable: readonly string[],
  train: TensorDataset,
  validation: TensorDataset,
) {
  const withLoss = attachLoss(model, crossEntropy(), { predictions: 'y', labels: 'labels' });
  await runLoop(
    {
      training: withLoss,
      inference: withLoss,
      trainable,
      train,
      validation,
      labels: 'labels',
      predictions: 'y',
      objective: { kind: 'classification', labels: ['a', 'b', 'c'] },
      settings: { ...DEFAULT_SETTINGS, epochs: 4, batchSize: 16, learningRate: 0.02, patience: 0, threads: 1 },
      folder: join(folder, name),
      fingerprint: name,
      resume: false,
    },
    { emit: () => {}, shouldStop: () => false },
  );
  const metrics = (await readFile(join(folder, name, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const { tensors } = (await readCheckpoint(join(folder, name, 'checkpoints', 'last.safetensors')))!;
  return { tensors, last: JSON.parse(metrics.at(-1)!) as { loss: number; accuracy: number } };
}

describe('a model that is cut behind its frozen part', () => {
  it('is trained on kept features as with the frozen part in every step', async () => {
    const forms = graphForms(network(), { classes: 3 });
    const cut = cutFrozenPart(forms.validationForm!, forms.head);
    check(cut.frozen);
    check(cut.rest);
    expect(cut.rest.graph.nodes.map(({ opType }) => opType)).toEqual(['Gemm', 'Identity']);
    expect([...cut.frozen.graph.initializers.keys()]).not.toContain('fc.weight');
    const [train, validation] = [images(100), images(20)];
    const seen: number[] = [];
    const kept = await keepFeatures(cut, train, { batchSize: 32, onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([32, 64, 96, 100]);
    expect(Object.keys(kept.columns)).toEqual([...cut.features, 'labels']);
    const whole = await trained(forms.validationForm!, 'whole', forms.head, train, validation);
    const rest = await trained(cut.rest, 'rest', forms.head, kept, await keepFeatures(cut, validation));
    for (const name of ['fc.weight', 'fc.bias']) {
      const expected = numbersOf(whole.tensors.get(name)!);
      for (const [at, value] of numbersOf(rest.tensors.get(name)!).entries())
        expect(Math.abs(value - expected[at]!), name).toBeLessThan(1e-5);
    }
    expect(rest.last.loss).toBeCloseTo(whole.last.loss, 5);
  });

  it('keeps what comes before any trained parameter', () => {
    const forms = graphForms(network(), { classes: 3 });
    const cut = cutFrozenPart(forms.validationForm!, ['bn.scale', 'bn.bias', ...forms.head]);
    expect(cut.frozen.graph.nodes.map(({ opType }) => opType)).toEqual(['Conv']);
    check(cut.rest);
    expect(() => cutFrozenPart(forms.validationForm!, ['conv.weight'])).toThrow(/no part of the model comes before/);
  });

  it('says where the features have no fixed size', async () => {
    const path = new URL('../../tests/fixtures/exported-text/features.onnx', import.meta.url);
    const forms = graphForms(await readModel(path.pathname), { classes: 2, mask: 'attention_mask' });
    expect(cutFrozenPart(forms.validationForm!, forms.head).rest.graph.nodes).toHaveLength(1);
    const layer = 'model.encoder.layer.1.output.LayerNorm.weight';
    expect(() => cutFrozenPart(forms.validationForm!, [layer])).toThrow(
      /is float32\[batch, sequence, 32\]: what the trained part reads should be a row of fixed size/,
    );
  });
});
