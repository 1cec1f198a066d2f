import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorFrom } from '../../src/base/index.ts';
import { softTargets, teacherOutputs } from '../../src/compress/index.ts';
import { gatherBatch, type TensorDataset, tensorDataset } from '../../src/data/index.ts';
import { GraphBuilder, type Model } from '../../src/graph/index.ts';
import { crossEntropy, distillation, type Loss, linear, linearModel } from '../../src/nn/index.ts';
import { type FeatureExtractor, type Pipeline, pipelineOver, TASKS } from '../../src/pipeline/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { type TrainOptions, train, trainedModel } from '../../src/train/index.ts';
import { digitPixels } from '../images/digits.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-distillation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LABELS = Array.from({ length: 10 }, (_, digit) => String(digit));

/** Digits `from` to `to` of each kind. */
async function digits(from: number, to: number): Promise<TensorDataset> {
  const pixels: Uint8Array[] = [];
  const labels: number[] = [];
  for (let digit = 0; digit < 10; digit++) {
    for (const image of (await digitPixels(digit, to)).slice(from)) {
      pixels.push(image);
      labels.push(digit);
    }
  }
  const values = Float32Array.from(
    pixels.flatMap((image) => [...image]),
    (level) => level / 255,
  );
  return tensorDataset({
    pixels: { kind: 'fixed', values, dims: [784], dtype: 'float32' },
    labels: { kind: 'fixed', values: Int32Array.from(labels), dims: [], dtype: 'int64' },
  });
}

/** 784 → hidden → 10. */
function perceptron(hidden: number, seed: number): Model {
  const graph = new GraphBuilder();
  const build = { graph, form: 'inference', seed } as const;
  const x = graph.input('pixels', 'float32', ['batch', 784]);
  const initialization = { normal: 0.05 };
  const first = linear(build, x, 'first', { inputs: 784, outputs: hidden, initialization });
  const second = linear(build, graph.op('Relu', [first]), 'second', { inputs: hidden, outputs: 10, initialization });
  graph.output(second, { dtype: 'float32', shape: ['batch', 10] }, 'logits');
  return graph.build();
}

async function trained(
  name: string,
  model: Model,
  data: TrainOptions['data'],
  losses: { readonly loss: Loss; readonly validationLoss?: Loss },
  epochs = 40,
): Promise<Model> {
  const run = join(folder, name);
  const events = train({
    model,
    ...losses,
    data,
    objective: { kind: 'classification', labels: LABELS },
    settings: { epochs, batchSize: 16, learningRate: 3e-3, patience: 0, threads: 1 },
    folder: run,
  });
  for await (const _ of events);
  return trainedModel(model, run);
}

async function logitsOf(model: Model, data: TensorDataset): Promise<Float32Array> {
  const session = await openSession(model, { threads: 1 });
  const {
    labels: _,
    teacher: __,
    ...feeds
  } = gatherBatch(
    data,
    Int32Array.from({ length: data.size }, (_, at) => at),
  );
  const { logits } = await session.run(feeds);
  await session.close();
  return logits!.data as Float32Array;
}

const choices = (logits: Float32Array): number[] =>
  Array.from({ length: logits.length / 10 }, (_, row) => {
    const scores = [...logits.subarray(row * 10, row * 10 + 10)];
    return scores.indexOf(Math.max(...scores));
  });

describe('a student that learns from the predictions of a teacher', () => {
  it('agrees with the teacher on digits more than one that learns from labels alone', async () => {
    const [many, few, validation, test] = [
      await digits(0, 150),
      await digits(150, 165),
      await digits(250, 270),
      await digits(300, 400),
    ];
    const own = crossEntropy();
    const teacher = await trained('teacher', perceptron(64, 1), { train: many, validation }, { loss: own }, 6);
    const values = await logitsOf(teacher, few);
    const taught = tensorDataset({
      ...few.columns,
      teacher: { kind: 'fixed', values, dims: [10], dtype: 'float32' },
    });
    const loss = distillation(own, { teacher: softTargets('image-classification', { temperature: 4 }), alpha: 0.9 });
    const student = perceptron(12, 2);
    const alone = await trained('alone', student, { train: few, validation }, { loss: own });
    const distilled = await trained('distilled', student, { train: taught, validation }, { loss, validationLoss: own });
    const expected = choices(await logitsOf(teacher, test));
    const agreement = async (model: Model): Promise<number> => {
      const chosen = choices(await logitsOf(model, test));
      return chosen.filter((choice, row) => choice === expected[row]).length / test.size;
    };
    const [byLabels, byTeacher] = [await agreement(alone), await agreement(distilled)];
    expect(byLabels).toBeGreaterThan(0.5);
    expect(byTeacher).toBeGreaterThan(byLabels + 0.02);
  });
});

/** A model of texts whose "tokens" are lengths of words: logits are by their first. */
async function wordLengths(): Promise<Pipeline> {
  const weights = new Map([
    ['linear.weight', tensorFrom('float32', [0, 0, 1, -1, 2, -2, 3, -3], [4, 2])],
    ['linear.bias', tensorFrom('float32', [0.5, 0])],
  ]);
  const features = {
    spec: { kind: 'n-grams' },
    extract: (texts: readonly string[]) => ({
      truncated: 0,
      dataset: tensorDataset({
        feature_ids: {
          kind: 'fixed',
          values: Int32Array.from(texts, ({ length }) => length),
          dims: [1],
          dtype: 'int64',
        },
        feature_weights: { kind: 'fixed', values: new Float32Array(texts.length).fill(1), dims: [1], dtype: 'float32' },
      }),
    }),
  } as unknown as FeatureExtractor;
  return pipelineOver({
    task: TASKS['text-classification'],
    labels: ['long', 'short'],
    pipeline: {
      input: 'text',
      steps: [],
      features: { kind: 'n-grams' },
      output: { name: 'logits', scores: 'softmax' },
    },
    features,
    session: await openSession(linearModel({ vocabularySize: 4, labels: 2, weights })),
  });
}

describe('the outputs of a teacher', () => {
  it('are logits by example, in the order of the examples', async () => {
    const teacher = await wordLengths();
    const progress: number[] = [];
    const texts = ['abc', 'a', 'ab', 'abc', 'a'];
    const column = await teacherOutputs(
      teacher,
      texts.map((text) => ({ text })),
      { prepared: true, batchSize: 2, onProgress: (done) => progress.push(done) },
    );
    await teacher.close();
    expect(column.dims).toEqual([2]);
    expect([...column.values]).toEqual([3.5, -3, 1.5, -1, 2.5, -2, 3.5, -3, 1.5, -1]);
    expect(progress.at(-1)).toBe(5);
  });

  it('are refused where they are not by example', async () => {
    const teacher = await wordLengths();
    const windows = {
      ...teacher,
      readAs: async (...given: Parameters<Pipeline['readAs']>) => {
        const readings = await teacher.readAs(...given);
        return { ...readings, encoded: { ...readings.encoded, exampleOf: Int32Array.of(0, 0) } };
      },
    } as Pipeline;
    await expect(teacherOutputs(windows, [{ text: 'a' }, { text: 'b' }], { prepared: true })).rejects.toThrow(
      'text-classification: the teacher does not give one row of equal size an example',
    );
    await teacher.close();
  });

  it('have no loss for tasks that give other things', () => {
    expect(() => softTargets('question-answering')).toThrow('question-answering is not one of text-classification');
  });
});
