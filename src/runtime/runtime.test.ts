import { describe, expect, it } from 'vitest';
import { type Tensor, tensorFrom } from '../base/index.ts';
import { GraphBuilder, type Model } from '../graph/index.ts';
import { allocateTensors } from './arena.ts';
import { profileByOperator } from './profile.ts';
import { openSession, type Session } from './session.ts';

/** sum = a + b, product = a · b, both [2, n]. */
function twoOutputs(): Model {
  const graph = new GraphBuilder();
  const a = graph.input('a', 'float32', [2, 'n']);
  const b = graph.input('b', 'float32', [2, 'n']);
  graph.output(graph.add(a, b), { dtype: 'float32', shape: [2, 'n'] }, 'sum');
  graph.output(graph.mul(a, b), { dtype: 'float32', shape: [2, 'n'] }, 'product');
  return graph.build({ name: 'two outputs' });
}

const A = tensorFrom('float32', [1, 2, 3, 4], [2, 2]);
const B = tensorFrom('float32', [5, 6, 7, 8], [2, 2]);

async function withSession<T>(model: Model, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(model, { threads: 1 });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

describe('a session', () => {
  it('says what it takes and gives', () =>
    withSession(twoOutputs(), async ({ inputs, outputs }) => {
      expect(inputs.get('a')).toEqual({ dtype: 'float32', shape: [2, 'n'] });
      expect([...outputs.keys()]).toEqual(['sum', 'product']);
    }));

  it('computes all outputs, or those asked for', () =>
    withSession(twoOutputs(), async (session) => {
      const all = await session.run({ a: A, b: B });
      expect(all.sum!.data).toEqual(Float32Array.of(6, 8, 10, 12));
      expect(all.product!.dims).toEqual([2, 2]);
      expect(Object.keys(await session.run({ a: A, b: B }, { outputs: ['product'] }))).toEqual(['product']);
    }));

  it('writes into the memory it is given', () =>
    withSession(twoOutputs(), async (session) => {
      const target = tensorFrom('float32', [0, 0, 0, 0], [2, 2]);
      const results = await session.run({ a: A, b: B }, { outputs: [], into: { sum: target } });
      expect(results).toEqual({ sum: target });
      expect(results.sum!.data).toBe(target.data);
      expect(target.data).toEqual(Float32Array.of(6, 8, 10, 12));
    }));

  it.each<[string, Record<string, Tensor>, string]>([
    ['a missing input', { a: A }, 'input "b" is missing: expected float32[2, n]'],
    ['an unknown input', { a: A, b: B, c: A }, 'the model has no input "c"; it has "a", "b"'],
    ['another type', { a: A, b: tensorFrom('int64', [1, 2, 3, 4], [2, 2]) }, 'expected float32[2, n], got int64[2, 2]'],
    ['another rank', { a: A, b: tensorFrom('float32', [1]) }, 'expected float32[2, n], got float32[1]'],
    ['another fixed dimension', { a: A, b: tensorFrom('float32', [1], [1, 1]) }, 'got float32[1, 1]'],
  ])('refuses %s', (_, feeds, problem) =>
    withSession(twoOutputs(), (session) => expect(session.run(feeds)).rejects.toThrow(problem)),
  );

  it('refuses outputs that it does not have', () =>
    withSession(twoOutputs(), async (session) => {
      const problem = 'the model has no output "x"; it has "sum", "product"';
      await expect(session.run({ a: A, b: B }, { outputs: ['x'] })).rejects.toThrow(problem);
      await expect(session.run({ a: A, b: B }, { into: { x: A } })).rejects.toThrow(problem);
    }));

  it('refuses to write over what it reads, in whole or in part', () =>
    withSession(twoOutputs(), async (session) => {
      const problem = 'output "sum" would be written over the memory of input "a"';
      await expect(session.run({ a: A, b: B }, { into: { sum: A } })).rejects.toThrow(problem);
      const memory = new Float32Array(6);
      const view = (from: number): Tensor => ({
        dtype: 'float32',
        dims: [2, 2],
        data: memory.subarray(from, from + 4),
      });
      await expect(session.run({ a: view(0), b: B }, { into: { sum: view(2) } })).rejects.toThrow(problem);
      await expect(session.run({ a: view(2), b: B }, { into: { sum: view(0) } })).rejects.toThrow(problem);
    }));

  it('writes beside what it reads in the same memory', () =>
    withSession(twoOutputs(), async (session) => {
      const memory = Float32Array.from([1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8]);
      const view = (from: number): Tensor => ({
        dtype: 'float32',
        dims: [2, 2],
        data: memory.subarray(from, from + 4),
      });
      const [a, between, b] = [view(0), view(4), view(8)];
      await session.run({ a, b }, { into: { sum: between } });
      expect([...memory.subarray(4, 8)]).toEqual([6, 8, 10, 12]);
      for (const from of [3, 5]) {
        await expect(session.run({ a, b }, { into: { sum: view(from) } })).rejects.toThrow('would be written over');
      }
    }));

  it('tells the shapes that a run failed with', () =>
    withSession(twoOutputs(), (session) =>
      expect(session.run({ a: A, b: tensorFrom('float32', [1, 2, 3, 4, 5, 6], [2, 3]) })).rejects.toMatchObject({
        code: 'shape',
        message: expect.stringMatching(
          /ONNX Runtime failed: [\s\S]*Inputs were a float32\[2, 2\], b float32\[2, 3\]\./,
        ),
      }),
    ));

  it('says why a model does not load, and is closed once', async () => {
    await expect(openSession(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'unsupported' });
    await expect(openSession('no-such-model.onnx')).rejects.toThrow('did not load the model "no-such-model.onnx"');
    const session = await openSession(twoOutputs());
    await session.close();
    await session.close();
    await expect(session.run({ a: A, b: B })).rejects.toThrow('the session is closed');
  });
});

describe('allocated tensors', () => {
  it('are zeros on boundaries of 64 bytes that do not overlap', () => {
    const tensors = [
      ...allocateTensors([
        [
          ['a', [3]],
          ['b', []],
        ],
        [['c', [5, 7]]],
        [],
        [
          ['d', [0]],
          ['e', [16]],
        ],
      ]).values(),
    ];
    const views = tensors.map(({ data }) => data as Float32Array);
    expect(views.map(({ length }) => length)).toEqual([3, 1, 35, 0, 16]);
    for (const { byteOffset } of views) expect(byteOffset % 64).toBe(0);
    for (const [index, view] of views.entries()) {
      expect(view.every((value) => value === 0)).toBe(true);
      view.fill(index + 1);
    }
    for (const [index, view] of views.entries()) expect(view.every((value) => value === index + 1)).toBe(true);
  });

  it('keep a group in one memory, and take apart only what fits into none', () => {
    const half = 2 ** 29;
    const tensors = allocateTensors([
      [['first', [half - 64]]],
      [
        ['second', [half - 32]],
        ['with it', [16]],
      ],
      [
        ['huge', [half]],
        ['beside it', [half]],
      ],
    ]);
    const bufferOf = (name: string) => (tensors.get(name)!.data as Float32Array).buffer;
    // The two would just not fit beside the first. (Compared here: a matcher would look into the gigabytes.)
    expect(bufferOf('second') === bufferOf('first')).toBe(false);
    expect(bufferOf('with it') === bufferOf('second')).toBe(true);
    expect(bufferOf('beside it') === bufferOf('huge')).toBe(false);
  });

  it('refuses what does not fit into one block', () => {
    expect(() => allocateTensors([[['huge', [2 ** 30]]]])).toThrow('tensor "huge" has 4294967296 bytes');
  });
});

describe('a profile', () => {
  it('counts the nodes of a run by operator', async () => {
    const costs = await profileByOperator(
      twoOutputs(),
      { a: A, b: B },
      { threads: 1, optimization: 'disabled', runs: 3 },
    );
    expect(costs.map(({ opType, count }) => [opType, count]).sort()).toEqual([
      ['Add', 1],
      ['Identity', 2],
      ['Mul', 1],
    ]);
    expect(costs.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  });
});
