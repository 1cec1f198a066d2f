import { describe, expect, it } from 'vitest';
import { type DataType, type Tensor, tensorFrom } from '../base/index.ts';
import { int, ints, string } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import { graphCosts } from './costs.ts';
import type { Model } from './ir.ts';

const zeros = (dtype: DataType, dims: readonly number[]): Tensor =>
  tensorFrom(dtype as 'float32', new Array<number>(dims.reduce((product, dim) => product * dim, 1)).fill(0), dims);

/** A model of one node over x; other inputs are weights. */
function single(
  node: { op: string; domain?: string; attributes?: Parameters<GraphBuilder['op']>[2] },
  x: { dtype: DataType; shape: readonly (number | string)[] },
  ...weights: readonly (Tensor | 'x')[]
): Model {
  const graph = new GraphBuilder();
  graph.input('x', x.dtype, x.shape);
  const inputs = weights.map((weight, at) => (weight === 'x' ? 'x' : graph.initializer(`w${at}`, weight)));
  const [y] = graph.node(node.op, inputs, {
    ...(node.domain && { domain: node.domain }),
    ...(node.attributes && { attributes: node.attributes }),
  });
  graph.output(y!, undefined, 'y');
  return graph.build();
}

const f32 = (...shape: (number | string)[]) => ({ dtype: 'float32' as const, shape });
const u8 = (...shape: (number | string)[]) => ({ dtype: 'uint8' as const, shape });
const scale = tensorFrom('float32', 1);
const zeroU8 = tensorFrom('uint8', [0], []);
const zeroI8 = tensorFrom('int8', [0], []);

describe('MACs of a product', () => {
  it.each<[string, Model, Record<string, number>, number, number]>([
    // [2·5, 3] by [3, 4]: 10 rows × 4 columns × 3; results float32 [2, 5, 4].
    ['MatMul', single({ op: 'MatMul' }, f32('b', 5, 3), 'x', zeros('float32', [3, 4])), { b: 2 }, 120, 160],
    // A transposed: [6, 2] → [2, 6] by [6, 7]
    [
      'Gemm',
      single({ op: 'Gemm', attributes: { transA: int(1) } }, f32(6, 'n'), 'x', zeros('float32', [6, 7])),
      { n: 2 },
      84,
      56,
    ],
    // 8 outputs in 2 groups of 3 inputs, 3 × 3 taps, 10 × 10 → 8 × 8: 8·64 elements × 27.
    [
      'Conv',
      single({ op: 'Conv', attributes: { group: int(2) } }, f32('n', 6, 10, 10), 'x', zeros('float32', [8, 3, 3, 3])),
      { n: 1 },
      13_824,
      2048,
    ],
    // 4 × 5 × 5 input elements, each to 3 outputs × 2 × 2 taps: 100 × 12; output 3 × 10 × 10.
    [
      'ConvTranspose',
      single(
        { op: 'ConvTranspose', attributes: { strides: ints([2, 2]) } },
        f32(1, 4, 5, 5),
        'x',
        zeros('float32', [4, 3, 2, 2]),
      ),
      {},
      1200,
      1200,
    ],
    // b, h, i, j, k = 2, 3, 4, 6, 5
    [
      'Einsum',
      single(
        { op: 'Einsum', attributes: { equation: string('bhik,hkj->bhij') } },
        f32('b', 3, 4, 5),
        'x',
        zeros('float32', [3, 5, 6]),
      ),
      { b: 2 },
      720,
      576,
    ],
    ['MatMulInteger', single({ op: 'MatMulInteger' }, u8(10, 3), 'x', zeros('int8', [3, 4])), {}, 120, 160],
    [
      'ConvInteger',
      single({ op: 'ConvInteger' }, u8(1, 2, 4, 4), 'x', zeros('int8', [5, 2, 3, 3])),
      {},
      5 * 4 * 18,
      80,
    ],
    // Results of 8 bits.
    [
      'QLinearMatMul',
      single(
        { op: 'QLinearMatMul' },
        u8(10, 3),
        'x',
        scale,
        zeroU8,
        zeros('int8', [3, 4]),
        scale,
        zeroI8,
        scale,
        zeroU8,
      ),
      {},
      120,
      40,
    ],
    [
      'QLinearConv',
      single(
        { op: 'QLinearConv' },
        u8(1, 2, 4, 4),
        'x',
        scale,
        zeroU8,
        zeros('int8', [5, 2, 3, 3]),
        scale,
        zeroI8,
        scale,
        zeroU8,
      ),
      {},
      360,
      20,
    ],
    [
      'MatMulNBits',
      single(
        {
          op: 'MatMulNBits',
          domain: 'com.microsoft',
          attributes: { K: int(32), N: int(4), bits: int(4), block_size: int(32) },
        },
        f32(10, 32),
        'x',
        zeros('uint8', [4, 1, 16]),
        zeros('float32', [4]),
      ),
      {},
      1280,
      160,
    ],
  ])('%s', (_, model, dims, macs, bytes) => {
    const costs = graphCosts(model, dims);
    expect(costs.uncounted).toEqual([]);
    expect(costs.macs).toBe(macs);
    expect(costs.nodes[0]).toMatchObject({ macs, activationBytes: bytes });
  });
});

describe('parameters', () => {
  it('count once where two nodes share them, and elements however few bits each takes', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['n', 3]);
    const weight = graph.initializer('w', zeros('float32', [3, 3]));
    graph.output(graph.matMul(graph.matMul(x, weight), weight), undefined, 'y');
    const costs = graphCosts(graph.build(), { n: 1 });
    expect(costs).toMatchObject({ parameters: 9, weightBytes: 36, macs: 18 });
    expect(costs.nodes.map(({ parameters }) => parameters)).toEqual([9, 0, 0]);

    const nbits = single(
      {
        op: 'MatMulNBits',
        domain: 'com.microsoft',
        attributes: { K: int(32), N: int(4), bits: int(4), block_size: int(32) },
      },
      f32(1, 32),
      'x',
      zeros('uint8', [4, 1, 16]),
      zeros('float32', [4]),
    );
    expect(graphCosts(nbits)).toMatchObject({ parameters: 32 * 4 + 4, weightBytes: 64 + 16 });
  });
});

describe('activations', () => {
  it('peak at what is alive at once', () => {
    // x 16 bytes lives to the Concat; a, b, c of 16 bytes each; the result is 32.
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', [1, 4]);
    const c = graph.exp(graph.neg(graph.sqrt(x)));
    graph.output(graph.concat([c, x], 1), undefined);
    expect(graphCosts(graph.build())).toMatchObject({
      activationBytes: 16 * 3 + 32,
      peakActivationBytes: 16 + 16 + 32,
    });
  });
});

describe('what is not counted', () => {
  it('is listed with the reason', () => {
    const unknown = single({ op: 'QAttention', domain: 'com.microsoft' }, f32(1, 4), 'x');
    expect(graphCosts(unknown).uncounted[0]).toEqual({
      node: 'com.microsoft.QAttention (of "qattention")',
      reason: 'what it computes is not known',
    });
    const three = single(
      { op: 'Einsum', attributes: { equation: string('ij,jk,kl->il') } },
      f32(2, 2),
      'x',
      zeros('float32', [2, 2]),
      zeros('float32', [2, 2]),
    );
    expect(graphCosts(three)).toMatchObject({
      macs: 0,
      uncounted: [{ reason: 'an Einsum of other than two plain factors' }],
    });
  });

  it('a dimension without a value is named', () => {
    const model = single({ op: 'Relu' }, f32('batch', 4), 'x');
    expect(() => graphCosts(model)).toThrow('input "x": no size is given for its dimension batch');
  });
});
