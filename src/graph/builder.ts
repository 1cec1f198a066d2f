import type { DataType } from '../base/dtype.ts';
import { LatheError } from '../base/errors.ts';
import { type Tensor, tensorFrom } from '../base/tensor.ts';
import { float, int, ints, string } from './attributes.ts';
import {
  type Attribute,
  EMPTY_GRAPH,
  type Graph,
  type Model,
  type Node,
  type Shape,
  type StoredTensor,
  type TensorType,
  type ValueInfo,
} from './ir.ts';
import { stored } from './stored.ts';

/** The operator set and file format that Lathe writes: the newest that every build of ONNX Runtime in use runs well. */
export const DEFAULT_OPSET = 17;
export const DEFAULT_IR_VERSION = 8;

/** The name of a value in the graph under construction. */
export type Value = string;
export type Attributes = Readonly<Record<string, Attribute>>;
type NumericType = Exclude<DataType, 'string'>;

/**
 * Builds a graph node by node. It is the one mutable thing here, local to the pass or architecture that uses it. The
 * methods below the core write operators in the form that the operator set asks for (`axes` as attribute or as input),
 * so that nobody else needs to know. Supported: operator sets 13 and newer.
 */
export class GraphBuilder {
  readonly opset: number;
  readonly #taken = new Set<string>();
  /** The last number that a name was told apart by, so that the next one is found without trying all. */
  readonly #counts = new Map<string, number>();
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, StoredTensor>();
  readonly #constants = new Map<string, Value>();
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];

  /** `extending`: names of its values and nodes are not given out again; the caller merges `nodes` and `initializers`. */
  constructor(options: { readonly opset?: number; readonly extending?: Graph } = {}) {
    this.opset = options.opset ?? DEFAULT_OPSET;
    if (this.opset < 13) throw new LatheError('unsupported', `operator set ${this.opset}: expected 13 or newer`);
    if (options.extending !== undefined) reserveNames(options.extending, this.#taken);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get initializers(): ReadonlyMap<string, StoredTensor> {
    return this.#initializers;
  }

  /** A name that nothing in the graph has yet: `hint`, or `hint_1`, `hint_2`, … */
  unique(hint: string): string {
    let name = hint;
    let count = this.#counts.get(hint) ?? 0;
    for (; this.#taken.has(name); name = `${hint}_${count}`) count++;
    this.#counts.set(hint, count);
    this.#taken.add(name);
    return name;
  }

  input(name: string, dtype: DataType, shape: Shape, metadata?: ReadonlyMap<string, string>): Value {
    this.#claim(name);
    this.#inputs.push({ ...tensorInfo(name, { dtype, shape }), ...(metadata && { metadata }) });
    return name;
  }

  /** Declares an output; give `as` to name it (an Identity is added where the value has another name). */
  output(value: Value, type?: TensorType, as?: string): void {
    let name = value;
    if (as !== undefined && as !== value) {
      this.#claim(as);
      this.#nodes.push(identityNode(value, as));
      name = as;
    }
    this.#outputs.push(type === undefined ? { name } : tensorInfo(name, type));
  }

  /** A named weight. */
  initializer(name: string, value: Tensor): Value {
    this.#claim(name);
    this.#initializers.set(name, stored(value));
    return name;
  }

  /** An unnamed constant; small equal ones are shared. */
  constant(value: Tensor, hint = 'constant'): Value {
    const key =
      value.data.length <= 64 ? `${value.dtype}[${value.dims}]${Array.from(value.data, String).join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.unique(hint);
    this.#initializers.set(name, stored(value));
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A scalar of the given type. */
  scalar(value: number, dtype: NumericType): Value {
    return this.constant(tensorFrom(dtype, value));
  }

  /** A one-dimensional int64 tensor, as shapes, axes and indices are written. */
  int64s(values: readonly number[]): Value {
    return this.constant(tensorFrom('int64', values));
  }

  /** Any node. `outputs` is how many, or their names; an undefined input is one left out. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    options: {
      readonly attributes?: Attributes;
      readonly outputs?: number | readonly string[];
      readonly name?: string;
      readonly domain?: string;
      readonly hint?: string;
    } = {},
  ): Value[] {
    const { attributes = {}, outputs = 1, domain = '', hint = opType.toLowerCase() } = options;
    const names = typeof outputs === 'number' ? Array.from({ length: outputs }, () => this.unique(hint)) : [...outputs];
    if (typeof outputs !== 'number') for (const name of names) if (name !== '') this.#claim(name);
    const given = inputs.map((value) => value ?? '');
    while (given.at(-1) === '') given.pop();
    this.#nodes.push({
      opType,
      domain,
      name: options.name ?? '',
      inputs: given,
      outputs: names,
      attributes: new Map(Object.entries(attributes)),
    });
    return names;
  }

  /** A node with one output. `as` names it. */
  op(opType: string, inputs: readonly (Value | undefined)[], attributes?: Attributes, as?: string): Value {
    return this.node(opType, inputs, {
      ...(attributes && { attributes }),
      ...(as !== undefined && { outputs: [as] }),
    })[0]!;
  }

  /** The finished model. */
  build(
    options: {
      readonly name?: string;
      readonly producerName?: string;
      readonly opsets?: Model['opsets'];
      readonly irVersion?: number;
    } = {},
  ): Model {
    return {
      irVersion: options.irVersion ?? DEFAULT_IR_VERSION,
      opsets: options.opsets ?? [{ domain: '', version: this.opset }],
      producerName: options.producerName ?? 'lathe',
      functions: [],
      trainingInfo: [],
      graph: {
        ...EMPTY_GRAPH,
        name: options.name ?? EMPTY_GRAPH.name,
        nodes: this.#nodes,
        initializers: this.#initializers,
        inputs: this.#inputs,
        outputs: this.#outputs,
      },
    };
  }

  // Operators, in the form that `opset` asks for.

  add = (a: Value, b: Value): Value => this.op('Add', [a, b]);
  sub = (a: Value, b: Value): Value => this.op('Sub', [a, b]);
  mul = (a: Value, b: Value): Value => this.op('Mul', [a, b]);
  div = (a: Value, b: Value): Value => this.op('Div', [a, b]);
  neg = (x: Value): Value => this.op('Neg', [x]);
  sqrt = (x: Value): Value => this.op('Sqrt', [x]);
  exp = (x: Value): Value => this.op('Exp', [x]);
  log = (x: Value): Value => this.op('Log', [x]);
  matMul = (a: Value, b: Value): Value => this.op('MatMul', [a, b]);
  where = (condition: Value, then: Value, otherwise: Value): Value => this.op('Where', [condition, then, otherwise]);
  equal = (a: Value, b: Value): Value => this.op('Equal', [a, b]);
  greater = (a: Value, b: Value): Value => this.op('Greater', [a, b]);
  less = (a: Value, b: Value): Value => this.op('Less', [a, b]);
  identity = (x: Value): Value => this.op('Identity', [x]);
  /** The shape as int64 [rank]. */
  shape = (x: Value): Value => this.op('Shape', [x]);
  reshape = (x: Value, shape: Value): Value => this.op('Reshape', [x, shape]);
  expand = (x: Value, shape: Value): Value => this.op('Expand', [x, shape]);
  transpose = (x: Value, permutation: readonly number[]): Value =>
    this.op('Transpose', [x], { perm: ints(permutation) });
  gather = (x: Value, indices: Value, axis = 0): Value => this.op('Gather', [x, indices], { axis: int(axis) });
  concat = (values: readonly Value[], axis: number): Value => this.op('Concat', values, { axis: int(axis) });
  unsqueeze = (x: Value, axes: readonly number[]): Value => this.op('Unsqueeze', [x, this.int64s(axes)]);
  squeeze = (x: Value, axes: readonly number[]): Value => this.op('Squeeze', [x, this.int64s(axes)]);
  softmax = (x: Value, axis = -1): Value => this.op('Softmax', [x], { axis: int(axis) });
  gemm = (a: Value, b: Value, c?: Value, transpose: { readonly a?: boolean; readonly b?: boolean } = {}): Value =>
    this.op('Gemm', [a, b, c], { ...(transpose.a && { transA: int(1) }), ...(transpose.b && { transB: int(1) }) });

  cast(x: Value, to: number): Value {
    return this.op('Cast', [x], { to: int(to) });
  }

  slice(
    x: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value {
    return this.op('Slice', [
      x,
      this.int64s(starts),
      this.int64s(ends),
      this.int64s(axes),
      steps && this.int64s(steps),
    ]);
  }

  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    return this.node('Split', [x, this.int64s(sizes)], { attributes: { axis: int(axis) }, outputs: sizes.length });
  }

  /** Sums over `axes` (constants, or a value holding int64 axes; an empty value of axes reduces nothing). */
  reduceSum(x: Value, axes: readonly number[] | Value, keepDims = true): Value {
    return this.op('ReduceSum', [x, typeof axes === 'string' ? axes : this.int64s(axes)], {
      keepdims: int(keepDims ? 1 : 0),
      ...(typeof axes === 'string' && { noop_with_empty_axes: int(1) }),
    });
  }

  reduceMean = (x: Value, axes: readonly number[], keepDims = true): Value =>
    this.#reduce('ReduceMean', x, axes, keepDims);
  reduceMax = (x: Value, axes: readonly number[], keepDims = true): Value =>
    this.#reduce('ReduceMax', x, axes, keepDims);
  reduceMin = (x: Value, axes: readonly number[], keepDims = true): Value =>
    this.#reduce('ReduceMin', x, axes, keepDims);
  reduceProd = (x: Value, axes: readonly number[], keepDims = true): Value =>
    this.#reduce('ReduceProd', x, axes, keepDims);

  /** Adds `updates` into a copy of `data` at `indices` along `axis`. Deterministic with several threads, unlike ScatterND. */
  scatterAdd(data: Value, indices: Value, updates: Value, axis: number): Value {
    if (this.opset < 16)
      throw new LatheError('unsupported', `adding at indices needs operator set 16 or newer, got ${this.opset}`);
    return this.op('ScatterElements', [data, indices, updates], { axis: int(axis), reduction: string('add') });
  }

  layerNormalization(x: Value, scale: Value, bias: Value, epsilon: number, axis = -1): Value {
    return this.op('LayerNormalization', [x, scale, bias], { axis: int(axis), epsilon: float(epsilon) });
  }

  /** Reductions other than ReduceSum take axes as an attribute before operator set 18. */
  #reduce(opType: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
    const keepdims = int(keepDims ? 1 : 0);
    if (this.opset < 18) return this.op(opType, [x], { axes: ints(axes), keepdims });
    return this.op(opType, [x, this.int64s(axes)], { keepdims });
  }

  #claim(name: string): void {
    if (this.#taken.has(name)) throw new LatheError('internal', `the name "${name}" is already taken in the graph`);
    this.#taken.add(name);
  }
}

/** A node that gives a value another name. */
export function identityNode(from: Value, to: Value): Node {
  return { opType: 'Identity', domain: '', name: '', inputs: [from], outputs: [to], attributes: new Map() };
}

export function tensorInfo(name: string, type: TensorType): ValueInfo {
  return { name, type: { kind: 'tensor', dtype: type.dtype, ...(type.shape && { shape: type.shape }) } };
}

function reserveNames(graph: Graph, into: Set<string>): void {
  for (const { name } of [...graph.inputs, ...graph.outputs, ...graph.valueInfo]) into.add(name);
  for (const name of graph.initializers.keys()) into.add(name);
  for (const { values } of graph.sparseInitializers) if (values.name !== undefined) into.add(values.name);
  for (const node of graph.nodes) {
    if (node.name !== '') into.add(node.name);
    for (const name of node.inputs) into.add(name);
    for (const name of node.outputs) into.add(name);
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === 'graph') reserveNames(attribute.value, into);
      if (attribute.kind === 'graphs') for (const inner of attribute.value) reserveNames(inner, into);
    }
  }
}

/** A model with what was built on top of it: the nodes behind its own, and with other inputs or outputs where they are given. */
export function extendModel(
  model: Model,
  { nodes, initializers }: Pick<GraphBuilder, 'nodes' | 'initializers'>,
  ends: Partial<Pick<Graph, 'inputs' | 'outputs'>>,
): Model {
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...nodes],
      initializers: new Map([...graph.initializers, ...initializers]),
      ...ends,
    },
  };
}
