import { sizeOf, tensorFrom } from '../../base/index.ts';
import {
  extentOf,
  int,
  intOf,
  ints,
  knownWindow,
  type Shape,
  tapPositions,
  transposedWindow,
  type Value,
  type Window,
  windowOver,
} from '../../graph/index.ts';
import type { Shaped } from '../broadcast.ts';
import { PAIRS_OF_CHANNEL } from '../moving-convolutions.ts';
import { type GradientContext, rule } from '../rule.ts';
import { reshapeTo } from '../shapes.ts';

/** A convolution of `input` [batch, channels, ...] whose output is [batch, outputs, ...], with its padding as numbers. */
export interface Convolution {
  readonly input: Shaped;
  readonly output: Shape;
  readonly group: number;
  readonly window: PaddedWindow;
}

/** A window over sizes that may be open, with padding that is not. */
export interface PaddedWindow extends Window {
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

/**
 * The forms of these gradients were chosen by measurement: docs/decisions/0008-convolution-gradients.md has the table. From
 * how many places on a kernel that moves over an image beats one product of all images at once:
 */
const FEW_PLACES = 16;
/** Up to how many pairs of an element and a place the weights of a depthwise convolution are written as one matrix a channel. */
const PAIRS_OF_WEIGHTS = 21_000;
/** From how many channels on a product with each tap is as fast as a convolution of the batch by the gradient. */
const MANY_CHANNELS = 4;

export const CONVOLUTION = {
  Conv: rule((context) => {
    const [x, w, y] = [shaped(context, context.input(0)), shaped(context, context.input(1)), context.output(0)];
    const window = numericPads(context, windowOver(context.node, kernelOf(context, w), x.shape.slice(2)));
    const output = context.shapeOf(y);
    const convolution = { input: x, output, group: intOf(context.node, 'group', 1), window };
    const dy = context.outputGradient(0);
    return [
      context.needs(0) ? inputGradient(context, convolution, dy, w.value) : undefined,
      context.needs(1) ? weightGradient(context, convolution, dy) : undefined,
      context.needs(2) ? biasGradient(context, dy) : undefined,
    ];
  }),
  // The convolution that this is the transpose of reads its output and writes its input.
  ConvTranspose: rule((context) => {
    const [x, w] = [shaped(context, context.input(0)), shaped(context, context.input(1))];
    const { window, outputs } = transposedWindow(context.node, kernelOf(context, w), x.shape.slice(2));
    const added = intsOfOutputPadding(context, window.kernel.length);
    const padded = numericPads(context, window);
    const channels = context.shapeOf(context.output(0)).slice(0, 2);
    const fitted = croppedToFit(context, {
      input: { value: context.outputGradient(0), shape: [...channels, ...outputs] },
      output: x.shape,
      group: intOf(context.node, 'group', 1),
      window: { ...padded, end: padded.end.map((pad, axis) => pad - added[axis]!) },
    });
    const dx = (): Value =>
      context.build.op('Conv', [fitted.input.value, w.value], attributesOf(fitted.window, fitted.group));
    return [
      context.needs(0) ? dx() : undefined,
      context.needs(1) ? weightGradient(context, fitted, x.value) : undefined,
      context.needs(2) ? biasGradient(context, context.outputGradient(0)) : undefined,
    ];
  }),
} as const;

function shaped(context: GradientContext, value: Value): Shaped {
  return { value, shape: context.shapeOf(value) };
}

function kernelOf(context: GradientContext, { value, shape }: Shaped): readonly number[] {
  const kernel = shape.slice(2);
  if (kernel.every((dim) => typeof dim === 'number')) return kernel as readonly number[];
  throw context.unsupported(`the kernel of "${value}" has dimensions that are not known`);
}

/** A window whose padding is numbers: automatic padding with strides depends on sizes that may not be known. */
export function numericPads(context: GradientContext, window: Window): PaddedWindow {
  const { begin, end } = window;
  if ([...begin, ...end].every((pad) => typeof pad === 'number')) return window as PaddedWindow;
  throw context.unsupported('its padding depends on a size that is not known', 'Give the input fixed sizes.');
}

function intsOfOutputPadding({ node }: GradientContext, rank: number): readonly number[] {
  const attribute = node.attributes.get('output_padding');
  return attribute?.kind === 'ints' ? attribute.value.map(Number) : new Array<number>(rank).fill(0);
}

/** The same convolution with no negative padding: what it stands for is cut off (or added as zeros) beforehand. */
function croppedToFit(context: GradientContext, convolution: Convolution): Convolution {
  const { input, window } = convolution;
  if ([...window.begin, ...window.end].every((pad) => pad >= 0)) return convolution;
  const before = window.begin.map((pad) => Math.min(pad, 0));
  const behind = window.end.map((pad) => Math.min(pad, 0));
  const value = context.build.op('Pad', [input.value, context.build.int64s([0, 0, ...before, 0, 0, ...behind])]);
  const cut = (dim: Shape[number], axis: number): Shape[number] =>
    axis < 2 || typeof dim !== 'number' ? dim : dim + before[axis - 2]! + behind[axis - 2]!;
  return {
    ...convolution,
    input: { value, shape: input.shape.map(cut) },
    window: {
      ...window,
      begin: window.begin.map((pad) => Math.max(pad, 0)),
      end: window.end.map((pad) => Math.max(pad, 0)),
    },
  };
}

function attributesOf({ strides, dilations, begin, end }: PaddedWindow, group: number) {
  return { strides: ints(strides), dilations: ints(dilations), pads: ints([...begin, ...end]), group: int(group) };
}

function biasGradient(context: GradientContext, dy: Value): Value {
  const axes = context.shapeOf(context.output(0)).map((_, axis) => axis);
  return context.build.reduceSum(dy, [0, ...axes.slice(2)], false);
}

// The gradient of the weights [outputs, channels/group, kernel...]

function weightGradient(context: GradientContext, convolution: Convolution, dy: Value): Value {
  const { input, output, group, window } = convolution;
  const [sizes, places] = [numbers(input.shape.slice(2)), numbers(output.slice(2))];
  const [channels, outputs] = [input.shape[1], output[1]];
  if (sizes === undefined || places === undefined || typeof channels !== 'number' || typeof outputs !== 'number') {
    return weightsByConvolution(context, convolution, dy);
  }
  const known = { ...window, places };
  if (isPointwise(window) && group === 1 && sizeOf(places) > FEW_PLACES) {
    return weightsByImages(context, input.value, dy, channels, outputs, places);
  }
  if (isDepthwise(group, channels, outputs)) {
    if (sizeOf(sizes) * sizeOf(places) > PAIRS_OF_WEIGHTS) return weightsByConvolution(context, convolution, dy);
    const { build } = context;
    const [images, gradients] = [
      planes(context, input.value, channels, sizes, [1, 0, 2]), // [channels, batch, sizes]
      planes(context, dy, channels, places, [1, 2, 0]), // [channels, places, batch]
    ];
    const pairs = build.reshape(
      build.matMul(gradients, images),
      build.int64s([channels, sizeOf(places) * sizeOf(sizes)]),
    );
    const taps = build.matMul(pairs, pairsByTap(context, known, sizes));
    return build.reshape(taps, build.int64s([channels, 1, ...window.kernel]));
  }
  if (channels / group < MANY_CHANNELS) return weightsByConvolution(context, convolution, dy);
  return weightsByTaps(context, convolution, dy, channels, outputs, places);
}

/** A kernel of one tap: the products of each image, summed over the batch. */
function weightsByImages(
  { build }: GradientContext,
  x: Value,
  dy: Value,
  channels: number,
  outputs: number,
  places: readonly number[],
): Value {
  const flat = (value: Value, count: number): Value => build.reshape(value, build.int64s([0, count, sizeOf(places)]));
  const products = build.matMul(flat(dy, outputs), build.transpose(flat(x, channels), [0, 2, 1]));
  const ones = places.map(() => 1);
  return build.reshape(build.reduceSum(products, [0], false), build.int64s([outputs, channels, ...ones]));
}

/** One product a tap, over all places of all images: channels last, so that a shifted slice copies whole rows. */
function weightsByTaps(
  { build }: GradientContext,
  { input, group, window }: Convolution,
  dy: Value,
  channels: number,
  outputs: number,
  places: readonly number[],
): Value {
  const { kernel, strides, dilations, begin, end } = window;
  const axes = kernel.map((_, axis) => axis + 1);
  const last = build.transpose(input.value, [0, ...kernel.map((_, axis) => axis + 2), 1]);
  const needsPads = [...begin, ...end].some((pad) => pad > 0);
  const padded = needsPads ? build.op('Pad', [last, build.int64s([0, ...begin, 0, 0, ...end, 0])]) : last;
  const ofGroup = channels / group;
  // [outputs, batch*places], or with groups [group, outputs/group, batch*places]
  const flat = build.transpose(build.reshape(dy, build.int64s([0, outputs, sizeOf(places)])), [1, 0, 2]);
  const left = build.reshape(flat, build.int64s(group === 1 ? [outputs, -1] : [group, outputs / group, -1]));
  const products = tapsOf(kernel).map((tap) => {
    const starts = tap.map((at, axis) => at * dilations[axis]!);
    const ends = starts.map((start, axis) => start + (places[axis]! - 1) * strides[axis]! + 1);
    const slice = build.slice(padded, starts, ends, axes, strides);
    if (group === 1) return build.matMul(left, build.reshape(slice, build.int64s([-1, channels])));
    return build.matMul(left, build.transpose(build.reshape(slice, build.int64s([-1, group, ofGroup])), [1, 0, 2]));
  });
  const joined = products.length === 1 ? products[0]! : build.concat(products, group === 1 ? 1 : 2);
  const byTap = build.reshape(joined, build.int64s([outputs, sizeOf(kernel), ofGroup]));
  return build.reshape(build.transpose(byTap, [0, 2, 1]), build.int64s([outputs, ofGroup, ...kernel]));
}

/** The textbook form, which needs to know no sizes: the batch convolved by the gradient, strides and dilations exchanged. */
function weightsByConvolution(context: GradientContext, { input, group, window }: Convolution, dy: Value): Value {
  const { build } = context;
  const { kernel, strides, dilations, begin, end } = window;
  const spatial = kernel.map((_, axis) => axis);
  const swapped = [1, 0, ...spatial.map((axis) => axis + 2)];
  const channels = input.shape[1]!;
  let images = input.value; // [batch, channels, ...] to [channels/group, group*batch, ...]
  if (group === 1) images = build.transpose(images, swapped);
  else {
    if (typeof channels !== 'number') throw context.unsupported('the number of channels is not known');
    const sizes = spatial.map((axis) => sizeValue(context, input, axis + 2));
    const split = reshapeTo(
      context,
      images,
      build.concat([sizeValue(context, input, 0), build.int64s([group, channels / group]), ...sizes], 0),
    );
    const turned = build.transpose(split, [2, 1, 0, ...spatial.map((axis) => axis + 3)]);
    images = build.reshape(turned, build.concat([build.int64s([channels / group, -1]), ...sizes], 0));
  }
  const whole = build.op('Conv', [images, build.transpose(dy, swapped)], {
    strides: ints(dilations),
    dilations: ints(strides),
    pads: ints([...begin, ...end]),
    group: int(group),
  });
  const starts = kernel.map(() => 0);
  return build.transpose(
    build.slice(
      whole,
      starts,
      kernel,
      spatial.map((axis) => axis + 2),
    ),
    swapped,
  );
}

function sizeValue(context: GradientContext, { value, shape }: Shaped, axis: number): Value {
  const { build } = context;
  const dim = shape[axis];
  return typeof dim === 'number' ? build.int64s([dim]) : build.gather(build.shape(value), build.int64s([axis]));
}

// The gradient of the input

/** The sum over places and outputs of the gradient times the weights [outputs, channels/group, kernel...] that read an element. */
export function inputGradient(context: GradientContext, convolution: Convolution, dy: Value, weights: Value): Value {
  const { build } = context;
  const { input, output, group, window } = convolution;
  const { kernel, strides, dilations, begin, end } = window;
  const [sizes, places] = [numbers(input.shape.slice(2)), numbers(output.slice(2))];
  const [channels, outputs] = [input.shape[1], output[1]];
  if (sizes !== undefined && places !== undefined && typeof channels === 'number' && typeof outputs === 'number') {
    const known = { ...window, places };
    if (isDepthwise(group, channels, outputs)) {
      if (sizeOf(sizes) * sizeOf(places) <= PAIRS_OF_CHANNEL) {
        const taps = build.reshape(weights, build.int64s([channels, sizeOf(kernel)]));
        const pairs = build.gemm(taps, pairsByTap(context, known, sizes), undefined, { b: true });
        const matrices = build.reshape(pairs, build.int64s([channels, sizeOf(places), sizeOf(sizes)]));
        const images = build.matMul(planes(context, dy, channels, places, [1, 0, 2]), matrices);
        return build.reshape(build.transpose(images, [1, 0, 2]), build.int64s([-1, channels, ...sizes]));
      }
    } else if (group === 1 && sizeOf(places) <= FEW_PLACES) {
      return inputByTaps(context, convolution, dy, weights, { sizes, places, channels, outputs });
    }
  }
  const reach = kernel.map((_, axis) => extentOf(kernel, dilations, axis) - 1);
  const flips =
    strides.every((stride) => stride === 1) && [...begin, ...end].every((pad, at) => pad <= reach[at % kernel.length]!);
  if (flips && (group === 1 || (typeof channels === 'number' && typeof outputs === 'number'))) {
    const pads = [...begin, ...end].map((pad, at) => reach[at % kernel.length]! - pad);
    return build.op('Conv', [dy, turned(context, convolution, weights)], {
      dilations: ints(dilations),
      pads: ints(pads),
      group: int(group),
    });
  }
  return inputByTranspose(context, convolution, dy, weights);
}

/** Weights with their taps reversed and outputs and channels exchanged, within each group. */
function turned({ build }: GradientContext, { input, output, group, window }: Convolution, weights: Value): Value {
  const { kernel } = window;
  const spatial = kernel.map((_, axis) => axis + 2);
  const backwards = kernel.map(() => -1);
  const before = kernel.map(() => Number.MIN_SAFE_INTEGER);
  const flipped = sizeOf(kernel) === 1 ? weights : build.slice(weights, backwards, before, spatial, backwards);
  if (group === 1) return build.transpose(flipped, [1, 0, ...spatial]);
  const [channels, outputs] = [(input.shape[1] as number) / group, (output[1] as number) / group];
  const split = build.reshape(flipped, build.int64s([group, outputs, channels, ...kernel]));
  const exchanged = build.transpose(split, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return build.reshape(exchanged, build.int64s([group * channels, outputs, ...kernel]));
}

function inputByTranspose(context: GradientContext, convolution: Convolution, dy: Value, weights: Value): Value {
  const { build } = context;
  const { input, output, group, window } = convolution;
  const { kernel, strides, dilations, begin } = window;
  const [sizes, places] = [numbers(input.shape.slice(2)), numbers(output.slice(2))];
  const transposed = (end: readonly number[], added: readonly number[]): Value =>
    build.op('ConvTranspose', [dy, weights], {
      strides: ints(strides),
      dilations: ints(dilations),
      pads: ints([...begin, ...end]),
      group: int(group),
      output_padding: ints(added),
    });
  const none = kernel.map(() => 0);
  if (sizes !== undefined && places !== undefined) {
    const beyond = kernel.map(
      (_, axis) =>
        (places[axis]! - 1) * strides[axis]! + extentOf(kernel, dilations, axis) - begin[axis]! - sizes[axis]!,
    );
    return transposed(
      beyond.map((count) => Math.max(count, 0)),
      beyond.map((count) => Math.max(-count, 0)),
    );
  }
  // How far the last window reaches is known when the graph runs: zeros are added behind it, or elements cut off.
  const whole = transposed(none, none);
  const spatial = (value: Value): Value => build.slice(build.shape(value), [2], [2 + kernel.length], [0]);
  const missing = build.sub(spatial(input.value), spatial(whole));
  return build.op('Pad', [whole, build.concat([build.int64s([0, 0, ...none, 0, 0]), missing], 0)]);
}

/** One product over all places of all images, whose taps are then added where they read: channels last. */
function inputByTaps(
  { build }: GradientContext,
  { window }: Convolution,
  dy: Value,
  weights: Value,
  known: {
    readonly sizes: readonly number[];
    readonly places: readonly number[];
    readonly channels: number;
    readonly outputs: number;
  },
): Value {
  const { kernel, strides, dilations, begin } = window;
  const { sizes, places, channels, outputs } = known;
  const spatial = kernel.map((_, axis) => axis + 2);
  const rows = build.reshape(build.transpose(dy, [0, ...spatial, 1]), build.int64s([-1, outputs]));
  const columns = build.reshape(
    build.transpose(weights, [0, ...spatial, 1]),
    build.int64s([outputs, sizeOf(kernel) * channels]),
  );
  const products = build.reshape(build.matMul(rows, columns), build.int64s([-1, ...places, sizeOf(kernel) * channels]));
  const taps = tapsOf(kernel);
  const parts =
    taps.length === 1
      ? [products]
      : build.split(products, new Array<number>(taps.length).fill(channels), places.length + 1);
  const placed = parts.map((part, index) => {
    const spread = withZerosBetween(build, part, places, strides, channels);
    const before = taps[index]!.map((tap, axis) => tap * dilations[axis]! - begin[axis]!);
    const behind = sizes.map((size, axis) => size - places[axis]! * strides[axis]! - before[axis]!);
    if ([...before, ...behind].every((count) => count === 0)) return spread;
    return build.op('Pad', [spread, build.int64s([0, ...before, 0, 0, ...behind, 0])]);
  });
  const total = placed.length === 1 ? placed[0]! : build.op('Sum', placed);
  return build.transpose(total, [0, places.length + 1, ...places.map((_, axis) => axis + 1)]);
}

/** [batch, places..., channels] to [batch, places*stride..., channels], each element followed by zeros. */
function withZerosBetween(
  build: GradientContext['build'],
  value: Value,
  places: readonly number[],
  strides: readonly number[],
  channels: number,
): Value {
  if (strides.every((stride) => stride === 1)) return value;
  const apart = build.reshape(value, build.int64s([-1, ...places.flatMap((count) => [count, 1]), channels]));
  const zeros = build.op('Pad', [
    apart,
    build.int64s([
      ...new Array<number>(2 * places.length + 2).fill(0),
      0,
      ...strides.flatMap((stride) => [0, stride - 1]),
      0,
    ]),
  ]);
  return build.reshape(zeros, build.int64s([-1, ...places.map((count, axis) => count * strides[axis]!), channels]));
}

// Depthwise convolutions over few elements: one matrix a channel, from each element to each place

/** [batch, channels, sizes...] as matrices of the axes batch, channels and element, in the order of `order`. */
function planes(
  { build }: GradientContext,
  value: Value,
  channels: number,
  sizes: readonly number[],
  order: readonly number[],
): Value {
  return build.transpose(build.reshape(value, build.int64s([0, channels, sizeOf(sizes)])), order);
}

/** [places*elements, taps]: 1 where a place reads an element through a tap. */
function pairsByTap(
  context: GradientContext,
  window: Window & { readonly places: readonly number[] },
  sizes: readonly number[],
): Value {
  const rows = tapPositions(knownWindow(window)!, sizes);
  const size = sizeOf(sizes);
  const pairs = new Array<number>(sizeOf(window.places) * size * rows.length).fill(0);
  for (const [tap, positions] of rows.entries())
    for (const [place, position] of positions.entries())
      if (position >= 0) pairs[(place * size + position) * rows.length + tap] = 1;
  const dtype = context.dataTypeOf(context.input(0));
  const narrow = dtype === 'float64' ? 'float64' : 'float32';
  return context.build.constant(tensorFrom(narrow, pairs, [sizeOf(window.places) * size, rows.length]), 'pairs');
}

function isPointwise({ kernel, strides, begin, end }: PaddedWindow): boolean {
  return [...kernel, ...strides].every((value) => value === 1) && [...begin, ...end].every((pad) => pad === 0);
}

function isDepthwise(group: number, channels: number, outputs: number): boolean {
  return group > 1 && group === channels && group === outputs;
}

/** The taps of a kernel by their positions, row-major. */
function tapsOf(kernel: readonly number[]): readonly (readonly number[])[] {
  return kernel.reduce<readonly (readonly number[])[]>(
    (taps, size) => taps.flatMap((tap) => Array.from({ length: size }, (_, at) => [...tap, at])),
    [[]],
  );
}

function numbers(shape: Shape): readonly number[] | undefined {
  return shape.every((dim) => typeof dim === 'number') ? (shape as readonly number[]) : undefined;
}
