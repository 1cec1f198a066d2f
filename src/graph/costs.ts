import { byteSize } from '../base/dtype.ts';
import { LatheError } from '../base/errors.ts';
import { sizeOf } from '../base/shape.ts';
import { describeNode, intOf, stringOf } from './attributes.ts';
import { boundInputs, type DimensionValues } from './bound-inputs.ts';
import { type InferredValue, inferTypes } from './infer.ts';
import type { Model, Node, StoredTensor } from './ir.ts';
import { isKnownOperator } from './operators/names.ts';
import { integerProductRule } from './operators/shapes/integer-products.ts';
import { expandOperators } from './passes/expand-operators.ts';
import { inlineFunctions } from './passes/inline-functions.ts';
import { readsOf, subgraphsOf } from './reads.ts';

/** What one node costs, once. */
export interface NodeCost {
  readonly node: Node;
  /** Multiplications with an addition; 0 for what has none. */
  readonly macs: number;
  /** Elements of the initializers that this node is the first to read. */
  readonly parameters: number;
  /** The initializers that those are, by name. */
  readonly weights: readonly string[];
  readonly weightBytes: number;
  /** Bytes that the node writes. */
  readonly activationBytes: number;
}

export interface GraphCosts {
  readonly nodes: readonly NodeCost[];
  readonly macs: number;
  readonly parameters: number;
  readonly weightBytes: number;
  /** All that is written in one run; what a run holds at once is `peakActivationBytes`. */
  readonly activationBytes: number;
  /** The most bytes of inputs and results that are alive at once, running the nodes in their order. */
  readonly peakActivationBytes: number;
  /** What the sums leave out, and why. */
  readonly uncounted: readonly { readonly node: string; readonly reason: string }[];
}

/**
 * Counts parameters, multiply-accumulates (MACs), and bytes of weights and activations of a model at given sizes of its
 * symbolic dimensions, by node and in total. MACs are those of products: MatMul, Gemm, Conv, ConvTranspose, Einsum of
 * two factors, and their quantized forms; biases, normalization, activations, pooling and softmax have none, as usual.
 * Parameters are the elements of all initializers, however many bits each takes.
 *
 * Functions are inlined and fused operators expanded first, so that the nodes counted are those. Bodies of If, Loop and
 * Scan, and operators that are not known, are not counted but listed. Throws 'usage' for a dimension without a value.
 */
export function graphCosts(given: Model, dims: DimensionValues = {}): GraphCosts {
  const inputs = boundInputs(given, dims);
  const model = plain(bound(given, inputs));
  const { graph } = model;
  const types = inferTypes(model);
  const shapeOf = (name: string): readonly number[] | undefined => numbersOf(types.get(name));
  const uncounted: { node: string; reason: string }[] = [];
  const counted = new Set<string>();
  const nodes = graph.nodes.map((node): NodeCost => {
    const reasonless = (reason: string): number => {
      uncounted.push({ node: describeNode(node), reason });
      return 0;
    };
    const fresh = readsOf(node).filter((name) => graph.initializers.has(name) && !counted.has(name));
    const weights = [...new Set(fresh)];
    for (const name of weights) counted.add(name);
    const macs = macsOf(node, shapeOf);
    const written = node.outputs.filter((name) => name !== '').map((name) => bytesOf(types.get(name)));
    const isOpen = written.includes(undefined) && node.outputs.length > 0;
    return {
      node,
      macs: typeof macs === 'number' ? macs : reasonless(macs),
      parameters: weights.reduce((sum, name) => sum + elementsOf(node, name, graph.initializers.get(name)!), 0),
      weights,
      weightBytes: weights.reduce((sum, name) => sum + storedBytes(graph.initializers.get(name)!), 0),
      activationBytes:
        isOpen && typeof macs === 'number'
          ? reasonless('the size of what it gives is not known')
          : written.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0),
    };
  });
  const total = (of: (cost: NodeCost) => number): number => nodes.reduce((sum, cost) => sum + of(cost), 0);
  const rest = [...graph.initializers].filter(([name]) => !counted.has(name)).map(([, tensor]) => tensor);
  return {
    nodes,
    macs: total(({ macs }) => macs),
    parameters: total(({ parameters }) => parameters) + rest.reduce((sum, { dims }) => sum + sizeOf(dims), 0),
    weightBytes: total(({ weightBytes }) => weightBytes) + rest.reduce((sum, tensor) => sum + storedBytes(tensor), 0),
    activationBytes: total(({ activationBytes }) => activationBytes),
    peakActivationBytes: peakOf(model, (name) => bytesOf(types.get(name)) ?? 0),
    uncounted,
  };
}

function bound(model: Model, types: ReturnType<typeof boundInputs>): Model {
  const inputs = model.graph.inputs.map((info) => {
    const type = types[info.name];
    return type === undefined ? info : { ...info, type: { kind: 'tensor' as const, ...type } };
  });
  return { ...model, graph: { ...model.graph, inputs } };
}

/** Without functions and fused operators, where they can be written in others. */
function plain(model: Model): Model {
  const inlined = inlineFunctions(model).model;
  try {
    return expandOperators(inlined).model;
  } catch (error) {
    // A form of an operator that is not expanded stays, and is listed as not counted.
    if (error instanceof LatheError && error.code === 'unsupported') return inlined;
    throw error;
  }
}

/** A node's MACs, or why they are not known. */
function macsOf(node: Node, shapeOf: (name: string) => readonly number[] | undefined): number | string {
  const rule = Object.hasOwn(PRODUCTS, node.opType) ? PRODUCTS[node.opType]! : undefined;
  if (rule !== undefined && (isKnownOperator(node) || integerProductRule(node) !== undefined)) {
    return rule(node, (input) => shapeOf(node.inputs[input] ?? ''), shapeOf(node.outputs[0]!)) ?? UNKNOWN_SHAPE;
  }
  if (!isKnownOperator(node)) return 'what it computes is not known';
  const hides = subgraphsOf(node).some((graph) => graph.nodes.length > 0);
  return hides ? 'how often its body runs is not known' : 0;
}

const UNKNOWN_SHAPE = 'the shapes of its factors are not known';

type Dims = readonly number[] | undefined;
type Macs = (node: Node, shapeOf: (input: number) => Dims, output: Dims) => number | string | undefined;

/** Each element of the product sums over the last axis of the left factor. */
const matrixProduct: Macs = (_, shapeOf, output) => {
  const inner = shapeOf(0)?.at(-1);
  return output && inner === undefined ? undefined : output && sizeOf(output) * inner!;
};

/** Each element of the output sums over the channels of its group and the taps. */
function convolution(weightInput: number): Macs {
  return (_, shapeOf, output) => {
    const weights = shapeOf(weightInput);
    return output && weights && sizeOf(output) * sizeOf(weights.slice(1));
  };
}

const PRODUCTS: Readonly<Record<string, Macs>> = {
  MatMul: matrixProduct,
  MatMulInteger: matrixProduct,
  QLinearMatMul: matrixProduct,
  MatMulIntegerToFloat: matrixProduct,
  DynamicQuantizeMatMul: matrixProduct,
  MatMulNBits: matrixProduct,
  Gemm(node, shapeOf, output) {
    const left = shapeOf(0);
    return output && left && sizeOf(output) * left[intOf(node, 'transA', 0) === 0 ? 1 : 0]!;
  },
  Conv: convolution(1),
  ConvInteger: convolution(1),
  QLinearConv: convolution(3),
  /** Each element of the input is added to the taps of every output of its group. */
  ConvTranspose(_, shapeOf) {
    const [input, weights] = [shapeOf(0), shapeOf(1)];
    return input && weights && sizeOf(input) * sizeOf(weights.slice(1));
  },
  /** Of two factors whose labels are each one axis: the product over all labels. */
  Einsum(node, shapeOf) {
    const terms = (stringOf(node, 'equation') ?? '').replaceAll(' ', '').split('->')[0]!.split(',');
    const isPlain =
      terms.length === 2 && terms.every((term) => /^\w*$/.test(term) && new Set(term).size === term.length);
    if (!isPlain) return 'an Einsum of other than two plain factors';
    const sizes = new Map<string, number>();
    for (const [index, term] of terms.entries()) {
      const shape = shapeOf(index);
      if (shape === undefined) return undefined;
      for (const [axis, label] of [...term].entries()) sizes.set(label, Math.max(sizes.get(label) ?? 1, shape[axis]!));
    }
    return sizeOf([...sizes.values()]);
  },
};

function numbersOf(value: InferredValue | undefined): readonly number[] | undefined {
  const shape = value?.type.kind === 'tensor' ? value.type.shape : undefined;
  return shape?.every((dim) => typeof dim === 'number') ? (shape as readonly number[]) : undefined;
}

function bytesOf(value: InferredValue | undefined): number | undefined {
  const shape = numbersOf(value);
  if (shape === undefined || value?.type.kind !== 'tensor' || value.type.dtype === 'undefined') return undefined;
  return byteSize(value.type.dtype, sizeOf(shape)) ?? 0;
}

function storedBytes({ dtype, dims }: StoredTensor): number {
  return dtype === 'undefined' ? 0 : (byteSize(dtype, sizeOf(dims)) ?? 0);
}

/** Several weights share a byte of MatMulNBits' blocks. */
function elementsOf(node: Node, name: string, { dims }: StoredTensor): number {
  const isPacked = node.opType === 'MatMulNBits' && node.domain === 'com.microsoft' && node.inputs[1] === name;
  return isPacked ? intOf(node, 'K', 0) * intOf(node, 'N', 0) : sizeOf(dims);
}

/** A value lives from the node that writes it (an input from the start) to the last that reads it (an output to the end). */
function peakOf({ graph }: Model, bytesOf: (name: string) => number): number {
  const lastRead = new Map<string, number>();
  for (const [at, node] of graph.nodes.entries()) for (const name of readsOf(node)) lastRead.set(name, at);
  for (const { name } of graph.outputs) lastRead.set(name, graph.nodes.length);
  const isWeight = (name: string): boolean => name === '' || graph.initializers.has(name);
  let alive = graph.inputs.reduce((sum, { name }) => sum + (isWeight(name) ? 0 : bytesOf(name)), 0);
  let peak = alive;
  for (const [at, node] of graph.nodes.entries()) {
    for (const name of node.outputs) alive += isWeight(name) ? 0 : bytesOf(name);
    peak = Math.max(peak, alive);
    const ended = new Set([...readsOf(node), ...node.outputs].filter((name) => (lastRead.get(name) ?? at) === at));
    for (const name of ended) alive -= isWeight(name) ? 0 : bytesOf(name);
  }
  return peak;
}
