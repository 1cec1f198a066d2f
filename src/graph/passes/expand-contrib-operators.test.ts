import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { float, floats, int, ints, string } from '../attributes.ts';
import { type Attributes, GraphBuilder } from '../builder.ts';
import { check } from '../check.ts';
import { encodeModel } from '../encoding.ts';
import type { Model } from '../ir.ts';
import { CONTRIB_EXPANSIONS, expandContribOperators } from './expand-contrib-operators.ts';

interface Case {
  readonly opType: string;
  /** Dimensions of float inputs, drawn at random; tensors as they are; undefined for one left out. */
  readonly inputs: readonly (readonly number[] | Tensor | undefined)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  readonly domain?: string;
}

const HEADS: Attributes = { num_heads: int(2) };
const integers = (dims: readonly number[], values: readonly number[]): Tensor => tensorFrom('int32', values, dims);
const PADDED = integers([2, 3], [1, 1, 1, 1, 0, 0]);
const PACKED = [[2, 3, 4], [4, 24], [24]];
const SEPARATE = [
  [2, 3, 8],
  [2, 5, 8],
  [2, 5, 8],
];
const EMBEDDINGS = [[9, 8], [6, 8], [2, 8], [8], [8]];
const IDS = integers([2, 3], [1, 4, 8, 0, 2, 2]);
const SEGMENTS = integers([2, 3], [0, 0, 1, 0, 1, 1]);

const CASES: readonly Case[] = [
  { opType: 'BiasGelu', inputs: [[2, 3, 8], [8]] },
  { opType: 'FastGelu', inputs: [[2, 3, 8], [8]] },
  { opType: 'FastGelu', inputs: [[2, 8]] },
  { opType: 'Gelu', inputs: [[3, 4]] },
  { opType: 'QuickGelu', inputs: [[3, 4]] },
  { opType: 'QuickGelu', inputs: [[3, 4]], attributes: { alpha: float(1) } },
  ...[0, 1].flatMap((transA) =>
    [0, 1].map((transB) => ({
      opType: 'FusedMatMul',
      inputs: [transA ? [2, 4, 3] : [2, 3, 4], transB ? [5, 4] : [4, 5]],
      attributes: { transA: int(transA), transB: int(transB), alpha: float(transA ? 0.5 : 1) },
    })),
  ),
  { opType: 'FusedGemm', inputs: [[2, 3], [3, 4], [4]], attributes: { activation: string('Relu') } },
  {
    opType: 'FusedGemm',
    inputs: [
      [2, 3],
      [4, 3],
    ],
    attributes: { activation: string('LeakyRelu'), activation_alpha: float(0.2), transB: int(1), alpha: float(2) },
  },
  {
    opType: 'FusedConv',
    inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3]],
    attributes: { activation: string('Relu'), pads: ints([1, 1, 1, 1]) },
  },
  {
    opType: 'FusedConv',
    inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3], [1, 3, 3, 3]],
    attributes: { activation: string('HardSigmoid'), activation_params: floats([0.3, 0.4]) },
  },
  {
    opType: 'FusedConv',
    inputs: [
      [1, 2, 5],
      [3, 2, 3],
    ],
    attributes: { activation: string('Clip'), activation_params: floats([0, 1]) },
  },
  {
    opType: 'SkipLayerNormalization',
    inputs: [[2, 3, 8], [2, 3, 8], [8], [8], [8]],
    attributes: { epsilon: float(1e-5) },
  },
  { opType: 'SkipLayerNormalization', inputs: [[2, 3, 8], [1, 3, 8], [8]], outputs: 4 },
  { opType: 'SkipLayerNormalization', inputs: [[2, 3, 8], [3, 8], [8], undefined, [8]], outputs: 4 },
  { opType: 'SkipSimplifiedLayerNormalization', inputs: [[2, 3, 8], [2, 3, 8], [8], [8]], outputs: 4 },
  { opType: 'SimplifiedLayerNormalization', inputs: [[2, 3, 8], [8]], attributes: { axis: int(-1) }, domain: '' },
  { opType: 'Attention', inputs: PACKED, attributes: HEADS },
  { opType: 'Attention', inputs: [...PACKED, PADDED], attributes: HEADS },
  { opType: 'Attention', inputs: [...PACKED, PADDED], attributes: { ...HEADS, mask_filter_value: float(-1) } },
  { opType: 'Attention', inputs: [...PACKED, integers([2], [3, 1])], attributes: HEADS },
  {
    opType: 'Attention',
    inputs: [...PACKED, integers([2, 3, 3], [1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1])],
    attributes: HEADS,
  },
  { opType: 'Attention', inputs: PACKED, attributes: { ...HEADS, unidirectional: int(1), scale: float(0.3) } },
  { opType: 'Attention', inputs: [...PACKED, undefined, undefined, [2, 2, 3, 3]], attributes: HEADS },
  {
    opType: 'Attention',
    inputs: [[2, 3, 4], [4, 20], [20]],
    attributes: { ...HEADS, qkv_hidden_sizes: ints([8, 8, 4]) },
  },
  { opType: 'MultiHeadAttention', inputs: SEPARATE, attributes: HEADS },
  { opType: 'MultiHeadAttention', inputs: [...SEPARATE, [24]], attributes: { ...HEADS, scale: float(0.2) } },
  {
    opType: 'MultiHeadAttention',
    inputs: [...SEPARATE, undefined, integers([2, 5], [1, 1, 1, 1, 1, 1, 1, 0, 0, 0])],
    attributes: HEADS,
  },
  { opType: 'MultiHeadAttention', inputs: [...SEPARATE, [24], undefined, [1, 2, 3, 5]], attributes: HEADS },
  ...[0, 1].flatMap((interleaved): Case[] => {
    const attributes = { interleaved: int(interleaved) };
    const places = tensorFrom('int64', [0, 1, 2, 4, 5, 3], [2, 3]);
    return [
      { opType: 'RotaryEmbedding', inputs: [[2, 3, 8], places, [6, 2], [6, 2]], attributes },
      { opType: 'RotaryEmbedding', inputs: [[2, 2, 3, 4], places, [6, 2], [6, 2]], attributes },
      { opType: 'RotaryEmbedding', inputs: [[2, 3, 8], tensorFrom('int64', [1]), [6, 2], [6, 2]], attributes },
    ];
  }),
  { opType: 'EmbedLayerNormalization', inputs: [IDS, SEGMENTS, ...EMBEDDINGS, PADDED], outputs: 3 },
  { opType: 'EmbedLayerNormalization', inputs: [IDS, SEGMENTS, ...EMBEDDINGS], outputs: 2 },
  {
    opType: 'EmbedLayerNormalization',
    inputs: [IDS, undefined, [9, 8], [6, 8], undefined, [8], [8], undefined, integers([2, 3], [5, 4, 3, 0, 1, 2])],
    outputs: 2,
  },
];

type Feeds = Readonly<Record<string, Tensor>>;

/** Inputs with open batch and sequence dimensions where they are data; weights are initializers. */
function modelOf({ opType, inputs, attributes = {}, outputs = 1, domain = 'com.microsoft' }: Case): {
  readonly model: Model;
  readonly feeds: Feeds;
} {
  const build = new GraphBuilder();
  const source = random(4);
  const feeds: Record<string, Tensor> = {};
  const names = inputs.map((given, index) => {
    if (given === undefined) return undefined;
    const value =
      'dtype' in given
        ? given
        : tensorFrom(
            'float32',
            Array.from({ length: sizeOf(given) }, () => source.normal()),
            given,
          );
    const name = `x${index}`;
    if (index > 0 && value.dtype === 'float32' && value.dims.length < 3) return build.initializer(name, value);
    feeds[name] = value;
    return build.input(name, value.dtype, value.dims);
  });
  const values = build.node(opType, names, {
    attributes,
    domain,
    outputs: Array.from({ length: outputs }, (_, k) =>
      opType.startsWith('Skip') && (k === 1 || k === 2) ? '' : `y${k}`,
    ),
  });
  for (const value of values) {
    const dtype = opType.startsWith('Embed') && value === 'y1' ? 'int32' : 'float32';
    if (value !== '') build.output(value, { dtype });
  }
  const opsets = [
    { domain: '', version: 17 },
    { domain: 'com.microsoft', version: 1 },
  ];
  return { model: build.build({ opsets }), feeds };
}

async function run(model: Model, feeds: Feeds): Promise<Record<string, { dims: readonly number[]; values: number[] }>> {
  const session = await InferenceSession.create(encodeModel(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    graphOptimizationLevel: 'disabled',
  });
  const given = Object.entries(feeds).map(([name, { dtype, dims, data }]) => [
    name,
    new RuntimeTensor(dtype as 'float32', data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { dims, values: Array.from(data as Float32Array, Number) },
    ]),
  );
}

describe('contrib operators in standard ones give what ONNX Runtime gives', () => {
  it.each(CASES.map((given, index) => [`${index} ${given.opType}`, given] as const))('%s', async (_, given) => {
    const { model, feeds } = modelOf(given);
    const { model: written, changed } = expandContribOperators(model);
    expect(changed).toBe(true);
    check(written);
    expect(
      written.graph.nodes.filter(({ domain, opType }) => domain !== '' || opType.startsWith('Simplified')),
    ).toEqual([]);
    const [expected, results] = [await run(model, feeds), await run(written, feeds)];
    expect(Object.keys(results)).toEqual(Object.keys(expected));
    for (const [name, { dims, values }] of Object.entries(expected)) {
      expect(results[name]!.dims).toEqual(dims);
      const largest = Math.max(1, ...values.map(Math.abs));
      for (const [index, value] of values.entries()) {
        expect(Math.abs(results[name]!.values[index]! - value)).toBeLessThan(2e-6 * largest);
      }
    }
  });

  it('has a case for every operator', () => {
    // ONNX Runtime for CPU has no kernel for BiasAdd.
    const tested = new Set([...CASES.map(({ opType }) => opType), 'BiasAdd']);
    expect(Object.keys(CONTRIB_EXPANSIONS).filter((name) => !tested.has(name))).toEqual([]);
  });

  it('adds bias and skip', async () => {
    const build = new GraphBuilder();
    const inputs = ['x', 'bias', 'skip'].map((name) => build.input(name, 'float32', [2]));
    build.output(build.node('BiasAdd', inputs, { domain: 'com.microsoft', outputs: ['y'] })[0]!, { dtype: 'float32' });
    const { model } = expandContribOperators(build.build());
    const feeds = {
      x: tensorFrom('float32', [1, 2]),
      bias: tensorFrom('float32', [10, 20]),
      skip: tensorFrom('float32', [100, 200]),
    };
    expect((await run(model, feeds)).y!.values).toEqual([111, 222]);
  });

  it('leaves a model of standard operators as it is', () => {
    const build = new GraphBuilder();
    build.output(build.exp(build.input('x', 'float32', ['n'])));
    const model = build.build();
    expect(expandContribOperators(model)).toEqual({ model, changed: false });
  });

  it.each<[string, Case, RegExp]>([
    [
      'past states',
      { opType: 'Attention', inputs: [...PACKED, undefined, [2, 2, 2, 3, 4]], attributes: HEADS },
      /a past state/,
    ],
    ['packed inputs', { opType: 'MultiHeadAttention', inputs: [[2, 3, 2, 3, 4]], attributes: HEADS }, /in one tensor/],
    [
      'other masks',
      { opType: 'Attention', inputs: [...PACKED, integers([4], [1, 2, 0, 0])], attributes: HEADS },
      /a mask of 1 dimensions/,
    ],
    [
      'other activations',
      {
        opType: 'FusedGemm',
        inputs: [
          [2, 3],
          [3, 4],
        ],
        attributes: { activation: string('Mish') },
      },
      /activation "Mish"/,
    ],
  ])('refuses %s, and names the node', (_, given, reason) => {
    expect(() => expandContribOperators(modelOf(given).model)).toThrow(reason);
    expect(() => expandContribOperators(modelOf(given).model)).toThrow(
      `${given.opType} (of "y0") is not expanded with`,
    );
  });
});
