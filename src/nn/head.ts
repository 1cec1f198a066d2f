import { formatDims, LatheError } from '../base/index.ts';
import {
  describeNode,
  type Graph,
  GraphBuilder,
  intOf,
  liftConstants,
  type Model,
  type Node,
  type Shape,
  type StoredTensor,
  stored,
  type ValueInfo,
} from '../graph/index.ts';
import { type Initialization, initialize } from './initialization.ts';

export interface HeadOptions {
  /** How many the new head tells apart. */
  readonly classes: number;
  /** The output that the head computes; may be left out where the model has one. */
  readonly output?: string;
  /** Of the initialization; default 0. */
  readonly seed?: number;
  /** Names of the new parameters. Default: those of the old ones, with `_head` where something else reads them too. */
  readonly names?: { readonly weight?: string; readonly bias?: string };
}

/**
 * The model with a new last linear layer (Gemm, MatMul with or without Add, or Conv of size 1) for `classes` classes. Its
 * weight is normal with variance 1/(3·inputs), as large as PyTorch's, its bias zero. Softmax, LogSoftmax or Sigmoid after
 * it become Identity: the output, under its name and with its new shape, is the logits.
 *
 * Throws LatheError('usage') for options that do not fit the model, and 'unsupported', with the linear layers that there
 * are, when something else than Identity, Dropout, Flatten or Squeeze is between the last linear layer and the output.
 */
export function replaceHead(given: Model, options: HeadOptions): Model {
  const { classes, seed = 0 } = options;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new LatheError('usage', `a new head: expected 1 class or more, got ${classes}`);
  }
  const { model } = liftConstants(given);
  const { graph } = model;
  const output = outputOf(graph, options.output);
  const { head, activations } = findHead(graph, output);
  const readers = (name: string): number => graph.nodes.filter(({ inputs }) => inputs.includes(name)).length;
  const names = new GraphBuilder({ extending: graph, opset: 13 });
  const initializers = new Map<string, StoredTensor>();
  const replaced = new Map<Node, Node>();
  const place = ({ node, input, axis }: Parameter, asked: string | undefined, initialization: Initialization): void => {
    const old = node.inputs[input]!;
    const alone = readers(old) === 1;
    const name =
      asked === undefined || asked === old ? (alone ? old : names.unique(`${old}_head`)) : names.unique(asked);
    if (asked !== undefined && name !== asked) {
      throw new LatheError('usage', `a new head: the name "${asked}" is taken in the model`);
    }
    const dims = graph.initializers.get(old)!.dims.map((dim, at) => (at === axis ? classes : dim));
    initializers.set(name, stored(initialize(name, dims, initialization, seed)));
    const inputs = (replaced.get(node) ?? node).inputs.map((value, at) => (at === input ? name : value));
    replaced.set(node, { ...node, inputs });
  };
  place(head.weight, options.names?.weight, { normal: 1 / Math.sqrt(3 * head.inputs) });
  if (head.bias !== undefined) place(head.bias, options.names?.bias, 'zeros');
  else if (options.names?.bias !== undefined) {
    throw new LatheError('usage', `a new head: ${describeNode(head.node)} has no bias to name "${options.names.bias}"`);
  }
  const nodes = graph.nodes.map((node) =>
    activations.has(node) ? { ...node, opType: 'Identity', attributes: new Map() } : (replaced.get(node) ?? node),
  );
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const kept = [...graph.initializers].filter(([name]) => !replacedNames(head).includes(name) || read.has(name));
  const changed = downstream(graph, head.node);
  const resized = (info: ValueInfo): ValueInfo => (changed.has(info.name) ? withClasses(info, head, classes) : info);
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      initializers: new Map([...kept, ...initializers]),
      outputs: graph.outputs.map(resized),
      valueInfo: graph.valueInfo.filter(({ name }) => !changed.has(name)),
    },
  };
}

/** An initializer at an input of a node, and its axis of the classes. */
interface Parameter {
  readonly node: Node;
  readonly input: number;
  readonly axis: number;
}

interface Head {
  /** The operator with the weight. */
  readonly node: Node;
  readonly weight: Parameter;
  readonly bias?: Parameter;
  readonly inputs: number;
  readonly classes: number;
}

const ACTIVATIONS = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
const TRANSPARENT = new Set(['Identity', 'Dropout', 'Flatten', 'Squeeze']);

function outputOf(graph: Graph, asked: string | undefined): string {
  const names = graph.outputs.map(({ name }) => name);
  if (asked === undefined && names.length === 1) return names[0]!;
  if (asked !== undefined && names.includes(asked)) return asked;
  const problem = asked === undefined ? 'the model has several outputs' : `the model has no output "${asked}"`;
  throw new LatheError('usage', `a new head: ${problem}`, { hint: `Name one of ${names.join(', ')} as output.` });
}

function findHead(graph: Graph, output: string): { head: Head; activations: ReadonlySet<Node> } {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const activations = new Set<Node>();
  let node = producers.get(output);
  while (node !== undefined && (ACTIVATIONS.has(node.opType) || TRANSPARENT.has(node.opType))) {
    if (ACTIVATIONS.has(node.opType)) activations.add(node);
    node = producers.get(node.inputs[0]!);
  }
  const head = node && (linearLayer(graph, node) ?? withBias(graph, node, producers));
  if (head !== undefined) return { head, activations };
  const linear = graph.nodes.flatMap((other) => linearLayer(graph, other) ?? []);
  const listed = linear.slice(-5).map((other) => {
    const { dims } = graph.initializers.get(other.node.inputs[other.weight.input]!)!;
    return `${describeNode(other.node)} ${formatDims(dims)}`;
  });
  throw new LatheError(
    'unsupported',
    `a new head: expected a linear layer before output "${output}", got ${node ? describeNode(node) : 'an input of the model'}`,
    {
      hint:
        listed.length === 0
          ? 'The model has no linear layer with a float32 weight.'
          : `The last linear layers are ${listed.join(', ')}: make one of them the end of an output of the model.`,
    },
  );
}

function linearLayer(graph: Graph, node: Node): Head | undefined {
  const weight = graph.initializers.get(node.inputs[1] ?? '');
  if (weight?.dtype !== 'float32' || node.domain !== '') return undefined;
  const { dims } = weight;
  const layer = (axis: number): Head | undefined => {
    const classes = dims[axis]!;
    const head = { node, weight: { node, input: 1, axis }, inputs: dims[1 - axis]!, classes };
    if (!node.inputs[2]) return head;
    const bias = biasAt(graph, node, 2, classes);
    return bias && { ...head, bias };
  };
  if (node.opType === 'MatMul' && dims.length === 2) return layer(1);
  if (node.opType === 'Gemm' && dims.length === 2) return layer(intOf(node, 'transB', 0) === 0 ? 1 : 0);
  const point = node.opType === 'Conv' && dims.slice(2).every((dim) => dim === 1) && intOf(node, 'group', 1) === 1;
  return point ? layer(0) : undefined;
}

function withBias(graph: Graph, node: Node, producers: ReadonlyMap<string, Node>): Head | undefined {
  if (node.opType !== 'Add') return undefined;
  for (const input of [0, 1]) {
    const product = producers.get(node.inputs[1 - input]!);
    const head = product?.opType === 'MatMul' ? linearLayer(graph, product) : undefined;
    const bias = head && biasAt(graph, node, input, head.classes);
    if (bias) return { ...head, bias };
  }
  return undefined;
}

function biasAt(graph: Graph, node: Node, input: number, classes: number): Parameter | undefined {
  const bias = graph.initializers.get(node.inputs[input] ?? '');
  if (bias?.dtype !== 'float32' || bias.dims.at(-1) !== classes) return undefined;
  if (bias.dims.slice(0, -1).some((dim) => dim !== 1)) return undefined;
  return { node, input, axis: bias.dims.length - 1 };
}

function replacedNames({ weight, bias }: Head): string[] {
  return [weight, ...(bias ? [bias] : [])].map(({ node, input }) => node.inputs[input]!);
}

/** The values that depend on a node. */
function downstream(graph: Graph, from: Node): ReadonlySet<string> {
  const names = new Set(from.outputs);
  for (const { inputs, outputs } of graph.nodes) {
    if (inputs.some((name) => names.has(name))) for (const name of outputs) names.add(name);
  }
  return names;
}

/** The declared type with the new number of classes where the old one was: after the batch in a Conv, else last. */
function withClasses(info: ValueInfo, head: Head, classes: number): ValueInfo {
  if (info.type?.kind !== 'tensor' || info.type.shape === undefined) return info;
  const axis = head.node.opType === 'Conv' ? 1 : info.type.shape.length - 1;
  const shape: Shape = info.type.shape.map((dim, at) => (at === axis && dim === head.classes ? classes : dim));
  return { ...info, type: { ...info.type, shape } };
}
