import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  type DataType,
  numbersOf,
  type Random,
  random,
  sizeOf,
  type Tensor,
  type TypedArray,
  tensor,
  tensorFrom,
} from '../base/index.ts';
import {
  type Attributes,
  encodeModel,
  evaluate,
  float,
  GraphBuilder,
  int,
  ints,
  type Model,
  OPERATORS,
  type Shape,
  string,
  type Value,
} from '../graph/index.ts';
import { GRADIENT_RULES, type GradientRule, gradient } from './index.ts';

/**
 * One row an operator, one case a use of it. Each case is held to float64 differences of the reference operators, is
 * built again with symbolic dimensions that are not known to be equal, and runs in float32 on ONNX Runtime.
 */
interface Case {
  /** Graph inputs, by name, in the order of `build`'s values. The floating-point ones are differentiated by. */
  readonly inputs: Readonly<Record<string, Input>>;
  /** One node, or a few: the values to differentiate. */
  readonly build: (build: GraphBuilder, values: readonly Value[], dtype: 'float32' | 'float64') => Value | Value[];
  /** For operators that round: the smooth function that their gradient is of, of which differences are taken. */
  readonly smooth?: Case['build'];
  readonly opset?: number;
  /** Differentiate by these alone. */
  readonly by?: readonly string[];
  /** Why the case cannot have symbolic dimensions, or cannot run on ONNX Runtime. */
  readonly onlyStatic?: string;
  readonly onlyReference?: string;
}

interface Input {
  readonly dims: readonly number[];
  readonly dtype?: 'float' | 'int64' | 'int32' | 'bool';
  /** Trailing dimensions that stay numbers where the others become symbolic: the operator's output rank follows from them. */
  readonly fixed?: number;
  /** Numbers as they are, or where they are drawn from. */
  readonly values: readonly number[] | Domain;
}

type Domain = (source: Random) => number;

const real: Domain = (source) => source.normal();
const positive: Domain = (source) => 0.4 + 2 * source.uniform();
const unit: Domain = (source) => 1.8 * source.uniform() - 0.9;
/** Real numbers that keep away from the kinks of a function, where differences across them mean nothing. */
const avoiding =
  (...kinks: readonly number[]): Domain =>
  (source) => {
    for (;;) {
      const value = 2 * source.normal();
      if (kinks.every((kink) => Math.abs(value - kink) > 0.05)) return value;
    }
  };
const of = (dims: readonly number[], values: Input['values'] = real): Input => ({ dims, values });
const integers = (dims: readonly number[], values: readonly number[]): Input => ({ dims, dtype: 'int64', values });
/** Integers whose last dimension decides the rank of the output: it stays known. */
const ranked = (dims: readonly number[], values: readonly number[]): Input => ({ ...integers(dims, values), fixed: 1 });
const booleans = (dims: readonly number[], values: readonly number[]): Input => ({ dims, dtype: 'bool', values });

const node =
  (opType: string, attributes?: Attributes) =>
  (build: GraphBuilder, values: readonly Value[]): Value =>
    build.op(opType, values, attributes);

function unary(opType: string, domain: Domain, attributes?: Attributes, opset = 17): readonly Case[] {
  return [[2, 3], [], [0, 4], [7]].map((dims) => ({
    inputs: { x: of(dims, domain) },
    build: node(opType, attributes),
    opset,
  }));
}

/** Equal shapes, axes of one element, missing axes on either side, scalars, empty tensors. */
const BROADCASTS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[], [2, 2]],
  [[2, 3], []],
  [
    [1, 1],
    [2, 3],
  ],
  [
    [0, 3],
    [1, 3],
  ],
];

function binary(opType: string, a: Domain, b: Domain, attributes?: Attributes, opset = 17): readonly Case[] {
  return BROADCASTS.map(([left, right]) => ({
    inputs: { a: of(left, a), b: of(right, b) },
    build: node(opType, attributes),
    opset,
  }));
}

function reduction(opType: string, domain: Domain, attributes: Attributes = {}): readonly Case[] {
  const uses: readonly (readonly [readonly number[], readonly number[] | undefined, number])[] = [
    [[2, 3, 4], [1], 1],
    [[2, 3, 4], [-1, 0], 0],
    [[2, 3], undefined, 1],
    [[2, 3], undefined, 0],
    [[3, 1], [1], 0],
  ];
  return [17, 18].flatMap((opset) =>
    uses.map(([dims, axes, keepdims]) => ({
      inputs: { x: of(dims, domain) },
      opset,
      build: (build: GraphBuilder, [x]: readonly Value[]) => {
        const asInput = opset >= 18 || opType === 'ReduceSum';
        return build.op(opType, [x!, axes && asInput ? build.int64s(axes) : undefined], {
          ...attributes,
          keepdims: int(keepdims),
          ...(axes && !asInput && { axes: ints(axes) }),
        });
      },
    })),
  );
}

/** One convolution: sizes, and which of them stay numbers where the others become symbolic (the kernel always does). */
interface Convolved {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Attributes;
  readonly fixed?: number;
  readonly onlyStatic?: string;
}

function convolutions(opType: string, uses: readonly Convolved[]): readonly Case[] {
  return uses.flatMap(({ x, w, attributes = {}, fixed = 0, onlyStatic }) => {
    const group = attributes.group?.kind === 'int' ? Number(attributes.group.value) : 1;
    const outputs = opType === 'Conv' ? w[0]! : w[1]! * group;
    return [true, false].map((bias) => ({
      inputs: {
        x: { ...of(x), fixed },
        w: { ...of(w), fixed: fixed > 0 ? w.length : w.length - 2 },
        ...(bias && { b: of([outputs]) }),
      },
      build: node(opType, attributes),
      ...(onlyStatic !== undefined && { onlyStatic }),
    }));
  });
}

const SAME = 'automatic padding with strides depends on the sizes';

function pools(opType: string, uses: readonly Omit<Convolved, 'w'>[], domain: Domain = real): readonly Case[] {
  return uses.map(({ x, attributes = {}, fixed = 0, onlyStatic }) => ({
    inputs: { x: { ...of(x, domain), fixed } },
    build: node(opType, attributes),
    ...(onlyStatic !== undefined && { onlyStatic }),
  }));
}

const WINDOWS: readonly Omit<Convolved, 'w'>[] = [
  { x: [2, 3, 7], attributes: { kernel_shape: ints([3]), strides: ints([2]) } },
  { x: [1, 2, 5, 6], attributes: { kernel_shape: ints([2, 3]), strides: ints([1, 2]) }, fixed: 2 },
  { x: [2, 2, 4, 4], attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } },
  { x: [1, 2, 3, 4, 3], attributes: { kernel_shape: ints([2, 2, 2]) } },
  {
    x: [1, 2, 6, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
    fixed: 2,
  },
  { x: [1, 2, 6, 5], attributes: { kernel_shape: ints([3, 2]), strides: ints([2, 2]), ceil_mode: int(1) }, fixed: 2 },
  {
    x: [1, 1, 5, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), auto_pad: string('SAME_LOWER') },
    fixed: 2,
  },
  {
    x: [1, 1, 5, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), auto_pad: string('SAME_UPPER') },
    fixed: 3,
  },
];

type RuleName = {
  [K in keyof typeof GRADIENT_RULES]: (typeof GRADIENT_RULES)[K] extends GradientRule ? K : never;
}[keyof typeof GRADIENT_RULES];

const scaled = (dtype: 'float32' | 'float64', value: number): Tensor => tensorFrom(dtype, value);

interface Resizing {
  readonly dims: readonly number[];
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
  readonly roi?: readonly number[];
  readonly opset?: number;
  readonly mode?: string;
  readonly coordinate_transformation_mode?: string;
  readonly nearest_mode?: string;
  readonly cubic_coeff_a?: number;
  readonly exclude_outside?: number;
  readonly antialias?: number;
  readonly extrapolation_value?: number;
  readonly axes?: readonly number[];
}

/** Places of a grid over images of 3 by 4 pixels, or of 2 by 3 by 4, that keep away from the middles of pixels. */
const betweenPixels: Domain = (source) => {
  for (;;) {
    const value = 3 * source.uniform() - 1.5;
    const places = [2, 3, 4].flatMap((length) => [((value + 1) * length - 1) / 2, ((value + 1) / 2) * (length - 1)]);
    if (places.every((place) => Math.abs(place - Math.round(place)) > 0.02)) return value;
  }
};

const GRIDS: readonly Case[] = [16, 20].flatMap((opset) =>
  ['linear', 'cubic', 'nearest'].flatMap((mode) =>
    (opset < 20 ? ['zeros', 'border', 'reflection'] : ['zeros']).flatMap((padding) =>
      (opset < 20 ? [0, 1] : [0]).map((aligned): Case => {
        const name = opset < 20 && mode !== 'nearest' ? `bi${mode}` : mode;
        return {
          inputs: { x: of([2, 2, 3, 4]), grid: of([2, 1, 3, 2], betweenPixels) },
          build: node('GridSample', {
            mode: string(name),
            padding_mode: string(padding),
            align_corners: int(aligned),
          }),
          opset,
        };
      }),
    ),
  ),
);

const REGIONS: Input = of([3, 4], [0.3, 0.2, 3.1, 2.3, 2.2, 1.1, 7.7, 6.4, 1.2, 1.1, 1.6, 1.3]);

const RESIZES: readonly Resizing[] = [
  ...['nearest', 'linear', 'cubic'].flatMap((mode): Resizing[] => [
    ...['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'half_pixel_symmetric'].map(
      (coordinate_transformation_mode) => ({
        dims: [1, 2, 3, 4],
        sizes: [1, 2, 7, 3],
        mode,
        coordinate_transformation_mode,
      }),
    ),
    { dims: [1, 2, 4, 3], scales: [1, 1, 2, 2], mode, opset: 13 },
    { dims: [1, 1, 5, 4], scales: [1, 1, 0.6, 1.7], mode },
    { dims: [2, 1, 3, 4], scales: [2, 1.5], mode, axes: [2, 3] },
  ]),
  ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].map((nearest_mode) => ({
    dims: [1, 1, 4, 6],
    scales: [1, 1, 1.5, 0.5],
    nearest_mode,
  })),
  { dims: [1, 1, 4, 5], sizes: [1, 1, 7, 3], mode: 'cubic', cubic_coeff_a: -0.5, exclude_outside: 1 },
  {
    dims: [1, 1, 4, 5],
    sizes: [1, 1, 3, 4],
    roi: [0, 0, 0.4, -0.3, 1, 1, 0.9, 0.8],
    mode: 'linear',
    coordinate_transformation_mode: 'tf_crop_and_resize',
    extrapolation_value: 0,
  },
  { dims: [1, 1, 2, 3, 2], scales: [1, 1, 2, 2, 2], mode: 'linear' },
];

const SCALE = 0.02;
const ZERO_POINT = 100;
/** What step 0 and step 255 stand for, with half a step that still rounds to them. */
const limitOf = (step: number): number => SCALE * (step + (step === 0 ? -0.5 : 0.5) - ZERO_POINT);

const ROWS = {
  AveragePool: [
    ...pools('AveragePool', WINDOWS),
    ...pools(
      'AveragePool',
      WINDOWS.map((use) => ({ ...use, attributes: { ...use.attributes, count_include_pad: int(1) } })),
    ),
  ],
  BatchNormalization: [
    ...[
      [2, 3, 4],
      [3, 2],
      [2, 2, 3, 2],
    ].flatMap((x) =>
      [undefined, float(0.01)].map((epsilon) => ({
        inputs: {
          x: of(x),
          scale: of([x[1]!]),
          bias: of([x[1]!]),
          mean: of([x[1]!]),
          variance: of([x[1]!], positive),
        },
        build: node('BatchNormalization', epsilon && { epsilon }),
      })),
    ),
    ...[
      [4, 3],
      [2, 3, 4],
      [2, 2, 3, 2],
    ].map((x) => ({
      inputs: {
        x: of(x),
        scale: of([x[1]!]),
        bias: of([x[1]!]),
        mean: of([x[1]!]),
        variance: of([x[1]!], positive),
      },
      build: (build: GraphBuilder, values: readonly Value[]) =>
        build.node('BatchNormalization', values, {
          attributes: { training_mode: int(1), momentum: float(0.75) },
          outputs: 3,
        }),
    })),
  ],
  Conv: [
    ...convolutions('Conv', [
      { x: [2, 2, 7], w: [3, 2, 3] },
      { x: [2, 2, 8], w: [2, 2, 3], attributes: { strides: ints([2]), pads: ints([1, 0]) } },
      { x: [1, 2, 5, 6], w: [3, 2, 3, 2], attributes: { dilations: ints([2, 1]), pads: ints([1, 0, 2, 1]) } },
      { x: [1, 2, 4, 5], w: [2, 2, 1, 1], attributes: { strides: ints([2, 2]) } },
      { x: [1, 2, 3, 4, 3], w: [2, 2, 2, 2, 2] },
      { x: [2, 2, 5], w: [2, 2, 3], attributes: { auto_pad: string('SAME_UPPER') } },
      { x: [2, 2, 4], w: [2, 2, 2], attributes: { auto_pad: string('SAME_LOWER') } },
      { x: [2, 2, 5], w: [2, 2, 2], attributes: { auto_pad: string('VALID') } },
      { x: [1, 2, 3], w: [1, 2, 1], attributes: { pads: ints([1, 1]) } }, // padding beyond the reach of the kernel
    ]),
    ...convolutions('Conv', [
      // one product a tap, and few places
      { x: [2, 4, 5, 5], w: [3, 4, 3, 3], attributes: { pads: ints([1, 1, 1, 1]) }, fixed: 3 },
      { x: [2, 4, 6, 5], w: [3, 4, 3, 2], attributes: { strides: ints([2, 1]), dilations: ints([1, 2]) }, fixed: 3 },
      { x: [2, 5, 4, 4], w: [4, 5, 1, 1], fixed: 3 },
      { x: [2, 2, 5, 5], w: [3, 2, 1, 1], fixed: 3 },
      { x: [2, 4, 3, 3], w: [2, 4, 1, 1], attributes: { strides: ints([2, 2]) }, fixed: 3 },
      { x: [1, 8, 4, 4], w: [4, 4, 2, 2], attributes: { group: int(2), strides: ints([2, 2]) }, fixed: 3 },
      { x: [1, 4, 4, 3], w: [6, 2, 2, 2], attributes: { group: int(2) }, fixed: 3 },
      // depthwise: a matrix a channel, and more elements than that is good for
      { x: [2, 3, 4, 5], w: [3, 1, 3, 3], attributes: { group: int(3), pads: ints([1, 1, 1, 1]) }, fixed: 3 },
      { x: [2, 2, 5, 4], w: [2, 1, 3, 2], attributes: { group: int(2), strides: ints([2, 1]) }, fixed: 3 },
      { x: [1, 2, 9, 10], w: [2, 1, 3, 3], attributes: { group: int(2), pads: ints([1, 1, 1, 1]) }, fixed: 3 },
      { x: [1, 2, 14, 12], w: [2, 1, 3, 3], attributes: { group: int(2), pads: ints([1, 1, 1, 1]) }, fixed: 3 },
      { x: [1, 2, 4, 4], w: [6, 1, 3, 3], attributes: { group: int(2) }, fixed: 3 },
      {
        x: [1, 2, 5, 6],
        w: [2, 2, 3, 3],
        attributes: { auto_pad: string('SAME_UPPER'), strides: ints([2, 2]) },
        fixed: 3,
      },
      {
        x: [1, 2, 5, 6],
        w: [2, 2, 2, 2],
        attributes: { auto_pad: string('SAME_LOWER'), strides: ints([3, 2]) },
        onlyStatic: SAME,
      },
    ]),
  ],
  ConvTranspose: convolutions('ConvTranspose', [
    { x: [2, 2, 4], w: [2, 3, 3] },
    { x: [1, 2, 3, 4], w: [2, 3, 3, 2], attributes: { strides: ints([2, 1]), pads: ints([1, 0, 0, 1]) } },
    { x: [1, 2, 3, 3], w: [2, 2, 3, 3], attributes: { strides: ints([2, 2]), output_padding: ints([1, 1]) } },
    { x: [1, 2, 3, 3], w: [2, 2, 2, 2], attributes: { dilations: ints([2, 1]) } },
    { x: [1, 2, 2, 3, 2], w: [2, 1, 2, 2, 2] },
    { x: [1, 4, 3, 3], w: [4, 2, 2, 2], attributes: { group: int(2), strides: ints([2, 2]) }, fixed: 3 },
    {
      x: [1, 2, 3, 3],
      w: [2, 1, 3, 3],
      attributes: { group: int(2), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
      fixed: 3,
    },
    { x: [1, 2, 3], w: [2, 2, 3], attributes: { strides: ints([2]), output_shape: ints([6]) }, fixed: 2 },
    { x: [1, 2, 3], w: [2, 2, 3], attributes: { strides: ints([2]), auto_pad: string('SAME_UPPER') } },
  ]),
  GlobalAveragePool: pools('GlobalAveragePool', [{ x: [2, 3, 4] }, { x: [1, 2, 3, 4], fixed: 2 }]),
  GlobalLpPool: [1, 2, 3].flatMap((p) =>
    pools('GlobalLpPool', [{ x: [2, 3, 4], attributes: { p: int(p) } }], avoiding(0)),
  ),
  GlobalMaxPool: pools('GlobalMaxPool', [{ x: [2, 3, 4] }, { x: [1, 2, 3, 4] }]),
  GridSample: [
    ...GRIDS,
    ...[0, 1].map((aligned) => ({
      inputs: { x: of([1, 2, 2, 3, 4]), grid: of([1, 2, 1, 3, 3], betweenPixels) },
      build: node('GridSample', { mode: string('linear'), align_corners: int(aligned) }),
      opset: 20,
    })),
  ],
  GroupNormalization: [18, 21].flatMap((opset) =>
    [1, 2, 4].map((groups) => ({
      inputs: {
        x: { ...of([2, 4, 3]), fixed: 2 },
        scale: { ...of([opset < 21 ? groups : 4]), fixed: 1 },
        bias: { ...of([opset < 21 ? groups : 4]), fixed: 1 },
      },
      build: node('GroupNormalization', { num_groups: int(groups) }),
      opset,
    })),
  ),
  InstanceNormalization: [
    [2, 3, 4],
    [1, 2, 3, 3],
  ].map((x) => ({
    inputs: {
      x: { ...of(x), fixed: x.length - 1 },
      scale: { ...of([x[1]!]), fixed: 1 },
      bias: { ...of([x[1]!]), fixed: 1 },
    },
    build: node('InstanceNormalization', { epsilon: float(0.01) }),
  })),
  LRN: [1, 2, 3, 5].map((size) => ({
    inputs: { x: { ...of([2, 4, 3, 2]), fixed: 3 } },
    build: node('LRN', { size: int(size), alpha: float(0.5), bias: float(1.5) }),
    ...(size % 2 === 0 && { onlyReference: 'ONNX Runtime takes odd sizes alone' }),
  })),
  LpNormalization: [1, 2].flatMap((p) =>
    [0, -1].map((axis) => ({
      inputs: { x: of([3, 4], avoiding(0)) },
      build: node('LpNormalization', { p: int(p), axis: int(axis) }),
    })),
  ),
  LpPool: [1, 2, 3].flatMap((p) =>
    pools(
      'LpPool',
      WINDOWS.filter(({ attributes }) => attributes?.ceil_mode === undefined).map((use) => ({
        ...use,
        attributes: { ...use.attributes, p: int(p) },
      })),
      avoiding(0),
    ),
  ),
  MaxPool: [
    ...pools('MaxPool', WINDOWS),
    ...pools('MaxPool', [
      { x: [1, 2, 7, 6], attributes: { kernel_shape: ints([2, 2]), dilations: ints([2, 3]), strides: ints([1, 2]) } },
    ]),
    {
      inputs: { x: of([1, 2, 5]) },
      build: (build, [x]) => build.node('MaxPool', [x], { attributes: { kernel_shape: ints([3]) }, outputs: 2 })[0]!,
    },
  ],
  Abs: unary('Abs', avoiding(0)),
  Acos: unary('Acos', unit),
  Acosh: unary('Acosh', (source) => 1.2 + source.uniform()),
  Add: [
    ...binary('Add', real, real),
    { inputs: { a: of([2, 3]) }, build: (build, [a]) => build.add(a!, a!) }, // one value used twice
  ],
  Asin: unary('Asin', unit),
  Asinh: unary('Asinh', real),
  Atan: unary('Atan', real),
  Atanh: unary('Atanh', unit),
  Cast: [
    {
      inputs: { x: of([2, 3]) },
      build: (build, [x], dtype) =>
        build.cast(build.cast(x!, dtype === 'float64' ? 11 : 1), dtype === 'float64' ? 11 : 1),
    },
    {
      inputs: { x: of([3]) },
      build: (build, [x], dtype) => build.mul(x!, build.cast(build.cast(x!, 7), dtype === 'float64' ? 11 : 1)), // no gradient through integers
    },
  ],
  CastLike: [{ inputs: { x: of([2, 3]), like: of([1]) }, build: node('CastLike'), by: ['x'] }],
  Celu: [...unary('Celu', avoiding(0)), ...unary('Celu', avoiding(0), { alpha: float(0.4) })],
  Clip: [
    ...[
      [-0.5, 0.8],
      [0, 1],
    ].map(([low, high]) => ({
      inputs: { x: of([3, 4], avoiding(low!, high!)), low: of([], [low!]), high: of([], [high!]) },
      build: node('Clip'),
    })),
    {
      inputs: { x: of([5], avoiding(0.3)) },
      build: (build, [x], dtype) => build.op('Clip', [x!, undefined, build.constant(scaled(dtype, 0.3))]),
    },
    {
      inputs: { x: of([5], avoiding(0.3)) },
      build: (build, [x], dtype) => build.op('Clip', [x!, build.constant(scaled(dtype, 0.3))]),
    },
    { inputs: { x: of([5]) }, build: node('Clip') },
  ],
  Compress: [
    { inputs: { x: of([3, 2]), keep: booleans([3], [1, 0, 1]) }, build: node('Compress', { axis: int(0) }) },
    { inputs: { x: of([2, 3]), keep: booleans([2], [0, 1]) }, build: node('Compress', { axis: int(-1) }) },
    { inputs: { x: of([2, 3]), keep: booleans([5], [1, 0, 1, 1, 0]) }, build: node('Compress') },
  ],
  Concat: [
    { inputs: { a: of([2, 1]), b: of([2, 3]), c: of([2, 0]) }, build: node('Concat', { axis: int(1) }) },
    { inputs: { a: of([2, 1, 2]), b: of([2, 3, 2]) }, build: node('Concat', { axis: int(-2) }), by: ['b'] },
    { inputs: { a: of([2]) }, build: node('Concat', { axis: int(0) }) },
  ],
  Cos: unary('Cos', real),
  Cosh: unary('Cosh', real),
  CumSum: [0, 1].flatMap((exclusive) =>
    [0, 1].map((reverse) => ({
      inputs: { x: of([2, 3, 2]) },
      build: (build: GraphBuilder, [x]: readonly Value[]) =>
        build.op('CumSum', [x!, build.scalar(exclusive === 0 ? 1 : -3, 'int32')], {
          exclusive: int(exclusive),
          reverse: int(reverse),
        }),
    })),
  ),
  DepthToSpace: ['DCR', 'CRD'].map((mode) => ({
    inputs: { x: of([2, 12, 2, 3]) },
    build: node('DepthToSpace', { blocksize: int(2), mode: string(mode) }),
  })),
  DequantizeLinear: [
    {
      inputs: { x: { dims: [2, 3], dtype: 'int32', values: [5, -9, 0, 127, 3, -128] }, scale: of([], positive) },
      build: node('DequantizeLinear'),
    },
    {
      inputs: {
        x: { dims: [2, 3, 2], dtype: 'int32', values: [5, -9, 0, 127, 3, -128, 1, 2, 3, 4, 5, 6] },
        scale: of([3], positive),
      },
      build: node('DequantizeLinear', { axis: int(-2) }),
    },
    {
      inputs: { scale: of([1], positive) },
      build: (build, [scale]) => {
        const x = build.constant(tensor('uint8', [4], Uint8Array.of(0, 7, 128, 255)));
        return build.op('DequantizeLinear', [x, scale, build.constant(tensor('uint8', [1], Uint8Array.of(128)))]);
      },
      onlyStatic: 'a list of scales of unknown length is one for each place of an axis',
    },
  ],
  Div: binary('Div', real, positive),
  Dropout: [
    { inputs: { x: of([2, 3]) }, build: node('Dropout') },
    {
      inputs: { x: of([2, 3]) },
      build: (build, [x], dtype) =>
        build.op('Dropout', [
          x!,
          build.constant(scaled(dtype, 0.4)),
          build.constant(tensor('bool', [], new Uint8Array(1))),
        ]),
    },
  ],
  DynamicQuantizeLinear: [
    {
      inputs: { x: of([3, 4]) },
      build: (build, [x], dtype) => {
        const single = dtype === 'float64' ? build.cast(x!, 1) : x!; // the operator is of float32 alone
        const quantized = build.node('DynamicQuantizeLinear', [single], { outputs: 3 });
        const y = build.op('DequantizeLinear', quantized);
        return dtype === 'float64' ? build.cast(y, 11) : y;
      },
      smooth: (build, [x]) => build.identity(x!),
    },
  ],
  Einsum: (
    [
      ['ij,jk->ik', [2, 3], [3, 4]],
      ['bhqd,bhkd->bhqk', [2, 1, 3, 2], [2, 1, 2, 2]],
      ['ij,jk', [2, 3], [3, 4]],
      ['ij,kl->il', [2, 3], [2, 2]], // j and k are summed in one operand only
      ['i,i->', [4], [4]],
      ['bij,bjk->bki', [2, 3, 2], [2, 2, 3]],
    ] as const
  ).map(([equation, a, b]) => ({
    inputs: { a: of(a), b: of(b) },
    build: node('Einsum', { equation: string(equation) }),
  })),
  Elu: [...unary('Elu', avoiding(0)), ...unary('Elu', avoiding(0), { alpha: float(0.5) })],
  Erf: unary('Erf', real),
  Exp: unary('Exp', real),
  Expand: [
    { inputs: { x: of([3, 1]) }, build: (build, [x]) => build.expand(x!, build.int64s([2, 3, 4])) },
    { inputs: { x: of([2, 3]) }, build: (build, [x]) => build.expand(x!, build.int64s([1, 3])) },
    { inputs: { x: of([2, 1]), shape: ranked([2], [1, 3]) }, build: (build, [x, shape]) => build.expand(x!, shape!) },
  ],
  Flatten: [
    { inputs: { x: of([2, 3, 4]) }, build: node('Flatten', { axis: int(2) }) },
    { inputs: { x: of([2, 3]) }, build: node('Flatten', { axis: int(0) }) },
    { inputs: { x: of([2, 0, 3]) }, build: node('Flatten') },
    { inputs: { x: of([2, 3, 2]) }, build: node('Flatten', { axis: int(-1) }) },
  ],
  Gather: [
    { inputs: { x: of([4, 3]), i: integers([2, 3], [0, 3, 3, -1, 0, 0]) }, build: node('Gather') },
    { inputs: { x: of([2, 4, 3]), i: integers([3], [1, 1, -2]) }, build: node('Gather', { axis: int(1) }) },
    { inputs: { x: of([2, 3]), i: integers([2, 2], [1, 0, 1, 2]) }, build: node('Gather', { axis: int(-1) }) },
    { inputs: { x: of([2, 4, 3]), i: integers([], [-1]) }, build: node('Gather', { axis: int(1) }) },
    { inputs: { x: of([2, 4, 3]) }, build: (build, [x]) => build.gather(x!, build.scalar(0, 'int64'), 1) },
    { inputs: { x: of([5]), i: integers([3], [4, 4, 1]) }, build: node('Gather') },
    { inputs: { x: of([4, 3]), i: integers([0], []) }, build: node('Gather') },
    { inputs: { x: of([4, 3]), i: { dims: [2], dtype: 'int32', values: [3, 3] } }, build: node('Gather') },
    { inputs: { x: of([4, 3, 2]), i: integers([2], [3, 3]) }, build: node('Gather'), opset: 13 },
    // More rows than a one-hot product is used for; then with a number of rows that only the run knows.
    { inputs: { x: of([200, 2]), i: integers([2, 3], [0, 199, 199, -1, -200, 7]) }, build: node('Gather') },
    {
      inputs: { x: { ...of([5, 2]), fixed: 1 }, i: integers([2, 3], [0, 4, 4, -1, -5, 3]) },
      build: node('Gather'),
    },
    ...[-1, 3, -4].map((index) => ({
      inputs: { x: of([2, 4, 3]) },
      build: (build: GraphBuilder, [x]: readonly Value[]) => build.gather(x!, build.scalar(index, 'int64'), 1),
    })),
    { inputs: { x: of([2, 3]) }, build: (build, [x]) => build.gather(x!, build.int64s([-1]), 1) },
  ],
  GatherElements: [
    {
      inputs: { x: of([3, 2]), i: integers([2, 2], [0, 2, -1, 2]) },
      build: node('GatherElements', { axis: int(0) }),
    },
    {
      inputs: { x: of([2, 3]), i: integers([2, 4], [0, 2, 2, 1, 0, 0, 0, -1]) },
      build: node('GatherElements', { axis: int(-1) }),
    },
  ],
  GatherND: [
    { inputs: { x: of([3, 2, 2]), i: ranked([3, 2], [0, 1, 2, 0, 0, 1]) }, build: node('GatherND') },
    { inputs: { x: of([3, 2]), i: ranked([4, 1], [0, 2, 2, -1]) }, build: node('GatherND') },
    {
      inputs: { x: of([2, 3, 2]), i: ranked([2, 1], [0, 2]) },
      build: node('GatherND', { batch_dims: int(1) }),
    },
  ],
  Gelu: [...unary('Gelu', real, {}, 20), ...unary('Gelu', real, { approximate: string('tanh') }, 20)],
  Gemm: [0, 1].flatMap((transA) =>
    [0, 1].flatMap((transB) =>
      [[2, 4], [4], [2, 1], []].map((c) => ({
        inputs: { a: of(transA ? [3, 2] : [2, 3]), b: of(transB ? [4, 3] : [3, 4]), c: of(c) },
        build: node('Gemm', {
          transA: int(transA),
          transB: int(transB),
          ...(c.length === 1 && { alpha: float(0.5), beta: float(-2) }),
        }),
      })),
    ),
  ),
  HardSigmoid: [
    ...unary('HardSigmoid', avoiding(-2.5, 2.5)),
    ...unary('HardSigmoid', avoiding(-3, 1), { alpha: float(0.25), beta: float(0.75) }),
  ],
  HardSwish: unary('HardSwish', avoiding(-3, 3)),
  Identity: unary('Identity', real),
  LayerNormalization: [
    ...[
      { x: [2, 3, 5], scale: [5], bias: [5], axis: -1 },
      { x: [2, 3, 4], scale: [3, 4], bias: [3, 4], axis: 1 },
      { x: [2, 4], scale: [4], bias: [1], axis: -1 },
    ].map(({ x, scale, bias, axis }) => ({
      inputs: { x: of(x), scale: of(scale), bias: of(bias) },
      build: node('LayerNormalization', { axis: int(axis), epsilon: float(0.01) }),
    })),
    { inputs: { x: of([3, 4]), scale: of([4]) }, build: node('LayerNormalization') },
  ],
  LeakyRelu: [...unary('LeakyRelu', avoiding(0)), ...unary('LeakyRelu', avoiding(0), { alpha: float(0.3) })],
  Log: unary('Log', positive),
  LogSoftmax: [
    { inputs: { x: of([2, 3, 4]) }, build: node('LogSoftmax') },
    { inputs: { x: of([2, 3, 4]) }, build: node('LogSoftmax', { axis: int(1) }) },
    { inputs: { x: of([0, 4]) }, build: node('LogSoftmax', { axis: int(-1) }) },
  ],
  MatMul: (
    [
      [
        [2, 3],
        [3, 4],
      ],
      [
        [5, 2, 3],
        [3, 4],
      ],
      [
        [2, 5, 2, 3],
        [3, 4],
      ],
      [
        [2, 3],
        [5, 3, 4],
      ],
      [
        [5, 2, 3],
        [5, 3, 4],
      ],
      [
        [2, 1, 2, 3],
        [5, 3, 4],
      ],
      [
        [1, 2, 3],
        [5, 3, 4],
      ],
      [[3], [3]],
      [[3], [3, 4]],
      [[2, 3], [3]],
      [[2, 5, 3], [3]],
      [[3], [2, 3, 4]],
      [
        [2, 4, 3],
        [2, 3, 1],
      ],
      [
        [0, 2, 3],
        [3, 4],
      ],
      [
        [2, 0],
        [0, 4],
      ],
    ] as const
  ).map(([a, b]) => ({ inputs: { a: of(a), b: of(b) }, build: node('MatMul') })),
  Max: [
    ...binary('Max', real, real),
    { inputs: { a: of([2, 3]), b: of([3]), c: of([2, 1]) }, build: node('Max') },
    { inputs: { a: of([2, 3]) }, build: node('Max') },
  ],
  Mean: [{ inputs: { a: of([2, 3]), b: of([3]), c: of([2, 1]) }, build: node('Mean') }],
  Min: [...binary('Min', real, real), { inputs: { a: of([2, 3]), b: of([3]), c: of([2, 1]) }, build: node('Min') }],
  Mish: unary('Mish', real, {}, 18),
  Mod: [
    {
      inputs: { a: of([2, 3], [5.3, -4.1, 0.4, 2.2, -0.3, 7.9]), b: of([3], [2, 3, -1.5]) },
      build: node('Mod', { fmod: int(1) }),
    },
  ],
  Mul: [
    ...binary('Mul', real, real),
    { inputs: { a: of([2, 3]) }, build: (build, [a]) => build.mul(a!, build.mul(a!, a!)) },
  ],
  Neg: unary('Neg', real),
  NegativeLogLikelihoodLoss: lossCases('NegativeLogLikelihoodLoss'),
  Pad: [
    ...['constant', 'reflect', 'edge'].map((mode) => ({
      inputs: { x: of([2, 3]) },
      build: (build: GraphBuilder, [x]: readonly Value[]) =>
        build.op('Pad', [x!, build.int64s([1, 0, 0, 2])], { mode: string(mode) }),
    })),
    {
      inputs: { x: of([3, 4]), pads: integers([4], [1, -1, 0, 2]), fill: of([]) },
      build: node('Pad'),
    },
    {
      inputs: { x: of([2, 3]) },
      build: (build, [x]) => build.op('Pad', [x!, build.int64s([1, 1]), undefined, build.int64s([-1])]),
      opset: 18,
    },
  ],
  PRelu: [
    ...(
      [
        [[2, 3], [3]],
        [
          [2, 3, 2, 2],
          [3, 1, 1],
        ],
        [
          [2, 3],
          [2, 3],
        ],
        [[4], [1]],
        [[2, 2], []],
      ] as const
    ).map(([x, slope]) => ({ inputs: { x: of(x, avoiding(0)), slope: of(slope) }, build: node('PRelu') })),
    { inputs: { x: of([3], avoiding(0)), slope: of([3]) }, build: node('PRelu'), by: ['slope'], opset: 16 },
  ],
  Pow: [
    ...binary('Pow', positive, real),
    ...[2, 3, 1, 0.5, -1.5, 0].map((exponent) => ({
      inputs: { x: of([2, 3], positive) },
      build: (build: GraphBuilder, [x]: readonly Value[], dtype: 'float32' | 'float64') =>
        build.op('Pow', [x!, build.constant(scaled(dtype, exponent))]),
    })),
    { inputs: { x: of([4], [0, -1, 2, 3]) }, build: (build, [x]) => build.op('Pow', [x!, build.scalar(2, 'int64')]) },
    { inputs: { x: of([3], positive), n: integers([3], [0, 3, 2]) }, build: node('Pow') },
  ],
  QuantizeLinear: [
    // Some of what is drawn lies beyond the range of the integers.
    ...(['uint8', 'int8'] as const).map((type) => ({
      inputs: { x: of([3, 40], avoiding(limitOf(0), limitOf(255))) },
      build: (build: GraphBuilder, [x]: readonly Value[], dtype: 'float32' | 'float64') =>
        quantizedBy(build, x!, build.constant(scaled(dtype, SCALE)), type),
      smooth: (build: GraphBuilder, [x]: readonly Value[], dtype: 'float32' | 'float64') =>
        build.op('Clip', [x, ...[0, 255].map((step) => build.constant(scaled(dtype, limitOf(step))))]),
      opset: 19,
    })),
  ],
  Reciprocal: unary('Reciprocal', positive),
  ReduceL1: reduction('ReduceL1', avoiding(0)),
  ReduceL2: reduction('ReduceL2', real),
  ReduceLogSum: reduction('ReduceLogSum', positive),
  ReduceLogSumExp: reduction('ReduceLogSumExp', real),
  ReduceMax: reduction('ReduceMax', real),
  ReduceMean: reduction('ReduceMean', real),
  ReduceMin: reduction('ReduceMin', real),
  ReduceProd: [
    ...reduction('ReduceProd', avoiding(0)),
    {
      inputs: { x: of([3, 3], [1, 2, 3, 0, 2, 3, 0, 0, 3]) },
      build: node('ReduceProd', { axes: ints([1]), keepdims: int(0) }),
    },
  ],
  ReduceSum: [
    ...reduction('ReduceSum', real),
    ...reduction('ReduceSum', real, { noop_with_empty_axes: int(1) }),
    ...[0, 1].map((keepdims) => ({
      inputs: { x: of([2, 3, 2]), axes: ranked([2], [0, -1]) }, // axes that only the run knows
      build: node('ReduceSum', { keepdims: int(keepdims) }),
    })),
    { inputs: { x: of([0, 3]) }, build: (build, [x]) => build.reduceSum(x!, [0]) },
  ],
  ReduceSumSquare: reduction('ReduceSumSquare', real),
  Relu: unary('Relu', avoiding(0)),
  Reshape: [
    { inputs: { x: of([2, 6]) }, build: (build, [x]) => build.reshape(x!, build.int64s([0, 2, -1])) },
    { inputs: { x: of([2, 3, 4]) }, build: (build, [x]) => build.reshape(x!, build.int64s([-1])) },
    {
      inputs: { x: of([2, 0, 4]) },
      build: (build, [x]) => build.op('Reshape', [x!, build.int64s([4, 0])], { allowzero: int(1) }),
    },
    { inputs: { x: of([2, 3]), shape: ranked([2], [3, 2]) }, build: node('Reshape') },
  ],
  Resize: RESIZES.map(({ dims, scales, sizes, roi, opset = 19, ...attributes }) => ({
    inputs: { x: of(dims) },
    opset,
    build: (build: GraphBuilder, [x]: readonly Value[]) => {
      const floats = (values: readonly number[] | undefined): Value | undefined =>
        values && build.constant(tensorFrom('float32', values));
      const written = Object.entries(attributes).map(([name, value]) => [
        name,
        typeof value === 'string' ? string(value) : typeof value === 'number' ? float(value) : ints(value),
      ]);
      return build.op('Resize', [x, floats(roi), floats(scales), sizes && build.int64s(sizes)], {
        ...Object.fromEntries(written.filter(([name]) => name !== 'exclude_outside' && name !== 'antialias')),
        ...('exclude_outside' in attributes && { exclude_outside: int(1) }),
        ...('antialias' in attributes && { antialias: int(1) }),
      });
    },
  })),
  RoiAlign: ['half_pixel', 'output_half_pixel'].flatMap((transformation) =>
    [
      { samples: 2, scale: 1 },
      { samples: 3, scale: 0.5 },
    ].map(({ samples, scale }) => ({
      inputs: { x: of([2, 2, 4, 5]), regions: REGIONS, images: integers([3], [1, 0, 1]) },
      build: node('RoiAlign', {
        output_height: int(2),
        output_width: int(3),
        sampling_ratio: int(samples),
        spatial_scale: float(scale),
        coordinate_transformation_mode: string(transformation),
      }),
      by: ['x'],
    })),
  ),
  ScatterElements: [
    {
      inputs: { x: of([3, 2]), i: integers([1, 2], [2, 0]), u: of([1, 2]) },
      build: node('ScatterElements', { axis: int(0) }),
    },
    {
      inputs: { x: of([2, 3]), i: integers([2, 2], [0, -1, 1, 0]), u: of([2, 2]) },
      build: node('ScatterElements', { axis: int(-1) }),
    },
    {
      inputs: { x: of([2, 3]), i: integers([2, 2], [0, 0, 1, -2]), u: of([2, 2]) },
      build: node('ScatterElements', { axis: int(1), reduction: string('add') }),
    },
  ],
  ScatterND: [
    { inputs: { x: of([4, 2]), i: integers([2, 1], [3, 0]), u: of([2, 2]) }, build: node('ScatterND') },
    { inputs: { x: of([2, 2]), i: integers([2, 2], [1, 0, 0, 1]), u: of([2]) }, build: node('ScatterND') },
    {
      inputs: { x: of([4, 2]), i: integers([3, 1], [3, 3, 1]), u: of([3, 2]) },
      build: node('ScatterND', { reduction: string('add') }),
    },
  ],
  Selu: unary('Selu', avoiding(0)),
  Sigmoid: unary('Sigmoid', real),
  Sin: unary('Sin', real),
  Sinh: unary('Sinh', real),
  Slice: (
    [
      { dims: [4, 5], starts: [1], ends: [3], axes: [0] },
      { dims: [4, 5], starts: [1, -3], ends: [100, -1], axes: [-2, -1] },
      { dims: [4, 5], starts: [0], ends: [Number.MAX_SAFE_INTEGER], axes: [1] },
      { dims: [4, 5], starts: [3], ends: [1], axes: [0] },
      { dims: [4, 5], starts: [-100], ends: [2], axes: [1] },
      { dims: [4, 5], starts: [0, 4], ends: [4, -100], axes: [0, 1], steps: [2, -2] },
      { dims: [5], starts: [-1], ends: [-(2 ** 31)], axes: [0], steps: [-1] },
      { dims: [2, 3, 4], starts: [1, 0], ends: [2, 2] },
    ] as readonly { dims: number[]; starts: number[]; ends: number[]; axes?: number[]; steps?: number[] }[]
  ).flatMap(({ dims, starts, ends, axes, steps }) => [
    {
      inputs: { x: of(dims) },
      build: (build: GraphBuilder, [x]: readonly Value[]) =>
        build.op(
          'Slice',
          [x, starts, ends, axes, steps].map((value) => (Array.isArray(value) ? build.int64s(value) : value)),
        ),
    },
    {
      inputs: { x: of(dims), starts: integers([starts.length], starts) }, // found when the graph runs
      build: (build: GraphBuilder, [x, from]: readonly Value[]) =>
        build.op(
          'Slice',
          [x, from, ends, axes, steps].map((value) => (Array.isArray(value) ? build.int64s(value) : value)),
        ),
    },
  ]),
  Softmax: [
    { inputs: { x: of([2, 3, 4]) }, build: node('Softmax') },
    { inputs: { x: of([2, 3, 4]) }, build: node('Softmax', { axis: int(1) }) },
    { inputs: { x: of([0, 4]) }, build: node('Softmax', { axis: int(-1) }) },
  ],
  SoftmaxCrossEntropyLoss: [
    ...lossCases('SoftmaxCrossEntropyLoss'),
    {
      inputs: { scores: of([3, 4]), labels: integers([3], [0, 3, 1]) },
      build: (build, [scores, labels]) => build.node('SoftmaxCrossEntropyLoss', [scores, labels], { outputs: 2 }),
    },
  ],
  Softplus: unary('Softplus', real),
  Softsign: unary('Softsign', real),
  SpaceToDepth: [
    { inputs: { x: of([2, 2, 4, 6]) }, build: node('SpaceToDepth', { blocksize: int(2) }) },
    { inputs: { x: of([1, 1, 3, 3]) }, build: node('SpaceToDepth', { blocksize: int(3) }) },
  ],
  Split: [
    {
      inputs: { x: of([2, 6]) },
      build: (build, [x]) => build.split(x!, [1, 3, 2], 1),
    },
    { inputs: { x: of([2, 6]) }, build: (build, [x]) => build.split(x!, [1, 3, 2], -1)[1]! },
    {
      inputs: { x: of([4, 2]) },
      build: (build, [x]) => build.node('Split', [x], { outputs: 2, attributes: { num_outputs: int(2) } }),
      opset: 18,
    },
  ],
  Sqrt: unary('Sqrt', positive),
  Squeeze: [
    { inputs: { x: of([1, 3, 1]) }, build: (build, [x]) => build.squeeze(x!, [0, -1]) },
    { inputs: { x: of([1, 3, 1]) }, build: node('Squeeze'), onlyStatic: 'without axes the rank depends on the run' },
  ],
  Sub: binary('Sub', real, real),
  Sum: [
    { inputs: { a: of([2, 3]), b: of([3]), c: of([2, 1]) }, build: node('Sum') },
    { inputs: { a: of([2, 3]) }, build: node('Sum') },
  ],
  Tan: unary('Tan', unit),
  Tanh: unary('Tanh', real),
  ThresholdedRelu: [
    ...unary('ThresholdedRelu', avoiding(1)),
    ...unary('ThresholdedRelu', avoiding(0.2), { alpha: float(0.2) }),
  ],
  Tile: [
    { inputs: { x: of([2, 3]) }, build: (build, [x]) => build.op('Tile', [x!, build.int64s([2, 3])]) },
    { inputs: { x: of([2, 1]), n: integers([2], [1, 4]) }, build: node('Tile') },
    { inputs: { x: of([2, 3]) }, build: (build, [x]) => build.op('Tile', [x!, build.int64s([0, 1])]) },
  ],
  TopK: [
    {
      inputs: { x: of([2, 5]) },
      build: (build, [x]) => build.node('TopK', [x, build.int64s([3])], { outputs: 2 })[0]!,
    },
    {
      inputs: { x: of([4, 2]) },
      build: (build, [x]) =>
        build.node('TopK', [x, build.int64s([2])], { outputs: 2, attributes: { axis: int(0), largest: int(0) } })[0]!,
    },
  ],
  Transpose: [
    { inputs: { x: of([2, 3, 4]) }, build: node('Transpose', { perm: ints([1, 2, 0]) }) },
    { inputs: { x: of([2, 3, 4]) }, build: node('Transpose') },
    { inputs: { x: of([0, 3]) }, build: node('Transpose') },
  ],
  Trilu: [0, 1].flatMap((upper) =>
    [undefined, -1, 1].map((k) => ({
      inputs: { x: of([2, 3, 4]) },
      build: (build: GraphBuilder, [x]: readonly Value[]) =>
        build.op('Trilu', [x!, k === undefined ? undefined : build.scalar(k, 'int64')], { upper: int(upper) }),
    })),
  ),
  Unsqueeze: [
    { inputs: { x: of([3]) }, build: (build, [x]) => build.unsqueeze(x!, [0, -1]) },
    { inputs: { x: of([2, 0]) }, build: (build, [x]) => build.unsqueeze(x!, [1]) },
  ],
  Where: [
    {
      inputs: { c: booleans([2, 3], [1, 0, 0, 1, 1, 0]), a: of([3]), b: of([2, 1]) },
      build: node('Where'),
    },
    { inputs: { c: booleans([2, 1], [1, 0]), a: of([]), b: of([2, 3]) }, build: node('Where') },
  ],
} satisfies Record<RuleName, readonly Case[]>;

/** Quantizes with a zero point of 100, or of -28 in signed integers: both stand for the same numbers. */
function quantizedBy(build: GraphBuilder, x: Value, scale: Value, type: 'uint8' | 'int8'): Value {
  const data = type === 'uint8' ? Uint8Array.of(ZERO_POINT) : Int8Array.of(ZERO_POINT - 128);
  const zeroPoint = build.constant(tensor(type, [], data));
  return build.op('DequantizeLinear', [build.op('QuantizeLinear', [x, scale, zeroPoint]), scale, zeroPoint]);
}

function lossCases(opType: string): readonly Case[] {
  const uses: readonly { scores: number[]; labels: Input; weights?: number[]; attributes: Attributes }[] = [
    { scores: [3, 4], labels: integers([3], [0, 3, 1]), attributes: {} },
    { scores: [3, 4], labels: integers([3], [0, 3, 1]), attributes: { reduction: string('sum') } },
    { scores: [3, 4], labels: integers([3], [2, 2, 1]), attributes: { reduction: string('none') } },
    { scores: [3, 4], labels: integers([3], [0, -100, 1]), attributes: { ignore_index: int(-100) } },
    {
      scores: [2, 3, 2],
      labels: { dims: [2, 2], dtype: 'int32', values: [0, 2, 1, 1] },
      weights: [0.5, 2, 1.5],
      attributes: { ignore_index: int(2) },
    },
    { scores: [2, 3, 2], labels: integers([2, 2], [0, 2, 1, 1]), weights: [0.5, 2, 1.5], attributes: {} },
  ];
  return uses.map(({ scores, labels, weights, attributes }) => ({
    inputs: { scores: of(scores), labels },
    build: (build, [x, y], dtype) =>
      build.op(opType, [x!, y!, weights && build.constant(tensorFrom(dtype, weights))], attributes),
  }));
}

type Feeds = Readonly<Record<string, Tensor>>;

function feedsOf(inputs: Case['inputs'], dtype: 'float32' | 'float64'): Feeds {
  const source = random(7);
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, dtype: kind = 'float', values }]) => {
      const count = sizeOf(dims);
      const numbers = typeof values === 'function' ? Array.from({ length: count }, () => values(source)) : values;
      return [name, tensorFrom(kind === 'float' ? dtype : kind, numbers, dims)];
    }),
  );
}

/** Σ weight y over all elements of the outputs, with a weight for each element as a further input. */
function weighted(
  given: Case,
  dtype: 'float32' | 'float64',
  symbolic: boolean,
  weights: Feeds | undefined,
  construct = given.build,
): Model {
  const build = new GraphBuilder({ opset: given.opset ?? 17 });
  const shapeOf = (name: string, dims: readonly number[], fixed = 0): Shape =>
    symbolic ? dims.map((dim, axis) => (axis < dims.length - fixed ? `${name}_${axis}` : dim)) : dims;
  const values = Object.entries(given.inputs).map(([name, { dims, dtype: kind = 'float', fixed }]) =>
    build.input(name, kind === 'float' ? dtype : kind, shapeOf(name, dims, fixed)),
  );
  const outputs = [construct(build, values, dtype)].flat();
  if (weights === undefined) {
    for (const output of outputs) build.output(output);
    return build.build();
  }
  const terms = outputs.map((output, index) => {
    const name = `weight${index}`;
    const weight = build.input(name, dtype, shapeOf(name, weights[name]!.dims));
    return build.op('ReduceSum', [build.mul(output, weight)], { keepdims: int(0) });
  });
  build.output(build.op('Sum', terms, undefined, 'loss'));
  return build.build();
}

function weightsOf(given: Case): Feeds {
  const model = weighted(given, 'float64', false, undefined);
  const values = Object.values(evaluate(model, feedsOf(given.inputs, 'float64')));
  const source = random(11);
  return Object.fromEntries(
    values.map(({ dims }, index) => [
      `weight${index}`,
      tensorFrom(
        'float64',
        Array.from({ length: sizeOf(dims) }, () => source.normal()),
        dims,
      ),
    ]),
  );
}

/** Five-point central differences: the error is of fourth order in the step, about 1e-11 here. */
function differences(model: Model, feeds: Feeds, name: string): number[] {
  const values = numbersOf(feeds[name]!);
  const step = 2 ** -12;
  const lossAt = (index: number, offset: number): number => {
    const moved = values.map((value, other) => (other === index ? value + offset : value));
    const changed = { ...feeds, [name]: tensorFrom('float64', moved, feeds[name]!.dims) };
    return numbersOf(evaluate(model, changed).loss!)[0]!;
  };
  return values.map((_, index) => {
    const near = lossAt(index, step) - lossAt(index, -step);
    const far = lossAt(index, 2 * step) - lossAt(index, -2 * step);
    return (8 * near - far) / (12 * step);
  });
}

function expectClose(
  actual: Tensor,
  expected: readonly number[],
  tolerance: number,
  floor: number,
  what: string,
): void {
  const values = numbersOf(actual);
  expect(values.length, what).toBe(expected.length);
  const largest = Math.max(0, ...expected.map(Math.abs));
  const allowed = Math.max(tolerance * largest, floor);
  for (const [index, value] of values.entries()) {
    const difference = Math.abs(value - expected[index]!);
    if (difference <= allowed) continue;
    expect.fail(`${what}: element ${index} is ${value}, expected ${expected[index]} (${difference} > ${allowed})`);
  }
}

const SESSION = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const;

async function runOnRuntime(model: Model, feeds: Feeds): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(encodeModel(model), SESSION);
  const given = Object.entries(feeds).map(([name, { dtype, dims, data }]) => [
    name,
    new RuntimeTensor(dtype as 'float32', data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      tensor(type as DataType, dims, data as TypedArray),
    ]),
  );
}

const titleOf = (given: Case, index: number): string =>
  `${index} ${Object.values(given.inputs)
    .map(({ dims }) => `[${dims}]`)
    .join(' ')}`;

describe.each(Object.entries(ROWS as Readonly<Record<string, readonly Case[]>>))('%s', (_, cases) => {
  it.each(cases.map((given, index) => [titleOf(given, index), given] as const))('case %s', async (_title, given) => {
    const weights = weightsOf(given);
    const by = given.by ?? Object.keys(given.inputs).filter((name) => given.inputs[name]!.dtype === undefined);
    const feeds = { ...feedsOf(given.inputs, 'float64'), ...weights };
    const narrow = Object.fromEntries(
      Object.entries(feeds).map(([name, value]) => [
        name,
        value.dtype === 'float64' ? tensorFrom('float32', numbersOf(value), value.dims) : value,
      ]),
    );
    const forward = weighted(given, 'float64', false, weights);
    const differentiated = gradient(forward, { of: 'loss', withRespectTo: by });
    // ScatterND that adds gives other bits from run to run with two threads.
    const adding = ({ nodes }: Model['graph']): number =>
      nodes.filter((node) => node.opType === 'ScatterND' && node.attributes.has('reduction')).length;
    expect(adding(differentiated.graph)).toBe(adding(forward.graph));
    const exact = evaluate(differentiated, feeds);
    for (const name of by) {
      const result = exact[`${name}_grad`]!;
      expect(result.dims).toEqual(feeds[name]!.dims);
      const expected = differences(weighted(given, 'float64', false, weights, given.smooth), feeds, name);
      expectClose(result, expected, 1e-6, 1e-9, `${name}_grad by differences`);
    }
    const shapes = [false, ...(given.onlyStatic === undefined ? [true] : [])];
    for (const symbolic of shapes) {
      const kind = symbolic ? 'symbolic' : 'static';
      const wide = gradient(weighted(given, 'float64', symbolic, weights), { of: 'loss', withRespectTo: by });
      const again = evaluate(wide, feeds);
      const model = gradient(weighted(given, 'float32', symbolic, weights), { of: 'loss', withRespectTo: by });
      const fast = given.onlyReference === undefined ? await runOnRuntime(model, narrow) : undefined;
      for (const name of by) {
        const expected = numbersOf(exact[`${name}_grad`]!);
        expectClose(again[`${name}_grad`]!, expected, 1e-12, 1e-12, `${name}_grad, ${kind} shapes`);
        if (fast === undefined) continue;
        expect(fast[`${name}_grad`]!.dims).toEqual(feeds[name]!.dims);
        expectClose(fast[`${name}_grad`]!, expected, 1e-4, 1e-6, `${name}_grad on ONNX Runtime, ${kind} shapes`);
      }
    }
  });
});

it('the table has a row for every operator', () => {
  expect(Object.keys(GRADIENT_RULES).sort()).toEqual([...OPERATORS].sort());
});
