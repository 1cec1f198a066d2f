import { sizeOf, tensorFrom } from '../base/index.ts';
import {
  GraphBuilder,
  type InferredValue,
  intOf,
  type KnownWindow,
  knownWindow,
  type Model,
  type Node,
  nodesGiving,
  opsetOf,
  replaceNodes,
  tapPositions,
  type Value,
  windowOver,
} from '../graph/index.ts';
import { type Known, knownValues } from './known.ts';

/**
 * Up to how many pairs of an element and a place a depthwise convolution is faster as one matrix a channel, forward and
 * backward: docs/decisions/0008-convolution-gradients.md has the figures.
 */
export const PAIRS_OF_CHANNEL = 6000;
/** Up to how many places an image a convolution is faster as one product over all places of all images. */
const PLACES_OF_PRODUCT = 4;
/** Up to how many numbers, zeros and ones, say what the taps of all places read: for large kernels they would be millions. */
const READS_OF_PRODUCT = 6000;

/**
 * The model with each convolution over few elements whose weights are not constant written as matrix products, where
 * sizes are known. ONNX Runtime prepares constant weights once; with weights that move from step to step it multiplies
 * small matrices one by one. The products' gradients are products again. Values keep their names and their types.
 */
export function withProductsForConvolutions(
  model: Model,
  types: ReadonlyMap<string, InferredValue>,
  wanted: readonly string[],
): Model {
  const opset = opsetOf(model) ?? 0;
  if (opset < 13) return model;
  const { graph } = model;
  const known = knownValues(graph, types, wanted);
  const build = new GraphBuilder({ opset, extending: graph });
  const products = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const convolution = movingConvolution(node, known);
    if (convolution === undefined) continue;
    const { form, output } = convolution;
    products.set(
      node,
      nodesGiving(build, [output], () => [form(build, convolution)]),
    );
  }
  return products.size === 0 ? model : replaceNodes(model, build, products);
}

interface MovingConvolution {
  readonly form: (build: GraphBuilder, convolution: MovingConvolution) => Value;
  readonly x: Value;
  readonly weights: Value;
  readonly bias: Value | undefined;
  readonly output: Value;
  readonly channels: number;
  readonly outputs: number;
  readonly sizes: readonly number[];
  readonly window: KnownWindow;
  readonly dtype: 'float32' | 'float64';
}

function movingConvolution(node: Node, { typeOf, constantOf }: Known): MovingConvolution | undefined {
  if (node.opType !== 'Conv' || node.domain !== '') return undefined;
  const [x, weights, bias] = node.inputs as [Value, Value, Value | undefined];
  const [type, shape] = [typeOf(x), typeOf(weights)?.shape];
  if (type?.shape === undefined || shape === undefined || constantOf(weights) !== undefined) return undefined;
  const { dtype } = type;
  if (dtype !== 'float32' && dtype !== 'float64') return undefined;
  const [channels, ...sizes] = type.shape.slice(1);
  const [outputs, , ...kernel] = shape;
  if (![channels, outputs, ...sizes, ...kernel].every((dim) => typeof dim === 'number')) return undefined;
  const window = knownWindow(windowOver(node, kernel as number[], sizes));
  if (window === undefined) return undefined;
  const group = intOf(node, 'group', 1);
  const form = formOf(group, channels as number, outputs as number, sizes as number[], window);
  if (form === undefined) return undefined;
  return {
    form,
    x,
    weights,
    bias: bias === '' ? undefined : bias,
    output: node.outputs[0]!,
    channels: channels as number,
    outputs: outputs as number,
    sizes: sizes as number[],
    window,
    dtype,
  };
}

function formOf(
  group: number,
  channels: number,
  outputs: number,
  sizes: readonly number[],
  { kernel, places }: KnownWindow,
): MovingConvolution['form'] | undefined {
  if (sizeOf(kernel) === 1) return undefined;
  if (group > 1 && group === channels && group === outputs) {
    return sizeOf(sizes) * sizeOf(places) <= PAIRS_OF_CHANNEL ? byChannel : undefined;
  }
  const reads = sizeOf(sizes) * sizeOf(places) * sizeOf(kernel);
  return group === 1 && sizeOf(places) <= PLACES_OF_PRODUCT && reads <= READS_OF_PRODUCT ? byPlace : undefined;
}

/** Depthwise: the matrix of each channel from its elements to its places, for all images at once. */
function byChannel(
  build: GraphBuilder,
  { x, weights, bias, channels, sizes, window, dtype }: MovingConvolution,
): Value {
  const [elements, places, taps] = [sizeOf(sizes), sizeOf(window.places), sizeOf(window.kernel)];
  const pairs = build.constant(tensorFrom(dtype, pairsByTap(window, sizes), [elements * places, taps]), 'pairs');
  const matrices = build.gemm(build.reshape(weights, build.int64s([channels, taps])), pairs, undefined, { b: true });
  const images = build.transpose(build.reshape(x, build.int64s([0, channels, elements])), [1, 0, 2]);
  const products = build.matMul(images, build.reshape(matrices, build.int64s([channels, elements, places])));
  const y = build.reshape(build.transpose(products, [1, 0, 2]), build.int64s([0, channels, ...window.places]));
  if (bias === undefined) return y;
  const spatial = window.kernel.map((_, axis) => axis + 1);
  return build.add(y, build.unsqueeze(bias, spatial));
}

/** One row a place: what its taps read in all channels, times the weights as they are stored. */
function byPlace(
  build: GraphBuilder,
  { x, weights, bias, channels, outputs, sizes, window, dtype }: MovingConvolution,
): Value {
  const [elements, places, taps] = [sizeOf(sizes), sizeOf(window.places), sizeOf(window.kernel)];
  const reads = build.constant(tensorFrom(dtype, pairsByTap(window, sizes), [elements, places * taps]), 'reads');
  const read = build.matMul(build.reshape(x, build.int64s([0, channels, elements])), reads);
  const byRow = build.transpose(build.reshape(read, build.int64s([0, channels, places, taps])), [0, 2, 1, 3]);
  const rows = build.reshape(byRow, build.int64s([-1, channels * taps]));
  const y = build.gemm(rows, build.reshape(weights, build.int64s([outputs, channels * taps])), bias, { b: true });
  const byImage = build.transpose(build.reshape(y, build.int64s([-1, places, outputs])), [0, 2, 1]);
  return build.reshape(byImage, build.int64s([0, outputs, ...window.places]));
}

/** [elements, places, taps]: 1 where a place reads an element through a tap. */
function pairsByTap(window: KnownWindow, sizes: readonly number[]): readonly number[] {
  const rows = tapPositions(window, sizes);
  const places = sizeOf(window.places);
  const pairs = new Array<number>(sizeOf(sizes) * places * rows.length).fill(0);
  for (const [tap, positions] of rows.entries())
    for (const [place, element] of positions.entries())
      if (element >= 0) pairs[(element * places + place) * rows.length + tap] = 1;
  return pairs;
}
