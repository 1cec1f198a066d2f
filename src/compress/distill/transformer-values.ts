import { LatheError } from '../../base/index.ts';
import { floatOf, inferTypes, intOf, type Model, type Node } from '../../graph/index.ts';

/** What a linear layer gives: rows of `width` values, each `scale` times what its weights say. */
export interface Projection {
  readonly value: string;
  readonly width: number;
  readonly scale: number;
}

export interface AttentionLayer {
  /** [batch, heads, sequence, sequence] before the softmax, without the term of the mask. */
  readonly scores: string;
  readonly heads: number;
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
}

/** The values of a transformer encoder that other models can be compared by; rows are [batch · sequence] or [batch, sequence]. */
export interface TransformerValues {
  /** What the first layer reads. */
  readonly embeddings: string;
  /** What each layer gives, the last included. */
  readonly states: readonly string[];
  /** Width of the states. */
  readonly hidden: number;
  readonly attention: readonly AttentionLayer[];
}

/**
 * Finds the values of a transformer encoder by the structure of its graph, whoever exported it: each attention is a softmax
 * over a product of two projections, which is multiplied with a third; what the projections read is the state before the
 * layer; the last normalization gives the last state. Throws 'unsupported', naming the node, where the graph is none of this.
 */
export function transformerValues(model: Model): TransformerValues {
  const view = viewOf(model);
  const layers = model.graph.nodes
    .filter((node) => node.opType === 'Softmax')
    .flatMap((node) => attentionOf(view, node) ?? []);
  if (layers.length === 0) {
    throw new LatheError('unsupported', `"${model.graph.name}" has no layer of attention that is known`, {
      hint: 'Choose a method that compares predictions: --method logits.',
    });
  }
  const last = model.graph.nodes.findLast(({ opType }) => opType === 'LayerNormalization');
  if (last === undefined) {
    throw new LatheError('unsupported', `"${model.graph.name}" has no normalization behind its last layer`);
  }
  const [first] = layers;
  return {
    embeddings: first!.reads,
    states: [...layers.slice(1).map(({ reads }) => reads), last.outputs[0]!],
    hidden: view.dims(first!.reads)?.at(-1) ?? first!.layer.query.width,
    attention: layers.map(({ layer }) => layer),
  };
}

interface View {
  readonly producer: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  readonly isConstant: (name: string) => boolean;
  /** Numbers where they are known. */
  readonly dims: (name: string) => readonly (number | undefined)[] | undefined;
}

function viewOf(model: Model): View {
  const { graph } = model;
  const producer = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) consumers.set(name, [...(consumers.get(name) ?? []), node]);
  }
  const types = inferTypes(model);
  return {
    producer,
    consumers,
    isConstant: (name) => graph.initializers.has(name),
    dims: (name) => {
      const known = graph.initializers.get(name)?.dims;
      if (known !== undefined) return known;
      const type = types.get(name)?.type;
      if (type?.kind !== 'tensor' || type.shape === undefined) return undefined;
      return type.shape.map((dim) => (typeof dim === 'number' ? dim : undefined));
    },
  };
}

function attentionOf(
  view: View,
  softmax: Node,
): { readonly layer: AttentionLayer; readonly reads: string } | undefined {
  if (view.dims(softmax.inputs[0]!)?.length !== 4) return undefined;
  const scores = unmasked(view, softmax.inputs[0]!);
  const product = scores === undefined ? undefined : through(view, scores, SCALES);
  const mixing = forward(view, softmax.outputs[0]!);
  if (scores === undefined || product?.node.opType !== 'MatMul' || mixing === undefined) return undefined;
  const [query, key] = product.node.inputs.map((name) => projectionOf(view, name));
  const value = projectionOf(view, mixing.inputs[1]!);
  if (query === undefined || key === undefined || value === undefined) return undefined;
  const heads = view.dims(product.node.inputs[0]!)?.[1];
  if (heads === undefined) return undefined;
  return { layer: { scores, heads, query, key, value }, reads: key.reads };
}

/** Change a value by a factor alone. */
const SCALES = new Set(['Mul', 'Div', 'Identity']);
/** The same elements in another order. */
const LAYOUT = new Set(['Reshape', 'Transpose', 'Identity', 'Unsqueeze', 'Squeeze', 'Flatten']);

/** Scores before what hides padding is added. */
function unmasked(view: View, name: string): string | undefined {
  const node = view.producer.get(name);
  if (node === undefined) return undefined;
  if (node.opType === 'Add' || node.opType === 'Where') {
    const places = node.opType === 'Add' ? [0, 1] : [1, 2];
    const found = places.map((place) => node.inputs[place]!).find((input) => isProduct(view, input));
    return found === undefined ? undefined : (unmasked(view, found) ?? found);
  }
  return isProduct(view, name) ? name : undefined;
}

function isProduct(view: View, name: string): boolean {
  const node = view.producer.get(name);
  if (node === undefined) return false;
  if (node.opType === 'MatMul') return node.inputs.every((input) => !view.isConstant(input));
  if (node.opType === 'Add' || node.opType === 'Where') return node.inputs.some((input) => isProduct(view, input));
  if (!SCALES.has(node.opType)) return false;
  const read = node.opType === 'Identity' ? node.inputs[0]! : scaledBy(view, node);
  return read !== undefined && isProduct(view, read);
}

/** The node behind operators of some kinds, which give what they read but for its layout or a factor. */
function through(
  view: View,
  name: string,
  kinds: ReadonlySet<string>,
): { readonly node: Node; readonly value: string } | undefined {
  for (let value = name; ; ) {
    const node = view.producer.get(value);
    if (node === undefined) return undefined;
    if (!kinds.has(node.opType)) return { node, value };
    const isFactor = node.opType === 'Mul' || node.opType === 'Div';
    const read = isFactor ? scaledBy(view, node) : node.inputs[0]!;
    if (read === undefined) return { node, value };
    value = read;
  }
}

/** Of a product with one number, or a quotient by one, the other side. */
function scaledBy(view: View, { opType, inputs }: Node): string | undefined {
  const isNumber = (name: string): boolean => view.dims(name)?.every((dim) => dim === 1) === true;
  if (isNumber(inputs[1]!)) return inputs[0]!;
  return opType === 'Mul' && isNumber(inputs[0]!) ? inputs[1]! : undefined;
}

const BETWEEN = new Set([...SCALES, ...LAYOUT]);

/** The linear layer behind one side of a product. */
function projectionOf(view: View, name: string): (Projection & { readonly reads: string }) | undefined {
  const found = through(view, name, BETWEEN);
  if (found === undefined) return undefined;
  const { node, value } = found;
  const made = (reads: string, weight: string, axis: number, scale: number) => {
    const width = view.dims(weight)?.[axis];
    return width === undefined ? undefined : { value, width, scale, reads: rowsBehind(view, reads) };
  };
  if (node.opType === 'Gemm' && view.isConstant(node.inputs[1]!)) {
    const axis = intOf(node, 'transB', 0) === 1 ? 0 : 1;
    return made(node.inputs[0]!, node.inputs[1]!, axis, floatOf(node, 'alpha', 1));
  }
  if (node.opType === 'MatMul' && view.isConstant(node.inputs[1]!)) return made(node.inputs[0]!, node.inputs[1]!, 1, 1);
  if (node.opType !== 'Add') return undefined;
  const product = node.inputs.map((input) => view.producer.get(input)).find((input) => input?.opType === 'MatMul');
  if (product === undefined || !view.isConstant(product.inputs[1]!)) return undefined;
  return made(product.inputs[0]!, product.inputs[1]!, 1, 1);
}

/** Dropout multiplies with a mask; exporters put a guard against rows without a number behind the softmax. */
const PASSING = new Set(['Mul', 'Identity', 'Dropout', 'Where', 'Cast']);

/** What is multiplied with the values. */
function forward(view: View, name: string): Node | undefined {
  for (const node of view.consumers.get(name) ?? []) {
    if (node.opType === 'MatMul' && node.inputs[0] === name) return node;
    if (PASSING.has(node.opType)) {
      const found = forward(view, node.outputs[0]!);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** A state in another layout is the same state. */
function rowsBehind(view: View, name: string): string {
  const node = view.producer.get(name);
  return node !== undefined && (node.opType === 'Reshape' || node.opType === 'Identity')
    ? rowsBehind(view, node.inputs[0]!)
    : name;
}
