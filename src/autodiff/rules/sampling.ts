import { DATA_TYPES } from '../../base/index.ts';
import { floatOf, intOf, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import { castLike, dimensionOf, scalarOf, shapeValue, zerosOf } from '../shapes.ts';

/**
 * GridSample is a sum over neighbouring pixels, with weights that are products over the axes. To the pixels goes each
 * weight times the gradient; to the grid the values times the slope of the weight along one axis.
 */
export const SAMPLING = {
  GridSample: rule((context) => {
    const taps = tapsOf(context);
    return [
      context.needs(0) ? toPixels(context, taps) : undefined,
      context.needs(1) ? toGrid(context, taps) : undefined,
    ];
  }, 16),
  RoiAlign: rule((context) => {
    if (context.needs(1))
      throw context.unsupported('the regions have no gradient', 'Leave them out of what is differentiated.');
    return [context.needs(0) ? toMap(context) : undefined];
  }, 16),
} as const;

/** The pixels along one axis that a place takes, each [N, 1, P]. */
interface AxisTap {
  /** int64, inside of the image. */
  readonly index: Value;
  readonly weight: Value;
  /** By how much the weight grows with the place, in pixels; undefined for a weight that does not. */
  readonly slope: Value | undefined;
}

interface Taps {
  /** By axis: the taps, and how many pixels the image is long for one unit of the grid, as a scalar. */
  readonly axes: readonly { readonly taps: readonly AxisTap[]; readonly unit: Value }[];
  /** What comes in for each place: [N, C, P]. */
  readonly gradient: Value;
}

function tapsOf(context: GradientContext): Taps {
  const { build, node } = context;
  const grid = context.input(1);
  const dtype = context.dataTypeOf(grid);
  const rank = context.shapeOf(context.input(0)).length - 2;
  const aligned = intOf(node, 'align_corners', 0) !== 0;
  const mode = MODES[stringOf(node, 'mode', 'linear')];
  const padding = stringOf(node, 'padding_mode', 'zeros');
  if (mode === undefined) throw context.unsupported(`mode "${stringOf(node, 'mode', 'linear')}"`);
  const number = (value: number): Value => scalarOf(context, value, dtype);
  const whole = (value: number): Value => build.scalar(value, 'int64');
  const code = DATA_TYPES[dtype].code;
  const batch = dimensionOf(context, grid, 0);
  const flat = build.concat([batch, build.int64s([1]), build.int64s([-1])], 0);
  const axes = Array.from({ length: rank }, (_, axis) => {
    const length = build.squeeze(dimensionOf(context, context.input(0), axis + 2), [0]);
    const last = build.sub(length, whole(1));
    const given = build.reshape(build.gather(grid, build.int64s([rank - 1 - axis]), rank + 1), flat); // [N, 1, P]
    const unit = build.div(build.cast(aligned ? last : length, code), number(2));
    // Halfway along the image is place 0 of the grid.
    const at = build.add(build.mul(given, unit), build.div(build.cast(last, code), number(2)));
    const base = mode === 'nearest' ? build.op('Round', [at]) : build.op('Floor', [at]);
    const fraction = build.sub(at, base);
    const pixel = build.cast(base, DATA_TYPES.int64.code);
    const taps = WEIGHTS[mode](context, fraction, number).map(({ offset, weight, slope }): AxisTap => {
      const index = offset === 0 ? pixel : build.add(pixel, whole(offset));
      const inside = insideOf(context, index, { length, last, aligned, padding });
      if (inside.mask === undefined) return { index: inside.index, weight, slope };
      const mask = build.cast(inside.mask, code);
      return { index: inside.index, weight: build.mul(weight, mask), slope: slope && build.mul(slope, mask) };
    });
    return { taps, unit };
  });
  const three = build.concat([batch, dimensionOf(context, context.input(0), 1), build.int64s([-1])], 0);
  return { axes, gradient: build.reshape(context.outputGradient(0), three) };
}

const MODES: Readonly<Record<string, 'linear' | 'cubic' | 'nearest'>> = {
  bilinear: 'linear',
  linear: 'linear',
  bicubic: 'cubic',
  cubic: 'cubic',
  nearest: 'nearest',
};

interface Weight {
  readonly offset: number;
  readonly weight: Value;
  readonly slope: Value | undefined;
}

type Weights = (context: GradientContext, fraction: Value, number: (value: number) => Value) => readonly Weight[];

const WEIGHTS: Readonly<Record<'linear' | 'cubic' | 'nearest', Weights>> = {
  linear: ({ build }, fraction, number) => {
    const one = build.add(build.sub(fraction, fraction), number(1));
    return [
      { offset: 0, weight: build.sub(number(1), fraction), slope: build.neg(one) },
      { offset: 1, weight: fraction, slope: one },
    ];
  },
  // Keys' cubic convolution (1981) with a = -3/4: near (a + 2) d³ - (a + 3) d² + 1, far a (d³ - 5 d² + 8 d - 4).
  cubic: ({ build }, fraction, number) => {
    const a = -0.75;
    const polynomial = (d: Value, coefficients: readonly number[]): Value =>
      coefficients
        .slice(1)
        .reduce<Value>(
          (sum, coefficient) => build.add(build.mul(sum, d), number(coefficient)),
          number(coefficients[0]!),
        );
    const near = [a + 2, -(a + 3), 0, 1];
    const far = [a, -5 * a, 8 * a, -4 * a];
    const derivative = (coefficients: readonly number[]): number[] =>
      coefficients.slice(0, -1).map((coefficient, index) => (coefficients.length - 1 - index) * coefficient);
    return [-1, 0, 1, 2].map((offset) => {
      const before = offset <= 0;
      const distance = before ? build.sub(fraction, number(offset)) : build.sub(number(offset), fraction);
      const coefficients = offset === 0 || offset === 1 ? near : far;
      const slope = polynomial(distance, derivative(coefficients));
      return { offset, weight: polynomial(distance, coefficients), slope: before ? slope : build.neg(slope) };
    });
  },
  nearest: ({ build }, fraction, number) => [
    { offset: 0, weight: build.add(build.sub(fraction, fraction), number(1)), slope: undefined },
  ],
};

interface Border {
  readonly length: Value;
  readonly last: Value;
  readonly aligned: boolean;
  readonly padding: string;
}

/** A pixel of the image for each index, and where there is none. */
function insideOf(
  { build }: GradientContext,
  index: Value,
  { length, last, aligned, padding }: Border,
): { readonly index: Value; readonly mask?: Value } {
  const whole = (value: number): Value => build.scalar(value, 'int64');
  const clamped = build.op('Min', [build.op('Max', [index, whole(0)]), last]);
  if (padding === 'border') return { index: clamped };
  if (padding === 'zeros') return { index: clamped, mask: build.equal(index, clamped) };
  const period = aligned ? build.op('Max', [build.mul(last, whole(2)), whole(1)]) : build.mul(length, whole(2));
  const within = build.op('Mod', [index, period]);
  const mirrored = build.sub(aligned ? period : build.sub(period, whole(1)), within);
  return { index: build.op('Min', [within, mirrored]) };
}

interface Combination {
  /** Row-major in the image: [N, 1, P]. */
  readonly index: Value;
  readonly taps: readonly AxisTap[];
}

/** Every choice of a tap along each axis. */
function combinations(context: GradientContext, { axes }: Taps): readonly Combination[] {
  const { build } = context;
  let all: readonly { readonly index: Value | undefined; readonly taps: readonly AxisTap[] }[] = [
    { index: undefined, taps: [] },
  ];
  for (const [axis, { taps }] of axes.entries()) {
    const length = build.squeeze(dimensionOf(context, context.input(0), axis + 2), [0]);
    all = all.flatMap(({ index, taps: chosen }) =>
      taps.map((tap) => ({
        index: index === undefined ? tap.index : build.add(build.mul(index, length), tap.index),
        taps: [...chosen, tap],
      })),
    );
  }
  return all.map(({ index, taps }) => ({ index: index!, taps }));
}

function product({ build }: GradientContext, values: readonly Value[]): Value {
  return values.reduce((a, b) => build.mul(a, b));
}

function toPixels(context: GradientContext, taps: Taps): Value {
  const { build } = context;
  const x = context.input(0);
  const all = combinations(context, taps);
  const spread = build.shape(taps.gradient);
  const updates = all.map(({ taps: chosen }) => {
    const weight = product(
      context,
      chosen.map((tap) => tap.weight),
    );
    return build.mul(taps.gradient, castLike(context, weight, x));
  });
  const indices = all.map(({ index }) => build.expand(index, spread));
  const dims = build.concat([dimensionOf(context, x, 0), dimensionOf(context, x, 1), pixelCount(context)], 0);
  const side = (values: readonly Value[]): Value => (values.length === 1 ? values[0]! : build.concat(values, 2));
  const sums = build.scatterAdd(zerosOf(context, dims, context.dataTypeOf(x)), side(indices), side(updates), 2);
  return build.reshape(sums, shapeValue(context, x));
}

/** How many pixels an image has, as int64 [1]. */
function pixelCount(context: GradientContext): Value {
  const { build } = context;
  const x = context.input(0);
  const axes = context.shapeOf(x).slice(2);
  return axes.map((_, axis) => dimensionOf(context, x, axis + 2)).reduce((a, b) => build.mul(a, b));
}

function toGrid(context: GradientContext, taps: Taps): Value | undefined {
  const { build } = context;
  const x = context.input(0);
  const grid = context.input(1);
  if (taps.axes.some(({ taps: along }) => along.some(({ slope }) => slope === undefined))) return undefined;
  const spread = build.shape(taps.gradient);
  const dims = build.concat([dimensionOf(context, x, 0), dimensionOf(context, x, 1), build.int64s([-1])], 0);
  const pixels = build.reshape(x, dims);
  // What each pixel adds for one more of its weight, over the channels: [N, 1, P].
  const all = combinations(context, taps).map(({ index, taps: chosen }) => {
    const values = build.op('GatherElements', [pixels, build.expand(index, spread)], {
      axis: { kind: 'int', value: 2 },
    });
    const share = build.reduceSum(build.mul(values, taps.gradient), [1]);
    return { share: castLike(context, share, grid), chosen };
  });
  const byAxis = taps.axes.map(({ unit }, axis) => {
    const parts = all.map(({ share, chosen }) =>
      product(context, [share, ...chosen.map((tap, other) => (other === axis ? tap.slope! : tap.weight))]),
    );
    return build.mul(
      parts.reduce((a, b) => build.add(a, b)),
      unit,
    );
  });
  const stacked = build.concat(
    byAxis.toReversed().map((value) => build.unsqueeze(value, [3])),
    3,
  ); // [N, 1, P, r]
  return build.reshape(stacked, shapeValue(context, grid));
}

/**
 * An average over samples is a matrix along each axis: out[r] = A[r] x[image of r] B[r]ᵀ. With the images as a matrix of
 * ones as well, the gradient is two products.
 */
function toMap(context: GradientContext): Value {
  const { build, node } = context;
  if (stringOf(node, 'mode', 'avg') !== 'avg') {
    throw context.unsupported('mode "max"', 'Runtimes take the largest of different values: use "avg".');
  }
  const samples = intOf(node, 'sampling_ratio', 0);
  if (samples < 1) {
    throw context.unsupported(
      'sampling_ratio 0: as many samples as a region is large',
      'Export with a number of them.',
    );
  }
  const x = context.input(0);
  const dtype = context.dataTypeOf(x);
  const [rows, columns] = [intOf(node, 'output_height', 1), intOf(node, 'output_width', 1)];
  const down = averaging(context, { axis: 2, from: 1, bins: rows, samples }); // [R, rows, H]
  const across = averaging(context, { axis: 3, from: 0, bins: columns, samples }); // [R, columns, W]
  const gradient = context.outputGradient(0); // [R, C, rows, columns]
  const wide = build.matMul(gradient, build.unsqueeze(across, [1])); // [R, C, rows, W]
  const images = build.op('Range', [
    build.scalar(0, 'int64'),
    build.squeeze(dimensionOf(context, x, 0), [0]),
    build.scalar(1, 'int64'),
  ]);
  const owner = build.cast(
    build.equal(build.unsqueeze(images, [1]), build.unsqueeze(context.input(2), [0])),
    DATA_TYPES[dtype].code,
  ); // [N, R]
  // [N, R, 1, 1] · [R, rows, H]: [N, H, R · rows]
  const placed = build.transpose(build.mul(build.unsqueeze(owner, [2, 3]), down), [0, 3, 1, 2]);
  const [height, channels, width] = [2, 1, 3].map((axis) => dimensionOf(context, x, axis)) as [Value, Value, Value];
  const one = build.int64s([-1]);
  const left = build.reshape(placed, build.concat([dimensionOf(context, x, 0), height, one], 0));
  const turned = build.transpose(wide, [0, 2, 1, 3]); // [R, rows, C, W]
  const right = build.reshape(turned, build.concat([one, build.mul(channels, width)], 0)); // [R · rows, C · W]
  const sums = build.matMul(left, right); // [N, H, C · W]
  const shape = build.concat([dimensionOf(context, x, 0), height, channels, width], 0);
  return build.transpose(build.reshape(sums, shape), [0, 2, 1, 3]);
}

interface Averaging {
  /** Of the map. */
  readonly axis: number;
  /** Which coordinate of a region begins it; the one that ends it is two further. */
  readonly from: number;
  readonly bins: number;
  readonly samples: number;
}

/** How much of each pixel along an axis is in each bin of each region: [R, bins, length]. */
function averaging(context: GradientContext, { axis, from, bins, samples }: Averaging): Value {
  const { build, node } = context;
  const x = context.input(0);
  const regions = context.input(1);
  const dtype = context.dataTypeOf(regions);
  const code = DATA_TYPES[dtype].code;
  const number = (value: number): Value => scalarOf(context, value, dtype);
  const halfPixel = stringOf(node, 'coordinate_transformation_mode', 'half_pixel') === 'half_pixel';
  const bound = (column: number): Value => {
    const scaled = build.mul(
      build.gather(regions, build.int64s([column]), 1),
      number(floatOf(node, 'spatial_scale', 1)),
    );
    return halfPixel ? build.sub(scaled, number(0.5)) : scaled;
  };
  const start = bound(from); // [R, 1]
  const whole = build.sub(bound(from + 2), start);
  const extent = halfPixel ? whole : build.op('Max', [whole, number(1)]);
  const count = bins * samples;
  const middles = build.concat(
    Array.from({ length: count }, (_, index) => build.unsqueeze(number((index + 0.5) / count), [0])),
    0,
  );
  const at = build.add(start, build.mul(extent, middles)); // [R, bins · samples]
  const length = build.squeeze(dimensionOf(context, x, axis), [0]);
  const last = build.cast(build.sub(length, build.scalar(1, 'int64')), code);
  const inside = build.op('Min', [build.op('Max', [at, number(0)]), last]);
  const far = build.op('Or', [build.less(at, number(-1)), build.greater(at, build.cast(length, code))]);
  const pixels = build.cast(build.op('Range', [build.scalar(0, 'int64'), length, build.scalar(1, 'int64')]), code);
  const distance = build.op('Abs', [build.sub(build.unsqueeze(inside, [2]), pixels)]);
  const weights = build.op('Relu', [build.sub(number(1), distance)]); // [R, bins · samples, length]
  const kept = build.where(build.unsqueeze(far, [2]), number(0), weights);
  const split = build.concat([build.int64s([-1, bins, samples]), dimensionOf(context, x, axis)], 0);
  const mean = build.reduceMean(build.reshape(kept, split), [2], false);
  return castLike(context, mean, x);
}
