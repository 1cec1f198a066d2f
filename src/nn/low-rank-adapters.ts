import { LatheError, type Tensor, tensor } from '../base/index.ts';
import {
  floatOf,
  GraphBuilder,
  intOf,
  type Model,
  type Node,
  opsetOf,
  readsOf,
  type StoredTensor,
  stored,
  tensorOf,
} from '../graph/index.ts';
import { initialize } from './initialization.ts';

/** A matrix of low rank that is added to a weight: `weight + scale · A·B`, A [inputs, rank], B [rank, outputs]. */
export interface Adapter {
  readonly weight: string;
  readonly a: string;
  readonly b: string;
  readonly scale: number;
  /** The weight is [outputs, inputs], as a Gemm with transB has it. */
  readonly transposed: boolean;
}

export interface AdapterOptions {
  readonly rank: number;
  /** The scale is alpha / rank. Default: alpha = 2 · rank. */
  readonly alpha?: number;
  /** Names of the weights, of those that `adaptableWeights` gives. */
  readonly weights: readonly string[];
  /** Of the initialization; default 0. */
  readonly seed?: number;
}

/** The float32 initializers that are read by nothing but MatMul and Gemm, as their second input. */
export function adaptableWeights({ graph }: Model): string[] {
  const multiplied = new Set<string>();
  const otherwise = new Set<string>();
  for (const node of graph.nodes)
    for (const name of readsOf(node)) (reads(node, name) ? multiplied : otherwise).add(name);
  return [...graph.initializers]
    .filter(([name, { dtype, dims }]) => dtype === 'float32' && dims.length === 2 && multiplied.has(name))
    .map(([name]) => name)
    .filter((name) => !otherwise.has(name));
}

function reads(node: Node, weight: string): boolean {
  const { opType, domain, inputs } = node;
  if (domain !== '' || inputs[1] !== weight || inputs.filter((name) => name === weight).length !== 1) return false;
  return opType === 'MatMul' || (opType === 'Gemm' && intOf(node, 'transA', 0) === 0);
}

/**
 * The model with an adapter beside each of `weights` (LoRA: Hu et al., 2021): what reads the weight gives `x·weight +
 * scale · (x·A)·B`. A begins as small as a new layer, with variance 1/(3·inputs), B as zero, so that nothing changes at first.
 * The same adapters fit every form of a model with the same weights. Throws LatheError('usage') for a weight that cannot be
 * adapted, and for a rank that is no gain.
 */
export function withAdapters(
  model: Model,
  { rank, alpha = 2 * rank, weights, seed = 0 }: AdapterOptions,
): { readonly model: Model; readonly adapters: readonly Adapter[] } {
  if (!Number.isInteger(rank) || rank < 1)
    throw new LatheError('usage', `adapters: expected a rank of 1 or more, got ${rank}`);
  const { graph } = model;
  const adaptable = new Set(adaptableWeights(model));
  const initializers = new Map(graph.initializers);
  const adapters = new Map<string, Adapter>();
  const scale = alpha / rank;
  const build = new GraphBuilder({ opset: opsetOf(model) ?? 0, extending: graph });
  for (const weight of weights) {
    const readers = graph.nodes.filter((node) => reads(node, weight));
    const layouts = new Set(readers.map((node) => node.opType === 'Gemm' && intOf(node, 'transB', 0) === 1));
    if (!adaptable.has(weight) || layouts.size !== 1) {
      throw new LatheError('usage', `adapters: "${weight}" is no weight of MatMul or Gemm alone`, {
        hint: `Such are ${[...adaptable].slice(0, 5).join(', ') || 'none'}.`,
      });
    }
    const transposed = layouts.has(true);
    const { dims } = graph.initializers.get(weight)!;
    const [inputs, outputs] = transposed ? [dims[1]!, dims[0]!] : [dims[0]!, dims[1]!];
    if (rank >= Math.min(inputs, outputs)) {
      throw new LatheError(
        'usage',
        `adapters: rank ${rank} is no less than that of "${weight}" [${dims.join(', ')}]: expected less than ${Math.min(inputs, outputs)}`,
      );
    }
    const adapter = { weight, a: `${weight}.lora_A`, b: `${weight}.lora_B`, scale, transposed };
    const first = initialize(adapter.a, [inputs, rank], { normal: 1 / Math.sqrt(3 * inputs) }, seed);
    initializers.set(adapter.a, stored(first));
    initializers.set(adapter.b, stored(initialize(adapter.b, [rank, outputs], 'zeros', seed)));
    adapters.set(weight, adapter);
  }
  const nodes = graph.nodes.flatMap((node) => {
    const adapter = adapters.get(node.inputs[1] ?? '');
    return adapter === undefined ? [node] : adapted(node, adapter, build);
  });
  for (const [name, value] of build.initializers) initializers.set(name, value);
  return { model: { ...model, graph: { ...graph, nodes, initializers } }, adapters: [...adapters.values()] };
}

function adapted(node: Node, { a, b, scale }: Adapter, build: GraphBuilder): Node[] {
  const own = new GraphBuilder({ opset: build.opset });
  const before = build.unique(`${node.outputs[0]!}_base`);
  const between = build.unique(`${node.outputs[0]!}_lora`);
  const delta = build.unique(`${node.outputs[0]!}_lora`);
  const scaled = build.unique(`${node.outputs[0]!}_lora`);
  const factor = build.scalar(scale * (node.opType === 'Gemm' ? floatOf(node, 'alpha', 1) : 1), 'float32');
  own.op('MatMul', [node.inputs[0]!, a], {}, between);
  own.op('MatMul', [between, b], {}, delta);
  own.op('Mul', [delta, factor], {}, scaled);
  own.op('Add', [before, scaled], {}, node.outputs[0]!);
  return [{ ...node, outputs: [before] }, ...own.nodes];
}

/**
 * The model without adapters, whose weights have taken them in: each is `weight + scale · A·B`, computed in float64. `model`
 * is the one that they were put on. Throws LatheError('not-found') for a weight or a value that is missing.
 */
export function mergeAdapters(model: Model, adapters: readonly Adapter[], values: ReadonlyMap<string, Tensor>): Model {
  const initializers = new Map(model.graph.initializers);
  for (const adapter of adapters) {
    const weight = initializers.get(adapter.weight);
    const [a, b] = [values.get(adapter.a), values.get(adapter.b)];
    if (weight === undefined || a === undefined || b === undefined) {
      const missing = weight === undefined ? adapter.weight : a === undefined ? adapter.a : adapter.b;
      throw new LatheError('not-found', `adapters: there is no "${missing}"`);
    }
    initializers.set(adapter.weight, merged(weight, a, b, adapter));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

function merged(
  weight: StoredTensor,
  a: Tensor,
  b: Tensor,
  { weight: name, scale, transposed }: Adapter,
): StoredTensor {
  const old = tensorOf(weight);
  const [inputs, rank] = [a.dims[0]!, a.dims[1]!];
  const outputs = b.dims[1]!;
  const expected = transposed ? [outputs, inputs] : [inputs, outputs];
  if (old.dims.join() !== expected.join() || b.dims[0] !== rank) {
    throw new LatheError(
      'shape',
      `adapters: "${name}" is [${old.dims.join(', ')}], A [${a.dims.join(', ')}] · B [${b.dims.join(', ')}] does not fit`,
    );
  }
  const [before, left, right] = [old, a, b].map(({ data }) => data as Float32Array);
  const after = new Float32Array(before!.length);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      let sum = 0;
      for (let at = 0; at < rank; at++) sum += left![input * rank + at]! * right![at * outputs + output]!;
      const place = transposed ? output * inputs + input : input * outputs + output;
      after[place] = before![place]! + scale * sum;
    }
  }
  return stored(tensor('float32', old.dims, after));
}
