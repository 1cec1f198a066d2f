import { describe, expect, it } from 'vitest';
import { gradient } from '../../autodiff/index.ts';
import { numbersOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { check, type Model, tensorOf } from '../../graph/index.ts';
import { attachLoss, bert, crossEntropy, dropoutMasks, IMAGE_ARCHITECTURES, presetConfig } from '../../nn/index.ts';
import { openSession } from '../../runtime/index.ts';
import { type InnerMethod, innerDistance, withDistance, withoutDropout } from './inner-distance.ts';
import { TEACHER_PREFIX } from './joint-graph.ts';
import { studentLayers } from './student-layers.ts';
import { transformerValues } from './transformer-values.ts';

interface Sizes {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly seed: number;
}

function encoder({ layers, hidden, heads, seed }: Sizes, form: 'inference' | 'training' = 'inference'): Model {
  const config = presetConfig('bert-tiny', { vocabularySize: 30, labels: ['a', 'b'], maximumPositions: 16 });
  const sizes = { hidden_size: hidden, intermediate_size: 2 * hidden, num_attention_heads: heads };
  return bert(
    { ...config, ...sizes, num_hidden_layers: layers, initializer_range: 0.5 },
    { form, seed, everyRow: true },
  );
}

const STUDENT = { layers: 2, hidden: 8, heads: 2, seed: 1 };
const TEACHER = { layers: 4, hidden: 12, heads: 3, seed: 2 };

const FEEDS: Readonly<Record<string, Tensor>> = {
  input_ids: tensorFrom('int64', [5, 6, 7, 8, 9, 10, 0, 0], [2, 4]),
  attention_mask: tensorFrom('int64', [1, 1, 1, 1, 1, 1, 0, 0], [2, 4]),
  token_type_ids: tensorFrom('int64', [0, 0, 0, 0, 0, 0, 0, 0], [2, 4]),
};
const LABELS = { labels: tensorFrom('int64', [0, 1]) };

async function run(model: Model, outputs: readonly string[], feeds = FEEDS): Promise<Record<string, number[]>> {
  const graph = { ...model.graph, outputs: outputs.map((name) => ({ name })) };
  const session = await openSession({ ...model, graph }, { threads: 1 });
  const results = await session.run(feeds);
  await session.close();
  return Object.fromEntries(outputs.map((name) => [name, numbersOf(results[name]!)]));
}

/** The loss of a distance alone, or of what it is added to. */
function lossOf(method: InnerMethod, student: Model, teacher: Model, factors = { factor: 1, own: 0 }) {
  const distance = innerDistance(method, student, teacher, { seed: 3 });
  const loss = withDistance(crossEntropy(), distance, factors);
  const model = attachLoss(distance.model, loss, { predictions: 'logits', labels: 'labels' });
  check(model);
  return { distance, model };
}

const meanSquare = (ours: readonly number[], theirs: readonly number[]): number =>
  ours.reduce((sum, value, at) => sum + (value - theirs[at]!) ** 2, 0) / ours.length;

describe('what a student and a teacher are compared by', () => {
  it('is, for TinyBERT, each layer with the last of its share of the teacher’s', async () => {
    const [student, teacher] = [encoder(STUDENT), encoder(TEACHER)];
    const { distance, model } = lossOf('tinybert', student, teacher);
    expect(distance.parameters).toEqual(['distillation.projection.weight', 'distillation.projection.bias']);
    const [weight] = distance.parameters.map((name) =>
      numbersOf(tensorOf(distance.model.graph.initializers.get(name)!)),
    );
    const [own, theirs] = [transformerValues(student), transformerValues(teacher)];
    const ours = await run(student, [own.embeddings, ...own.states, ...own.attention.map(({ scores }) => scores)]);
    const others = await run(teacher, [
      theirs.embeddings,
      ...theirs.states,
      ...theirs.attention.map(({ scores }) => scores),
    ]);
    const projected = (states: readonly number[]): number[] =>
      Array.from({ length: 8 * 12 }, (_, at) => {
        const [row, column] = [Math.floor(at / 12), at % 12];
        return [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, k) => sum + states[row * 8 + k]! * weight![column * 8 + k]!, 0);
      });
    /** The mean over the heads, without the scores of padding. */
    const compared = (scores: readonly number[], heads: number): number[] =>
      Array.from({ length: 2 * 16 }, (_, at) => {
        const [example, place, column] = [Math.floor(at / 16), at % 16, at % 4];
        if (example === 1 && column > 1) return 0;
        let sum = 0;
        for (let head = 0; head < heads; head++) sum += scores[(example * heads + head) * 16 + place]!;
        return sum / heads;
      });
    let expected = meanSquare(projected(ours[own.embeddings]!), others[theirs.embeddings]!);
    for (const [layer, other] of [
      [0, 1],
      [1, 3],
    ] as const) {
      expected += meanSquare(projected(ours[own.states[layer]!]!), others[theirs.states[other]!]!);
      expected += meanSquare(
        compared(ours[own.attention[layer]!.scores]!, 2),
        compared(others[theirs.attention[other]!.scores]!, 3),
      );
    }
    const { loss } = await run(model, ['loss'], { ...FEEDS, ...LABELS });
    expect(Math.abs(loss![0]! - expected)).toBeLessThanOrEqual(1e-5 * expected);
  });

  it('is, for MiniLM, the relations of what the layers give before any scale, cut into common heads', async () => {
    const models = [encoder(STUDENT), encoder(TEACHER)];
    const { model } = lossOf('minilm', models[0]!, models[1]!);
    /** Of each head and pair of tokens of the first example, which has no padding, and of the two tokens of the second. */
    const relations = async (of: Model, { hidden, heads }: Sizes, from: 'query' | 'value', to: 'key' | 'value') => {
      const last = transformerValues(of).attention.at(-1)!;
      const values = await run(of, [last[from].value, last[to].value]);
      // BERT divides scores by the root of a head's width: in these graphs, the query is divided.
      const raise = from === 'query' ? Math.sqrt(hidden / heads) : 1;
      const size = hidden / 2;
      return [0, 1].flatMap((head) =>
        [0, 1, 2, 3, 4, 5].map((row) => {
          const seen = row < 4 ? [0, 1, 2, 3] : [4, 5];
          const scores = seen.map((column) => {
            let product = 0;
            for (let at = head * size; at < (head + 1) * size; at++) {
              product += values[last[from].value]![row * hidden + at]! * values[last[to].value]![column * hidden + at]!;
            }
            return (raise * product) / Math.sqrt(size);
          });
          const highest = Math.max(...scores);
          const sum = scores.reduce((total, score) => total + Math.exp(score - highest), 0);
          return scores.map((score) => Math.exp(score - highest) / sum);
        }),
      );
    };
    let expected = 0;
    for (const [from, to] of [
      ['query', 'key'],
      ['value', 'value'],
    ] as const) {
      const ours = await relations(models[0]!, STUDENT, from, to);
      const theirs = await relations(models[1]!, TEACHER, from, to);
      const rows = theirs.map((row, at) => row.reduce((sum, p, k) => sum + p * Math.log(p / ours[at]![k]!), 0));
      expected += rows.reduce((sum, row) => sum + row, 0) / rows.length;
    }
    const { loss } = await run(model, ['loss'], { ...FEEDS, ...LABELS });
    expect(expected).toBeGreaterThan(0.01);
    expect(Math.abs(loss![0]! - expected)).toBeLessThanOrEqual(1e-4 * expected);
  });

  it.each([
    ['tinybert', STUDENT, ['distillation.projection.weight', 'bert.embeddings.word_embeddings.weight']],
    ['minilm', STUDENT, ['bert.encoder.layer.1.attention.self.query.weight']],
    ['distilbert', { ...STUDENT, hidden: 12, heads: 3 }, ['bert.encoder.layer.1.output.LayerNorm.weight']],
  ] as const)('moves the student, and the teacher stays: %s', async (method, sizes, names) => {
    const { model } = lossOf(method, encoder(sizes), encoder(TEACHER));
    const gradients = gradient(model, { of: 'loss', withRespectTo: names });
    const outputs = names.map((name) => `${name}_grad`);
    const got = await run(gradients, outputs, { ...FEEDS, ...LABELS });
    for (const name of outputs)
      expect(
        got[name]!.some((value) => value !== 0),
        name,
      ).toBe(true);
  });

  it('is nothing between a model and itself', async () => {
    const model = encoder(STUDENT);
    for (const method of ['minilm', 'distilbert'] as const) {
      const { loss } = await run(lossOf(method, model, model).model, ['loss'], { ...FEEDS, ...LABELS });
      expect(Math.abs(loss![0]!), method).toBeLessThan(1e-6);
    }
  });

  it('is the same in a training form without its dropout', async () => {
    const [form, teacher] = [encoder(STUDENT, 'training'), encoder(TEACHER)];
    expect(dropoutMasks(form).length).toBeGreaterThan(0);
    const still = withoutDropout(form);
    expect(dropoutMasks(still)).toEqual([]);
    const { distance } = lossOf('tinybert', form, teacher);
    // The distance of the one is that of the other: values have the same names in both.
    const validation = innerDistance('tinybert', still, teacher, { seed: 3 });
    const loss = withDistance(crossEntropy(), distance, { factor: 1, own: 0 });
    const model = attachLoss(validation.model, loss, { predictions: 'logits', labels: 'labels' });
    const plain = lossOf('tinybert', encoder(STUDENT), teacher).model;
    const [one, other] = [model, plain].map((each) => run(each, ['loss'], { ...FEEDS, ...LABELS }));
    expect((await one!).loss![0]).toBeCloseTo((await other!).loss![0]!, 4);
  });

  it('is added to what the task has by itself', async () => {
    const [student, teacher] = [encoder(STUDENT), encoder(TEACHER)];
    const value = async (factors: { factor: number; own: number }): Promise<number> =>
      (await run(lossOf('minilm', student, teacher, factors).model, ['loss'], { ...FEEDS, ...LABELS })).loss![0]!;
    const [distance, own] = [await value({ factor: 1, own: 0 }), await value({ factor: 0, own: 1 })];
    expect(await value({ factor: 3, own: 2 })).toBeCloseTo(3 * distance + 2 * own, 4);
  });

  it('is, for CWD, the last maps of features, through a projection where channels differ', async () => {
    const build = IMAGE_ARCHITECTURES['resnet-8'].build;
    const [student, teacher] = [1, 2].map((seed) => build({ channels: 1, side: 16, classes: 2, seed }));
    const { distance, model } = lossOf('cwd', student!, teacher!);
    expect(distance.parameters).toEqual([]);
    const feeds = {
      pixel_values: tensorFrom(
        'float32',
        Array.from({ length: 2 * 256 }, (_, at) => Math.sin(at * at)),
        [2, 1, 16, 16],
      ),
      ...LABELS,
    };
    expect((await run(model, ['loss'], feeds)).loss![0]).toBeGreaterThan(0);
    const same = lossOf('cwd', student!, student!).model;
    expect(Math.abs((await run(same, ['loss'], feeds)).loss![0]!)).toBeLessThan(1e-6);
    const names = [...model.graph.initializers.keys()].filter((name) => name.startsWith(TEACHER_PREFIX));
    expect(names.length).toBeGreaterThan(10);
  });

  it.each([
    ['tinybert', { ...STUDENT, layers: 3 }, 'tinybert: 4 layers of the teacher are no multiple of 3 of the student'],
    ['distilbert', STUDENT, 'distilbert: the states of the student are 8 wide, those of the teacher 12'],
    ['cwd', STUDENT, 'has no map of features before a pool over all of its places'],
  ] as const)('is refused: %s', (method, sizes, reason) => {
    expect(() => innerDistance(method, encoder(sizes), encoder(TEACHER), { seed: 1 })).toThrow(reason);
  });
});

describe('the layers that a student begins with', () => {
  it.each([
    [12, 6, [0, 2, 4, 7, 9, 11]],
    [12, 12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    [4, 2, [0, 3]],
    [4, 1, [0]],
  ])('of %i for %i', (count, wanted, expected) => {
    expect(studentLayers(count, wanted)).toEqual(expected);
  });

  it('are no more than there are', () => {
    expect(() => studentLayers(4, 5)).toThrow('layers of the student: expected 1 to 4');
    expect(() => studentLayers(4, 0)).toThrow('layers of the student: expected 1 to 4');
  });
});
