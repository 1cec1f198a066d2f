import { describe, expect, it } from 'vitest';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../base/index.ts';
import {
  type Attributes,
  check,
  evaluate,
  GraphBuilder,
  inferTypes,
  int,
  ints,
  type Model,
  string,
} from '../graph/index.ts';
import { withProductsForConvolutions } from './moving-convolutions.ts';

const source = random(11);
const normal = (dims: readonly number[]): Tensor =>
  tensorFrom('float64', Array.from({ length: sizeOf(dims) }, source.normal), dims);

interface Case {
  readonly title: string;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly bias?: boolean;
  readonly attributes?: Attributes;
}

function modelOf({ input, weights, bias, attributes = {} }: Case, batch: string | number = 'batch'): Model {
  const build = new GraphBuilder({ opset: 17 });
  const x = build.input('x', 'float64', [batch, ...input.slice(1)]);
  const inputs = [x, build.initializer('w', normal(weights))];
  if (bias) inputs.push(build.initializer('b', normal([weights[0]!])));
  build.output(build.op('Conv', inputs, attributes, 'y'), {
    dtype: 'float64',
    shape: [batch, ...input.map(() => null).slice(1)],
  });
  return build.build();
}

const rewritten = (model: Model): Model => withProductsForConvolutions(model, inferTypes(model), ['w', 'b']);
const operators = (model: Model): readonly string[] => model.graph.nodes.map(({ opType }) => opType);

const PRODUCTS: readonly Case[] = [
  { title: 'depthwise', input: [3, 4, 5, 6], weights: [4, 1, 3, 3], attributes: { group: int(4) } },
  {
    title: 'depthwise with strides, padding, dilations and a bias',
    input: [2, 3, 7, 8],
    weights: [3, 1, 3, 2],
    bias: true,
    attributes: { group: int(3), strides: ints([2, 1]), pads: ints([1, 0, 2, 1]), dilations: ints([1, 3]) },
  },
  {
    title: 'depthwise over one axis with automatic padding',
    input: [2, 2, 9],
    weights: [2, 1, 4],
    bias: true,
    attributes: { group: int(2), auto_pad: string('SAME_UPPER') },
  },
  {
    title: 'all channels, of 2 x 2 places',
    input: [3, 4, 2, 2],
    weights: [5, 4, 3, 3],
    bias: true,
    attributes: { pads: ints([1, 1, 1, 1]) },
  },
  {
    title: 'all channels, of 2 x 2 places with strides',
    input: [2, 3, 4, 5],
    weights: [2, 3, 3, 3],
    attributes: { pads: ints([1, 1, 1, 1]), strides: ints([2, 3]) },
  },
];

const KEPT: readonly Case[] = [
  { title: 'of many places', input: [2, 4, 5, 5], weights: [3, 4, 3, 3] },
  { title: 'of one place with a large kernel', input: [2, 1, 10, 10], weights: [3, 1, 10, 10] },
  { title: 'of one tap', input: [2, 4, 1, 1], weights: [3, 4, 1, 1] },
  { title: 'in groups', input: [2, 4, 3, 3], weights: [4, 2, 3, 3], attributes: { group: int(2) } },
  { title: 'depthwise over many elements', input: [1, 2, 9, 10], weights: [2, 1, 1, 2], attributes: { group: int(2) } },
];

describe('convolutions whose weights move', () => {
  it.each(PRODUCTS)('are products where few elements are read: $title', (row) => {
    const model = modelOf(row);
    const products = rewritten(model);
    check(products);
    expect(operators(products)).not.toContain('Conv');
    const feeds = { x: normal(row.input) };
    const [expected, actual] = [model, products].map((each) => evaluate(each, feeds).y!);
    expect(actual!.dims).toEqual(expected!.dims);
    numbersOf(actual!).forEach((value, at) => {
      expect(value).toBeCloseTo(numbersOf(expected!)[at]!, 12);
    });
    expect(inferTypes(products).get('y')).toMatchObject({ type: { shape: ['batch', ...expected!.dims.slice(1)] } });
  });

  it.each(KEPT)('stay as they are: $title', (row) => {
    const model = modelOf(row);
    expect(rewritten(model)).toBe(model);
  });

  it('stay as they are where weights are constant or sizes unknown', () => {
    const model = modelOf(PRODUCTS[0]!);
    expect(withProductsForConvolutions(model, inferTypes(model), ['x'])).toBe(model);
    const [first] = model.graph.inputs;
    const open: Model = {
      ...model,
      graph: {
        ...model.graph,
        inputs: [{ ...first!, type: { kind: 'tensor', dtype: 'float64', shape: ['batch', 4, 'height', 6] } }],
      },
    };
    expect(rewritten(open)).toBe(open);
  });
});
