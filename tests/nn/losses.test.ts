import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { LatheError, numbersOf, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { GraphBuilder, type Model, type Shape } from '../../src/graph/index.ts';
import {
  attachLoss,
  binaryCrossEntropy,
  binaryHinge,
  classRelations,
  crossEntropy,
  distillation,
  huber,
  klDivergence,
  type Loss,
  meanSquaredError,
  multiclassHinge,
  softBinaryCrossEntropy,
  softCrossEntropy,
} from '../../src/nn/index.ts';
import { openSession, type Session } from '../../src/runtime/index.ts';

const LOSSES: Readonly<Record<string, (options?: Readonly<Record<string, unknown>>) => Loss>> = {
  crossEntropy,
  softCrossEntropy,
  meanSquaredError,
  huber,
  binaryCrossEntropy,
  binaryHinge,
  multiclassHinge,
  klDivergence,
  softBinaryCrossEntropy,
  classRelations,
  distillation: ({ alpha, temperature, classWeights } = {}) =>
    distillation(crossEntropy(classWeights === undefined ? {} : { classWeights: classWeights as readonly number[] }), {
      teacher: klDivergence({ temperature: temperature as number }),
      alpha: alpha as number,
    }),
};

/** By fixtures/losses.py: PyTorch in float64. */
interface Case {
  readonly loss: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly shape: readonly number[];
  readonly predictions: readonly number[];
  readonly labelShape: readonly number[];
  readonly labels: readonly number[];
  readonly value: number;
  readonly weight: number;
  readonly gradient: readonly number[];
}

const CASES = JSON.parse(readFileSync(new URL('fixtures/losses.json', import.meta.url), 'utf8')) as readonly Case[];

/** A model whose output is its one parameter. */
function identityModel(shape: Shape): Model {
  const graph = new GraphBuilder();
  graph.output(graph.identity(graph.input('x', 'float32', shape)), { dtype: 'float32', shape }, 'predictions');
  return graph.build();
}

const sessions: Session[] = [];
afterAll(async () => {
  for (const session of sessions) await session.close();
});

async function evaluate(
  loss: Loss,
  feeds: Readonly<Record<string, Tensor>>,
  options: { readonly weights?: string } = {},
): Promise<{ loss: number; weight: number; gradient: number[] }> {
  const dims = feeds.x!.dims;
  const shape = dims.map((dim, axis) => (axis === 0 ? 'batch' : dim));
  const model = attachLoss(identityModel(shape), loss, { predictions: 'predictions', labels: 'labels', ...options });
  const session = await openSession(gradient(model, { of: 'loss', withRespectTo: ['x'] }), { threads: 1 });
  sessions.push(session);
  const outputs = await session.run(feeds);
  return {
    loss: numbersOf(outputs.loss!)[0]!,
    weight: numbersOf(outputs.loss_weight!)[0]!,
    gradient: numbersOf(outputs.x_grad!),
  };
}

function feedsOf(test: Case, loss: Loss): Record<string, Tensor> {
  const { dtype } = loss.labels(test.shape);
  return {
    x: tensorFrom('float32', test.predictions, test.shape),
    labels: tensorFrom(dtype as 'float32', test.labels, test.labelShape),
    ...(Array.isArray(test.options.teacher) && {
      teacher: tensorFrom('float32', test.options.teacher as number[], test.shape),
    }),
  };
}

const describeOptions = ({ teacher, ...options }: Case['options']): string =>
  JSON.stringify(Array.isArray(teacher) ? options : { ...options, ...(teacher !== undefined && { teacher }) });

describe('losses and their gradients equal PyTorch', () => {
  it.each(CASES.map((test) => [`${test.loss} [${test.shape}] ${describeOptions(test.options)}`, test] as const))(
    '%s',
    async (_, test) => {
      const loss = LOSSES[test.loss]!(test.options);
      const got = await evaluate(loss, feedsOf(test, loss));
      // Both compute in float32 from inputs that float32 holds exactly: a few roundings of the largest term.
      expect(Math.abs(got.loss - test.value)).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(test.value)));
      expect(Math.abs(got.weight - test.weight)).toBeLessThanOrEqual(1e-6);
      const largest = Math.max(...test.gradient.map(Math.abs));
      const error = Math.max(...test.gradient.map((value, index) => Math.abs(value - got.gradient[index]!)));
      expect(error).toBeLessThanOrEqual(2e-6 * Math.max(largest, 1e-3));
    },
  );
});

it('covers every loss', () => {
  expect(new Set(CASES.map(({ loss }) => loss))).toEqual(new Set(Object.keys(LOSSES)));
});

describe('joining batches', () => {
  const x = [0.5, -1, 2, 0.25, 1, -0.5, 0, 3];
  const batch = (from: number, to: number, labels: readonly number[]): Record<string, Tensor> => ({
    x: tensorFrom('float32', x.slice(2 * from, 2 * to), [to - from, 2]),
    labels: tensorFrom('int64', labels.slice(from, to)),
  });

  it('joins batches of unequal size exactly by loss_weight', async () => {
    const loss = crossEntropy({ classWeights: [1, 3], labelSmoothing: 0.1 });
    const labels = [1, 0, -100, 1];
    const whole = await evaluate(loss, batch(0, 4, labels));
    const parts = [await evaluate(loss, batch(0, 3, labels)), await evaluate(loss, batch(3, 4, labels))];
    const weight = parts.reduce((sum, part) => sum + part.weight, 0);
    expect(weight).toBeCloseTo(whole.weight, 6);
    expect(parts.reduce((sum, part) => sum + (part.loss * part.weight) / weight, 0)).toBeCloseTo(whole.loss, 6);
    const joined = parts.flatMap((part) => part.gradient.map((value) => (value * part.weight) / weight));
    for (const [index, value] of joined.entries()) expect(value).toBeCloseTo(whole.gradient[index]!, 6);
  });

  it('gives zeros where no example counts', async () => {
    const { loss, weight, gradient: gradients } = await evaluate(crossEntropy(), batch(0, 4, [-100, -100, -100, -100]));
    expect([loss, weight]).toEqual([0, 0]);
    expect(gradients.map(Math.abs)).toEqual(new Array(8).fill(0));
  });

  it.each([
    ['crossEntropy', crossEntropy({ classWeights: [1, 3] }), 'int64', [1, 0, 1, 1]],
    ['multiclassHinge', multiclassHinge(), 'int64', [1, 0, 1, 1]],
  ] as const)('weighs examples: %s with weight 2 is an example twice', async (_, loss, dtype, labels) => {
    const feeds = (rows: readonly number[]): Record<string, Tensor> => ({
      x: tensorFrom(
        'float32',
        rows.flatMap((row) => x.slice(2 * row, 2 * row + 2)),
        [rows.length, 2],
      ),
      labels: tensorFrom(
        dtype,
        rows.map((row) => labels[row]!),
      ),
    });
    const twice = await evaluate(loss, feeds([0, 0, 1, 3]));
    const weighted = await evaluate(
      loss,
      { ...feeds([0, 1, 2, 3]), amounts: tensorFrom('float32', [2, 1, 0, 1]) },
      { weights: 'amounts' },
    );
    expect(weighted.loss).toBeCloseTo(twice.loss, 6);
    expect(weighted.weight).toBeCloseTo(twice.weight, 6);
  });
});

describe('refusals', () => {
  const model = identityModel(['batch', 3]);
  const names = { predictions: 'predictions', labels: 'labels' };
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof LatheError) return `${error.code}: ${error.message.split('\n')[0]}`;
      throw error;
    }
    return 'nothing was thrown';
  };

  it.each([
    [
      () => attachLoss(model, crossEntropy(), { ...names, predictions: 'logits' }),
      'not-found: cross entropy: the model has no output "logits"; it has "predictions"',
    ],
    [
      () => attachLoss(model, crossEntropy(), { ...names, labels: 'x' }),
      'usage: cross entropy: the model has a value "x" already',
    ],
    [
      () => attachLoss(attachLoss(model, huber(), names), huber(), { ...names, labels: 'other' }),
      'usage: Huber: the model has a value "loss" already',
    ],
    [
      () => attachLoss(model, crossEntropy({ classWeights: [1, 2] }), names),
      'shape: cross entropy: the model has 3 classes, got 2 class weights',
    ],
    [
      () => attachLoss(identityModel(['batch']), crossEntropy(), names),
      'shape: cross entropy: expected logits [batch, …, classes], got 1 dimensions',
    ],
    [
      () => attachLoss(identityModel(['batch']), multiclassHinge(), names),
      'shape: multi-class hinge: expected scores [batch, classes], got 1 dimensions',
    ],
    [
      () => attachLoss(model, distillation(crossEntropy(), { teacher: huber(), alpha: 1, column: 'x' }), names),
      'usage: cross entropy with Huber to a teacher: the model has a value "x" already',
    ],
    [
      () =>
        attachLoss(
          identityModel(['batch', 4, 3]),
          distillation(crossEntropy(), { teacher: meanSquaredError(), alpha: 1 }),
          names,
        ),
      'shape: cross entropy with mean squared error to a teacher: one has a term for each of [batch,4], the other for [batch]',
    ],
    [
      () => distillation(crossEntropy(), { teacher: huber(), alpha: 1.1 }),
      'usage: distillation: alpha should be from 0 to 1, got 1.1',
    ],
    [() => crossEntropy({ labelSmoothing: 1 }), 'usage: cross entropy: label smoothing should be in [0, 1), got 1'],
    [
      () => crossEntropy({ classWeights: [1, -1] }),
      'usage: cross entropy: class weights should be 0 or more, got 1, -1',
    ],
    [() => huber({ delta: 0 }), 'usage: Huber: delta should be a number above 0, got 0'],
    [
      () => klDivergence({ temperature: Number.NaN }),
      'usage: KL divergence: temperature should be a number above 0, got NaN',
    ],
    [() => binaryHinge({ margin: -1 }), 'usage: binary hinge: margin should be a number above 0, got -1'],
    [
      () => binaryCrossEntropy({ positiveWeights: [-1] }),
      'usage: binary cross entropy: positive weights should be 0 or more, got -1',
    ],
  ])('%#: %s', (run, expected) => {
    expect(message(run)).toBe(expected);
  });
});
