import { sizeOf, tensorFrom } from '../../base/index.ts';
import { intOf, intsOf, knownWindow, type Shape, tapPositions, type Value, windowOver } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import {
  addAtPositions,
  castLike,
  dimensionOf,
  knownSize,
  reshapeLike,
  reshapeTo,
  scalarLike,
  shapeValue,
} from '../shapes.ts';
import { inputGradient, numericPads } from './convolution.ts';

export const POOLING = {
  // Each value came from one place; windows that overlap may have taken it more than once.
  MaxPool: rule((context) => {
    if (intOf(context.node, 'storage_order', 0) !== 0) {
      throw context.unsupported('storage_order 1 counts its indices another way', 'Use storage_order 0.');
    }
    return [addAtPositions(context, context.input(0), context.output(1), context.outputGradient(0))];
  }, 16),
  AveragePool: rule((context) => {
    const { build } = context;
    const dy = context.outputGradient(0);
    return [overWindows(context, build.mul(dy, reciprocalCounts(context)))];
  }),
  // |x|^(p-1) sign(x) Σ dy y^(1-p) over the windows that read x
  LpPool: rule((context) => {
    const p = intOf(context.node, 'p', 2);
    const spread = overWindows(context, normFactor(context, p));
    return [context.build.mul(spread, signedPower(context, p))];
  }),
  GlobalAveragePool: rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const shape = context.shapeOf(x).slice(2);
    const size = knownSize(shape);
    const dy = context.outputGradient(0);
    const dtype = context.dataTypeOf(x);
    if (size !== undefined && (dtype === 'float32' || dtype === 'float64')) {
      // Its product with a row of shares: ONNX Runtime expands [32, 576, 1, 1] to [32, 576, 3, 3] in five times the time.
      const row = build.constant(tensorFrom(dtype, new Array<number>(size).fill(1 / size), [1, size]), 'shares');
      const product = build.matMul(build.reshape(dy, build.int64s([-1, 1])), row);
      return [reshapeLike(context, product, undefined, { value: x, shape: context.shapeOf(x) })];
    }
    const share =
      size === undefined
        ? build.div(dy, castLike(context, build.reduceProd(spatialSizes(context), [0], false), x))
        : build.mul(dy, scalarLike(context, 1 / size, x));
    return [build.expand(share, shapeValue(context, x))];
  }),
  // The elements that equal the largest share its gradient evenly.
  GlobalMaxPool: rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const hits = castLike(context, build.equal(x, context.output(0)), x);
    const axes = context.shapeOf(x).map((_, axis) => axis);
    return [build.mul(hits, build.div(context.outputGradient(0), build.reduceSum(hits, axes.slice(2))))];
  }),
  GlobalLpPool: rule((context) => {
    const p = intOf(context.node, 'p', 2);
    return [context.build.mul(signedPower(context, p), normFactor(context, p))];
  }),
} as const;

/** dy y^(1-p), and 0 where the norm is 0. */
function normFactor(context: GradientContext, p: number): Value {
  const { build } = context;
  const [y, dy] = [context.output(0), context.outputGradient(0)];
  if (p === 1) return dy;
  const zero = scalarLike(context, 0, y);
  const power = p === 2 ? y : build.op('Pow', [y, scalarLike(context, p - 1, y)]);
  return build.where(build.equal(y, zero), zero, build.div(dy, power));
}

/** |x|^(p-1) sign(x) */
function signedPower(context: GradientContext, p: number): Value {
  const { build } = context;
  const x = context.input(0);
  if (p === 1) return build.op('Sign', [x]);
  if (p === 2) return x;
  return build.mul(build.op('Sign', [x]), build.op('Pow', [build.op('Abs', [x]), scalarLike(context, p - 1, x)]));
}

/** Adds to each element of the input the values of all windows that read it: a convolution with ones, undone. */
function overWindows(context: GradientContext, values: Value): Value {
  const { build } = context;
  const x = context.input(0);
  const shape = context.shapeOf(x);
  const places = context.shapeOf(context.output(0)).slice(2);
  const kernel = intsOf(context.node, 'kernel_shape')!;
  const window = numericPads(context, windowOver(context.node, kernel, shape.slice(2)));
  const dtype = context.dataTypeOf(x) === 'float64' ? 'float64' : 'float32';
  const ones = build.constant(tensorFrom(dtype, new Array<number>(sizeOf(kernel)).fill(1), [1, 1, ...kernel]), 'ones');
  // Each channel of each image is an image of its own.
  const alone = (value: Value, like: Value, sizes: Shape): Value =>
    build.reshape(
      value,
      knownSize(sizes) === undefined
        ? build.concat([build.int64s([-1, 1]), ...sizes.map((_, axis) => dimensionOf(context, like, axis + 2))], 0)
        : build.int64s([-1, 1, ...(sizes as readonly number[])]),
    );
  const input = { value: alone(x, x, shape.slice(2)), shape: [null, 1, ...shape.slice(2)] };
  const spread = inputGradient(
    context,
    { input, output: [null, 1, ...places], group: 1, window },
    alone(values, context.output(0), places),
    ones,
  );
  return reshapeTo(context, spread, shapeValue(context, x));
}

/** 1 / (number of elements that a window counts): one number, or one a place where windows reach into the padding. */
function reciprocalCounts(context: GradientContext): Value {
  const { build, node } = context;
  const x = context.input(0);
  const sizes = context.shapeOf(x).slice(2);
  const kernel = intsOf(node, 'kernel_shape')!;
  const window = windowOver(node, kernel, sizes);
  const padded = [...window.begin, ...window.end].some((pad) => pad !== 0);
  const ceil = intOf(node, 'ceil_mode', 0) !== 0;
  const including = intOf(node, 'count_include_pad', 0) !== 0;
  if (!ceil && (!padded || including)) return scalarLike(context, 1 / sizeOf(kernel), x);
  const known = knownWindow(window);
  if (known === undefined || knownSize(sizes) === undefined) {
    throw context.unsupported(
      'how many elements its windows count depends on sizes that are not known',
      'Give the input fixed sizes.',
    );
  }
  // Counted in the padding as well, the padded input is what windows may reach into.
  const margin = including ? known.begin.map((pad, axis) => pad + known.end[axis]!) : known.begin.map(() => 0);
  const area = (sizes as readonly number[]).map((size, axis) => size + margin[axis]!);
  const counted = including ? { ...known, begin: known.begin.map(() => 0) } : known;
  const counts = new Array<number>(sizeOf(known.places)).fill(0);
  for (const row of tapPositions(counted, area))
    for (const [place, position] of row.entries()) if (position >= 0) counts[place]!++;
  const dtype = context.dataTypeOf(x) === 'float64' ? 'float64' : 'float32';
  return build.constant(
    tensorFrom(
      dtype,
      counts.map((count) => 1 / count),
      known.places,
    ),
    'shares',
  );
}

function spatialSizes(context: GradientContext): Value {
  const { build } = context;
  const x = context.input(0);
  return build.slice(build.shape(x), [2], [context.shapeOf(x).length], [0]);
}
