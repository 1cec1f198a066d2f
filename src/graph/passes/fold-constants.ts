import { byteSize, isFloat } from '../../base/dtype.ts';
import { LatheError } from '../../base/errors.ts';
import { sizeOf } from '../../base/shape.ts';
import { numbersOf, type Tensor } from '../../base/tensor.ts';
import type { Graph, Model, Node, Shape, StoredTensor, TensorType, ValueInfo } from '../ir.ts';
import { isKnownOperator, type OperatorName } from '../operators/names.ts';
import { runReference } from '../operators/references.ts';
import type { ShapeContext } from '../operators/shape-rule.ts';
import { SHAPE_RULES } from '../operators/shapes.ts';
import { mapSubgraphs } from '../reads.ts';
import { stored, tensorOf } from '../stored.ts';
import { type Pass, resultOf } from './pass.ts';

export interface FoldOptions {
  /** Results above this size stay computed, unless they are no larger than what they are computed from. 1 MiB by default. */
  readonly maximumBytes?: number;
  /** Whether to compute with floating-point initializers too. They are weights, which lose their names that way: false by default. */
  readonly weights?: boolean;
}

/**
 * Computes, by the reference operators, what depends on constants only, and keeps the result as an initializer.
 * Constants are Constant nodes, and initializers that are not weights (see `weights`) nor defaults of graph inputs. The
 * shape of a value counts as constant where the graph declares all of it: run `inferShapes` before.
 *
 * Left alone: nodes that give outputs of their graph, control flow, functions, operators without a reference, and
 * whatever the reference refuses. Constants that are no longer read stay: run `removeDeadNodes` after.
 */
export const foldConstants: Pass<FoldOptions> = (model, options = {}) => {
  const run: Run = {
    maximumBytes: options.maximumBytes ?? 2 ** 20,
    weights: options.weights ?? false,
    opset: model.opsets.find(({ domain }) => domain === '')?.version ?? 1,
    // Before IR version 4 every initializer had to be an input as well, and was none.
    constantInputs: model.irVersion < 4,
    functions: new Set(model.functions.map(({ domain, name }) => `${domain}\u0000${name}`)),
  };
  const graph = folded(model.graph, run, undefined, new Map());
  return resultOf(model, graph === model.graph ? model : ({ ...model, graph } satisfies Model));
};

type Shapes = ReadonlyMap<string, readonly number[]>;

interface Run {
  readonly maximumBytes: number;
  readonly weights: boolean;
  readonly opset: number;
  readonly constantInputs: boolean;
  readonly functions: ReadonlySet<string>;
}

/** Constants of a graph and of those around it. */
interface Constants {
  readonly values: Map<string, Tensor | StoredTensor>;
  readonly outer: Constants | undefined;
}

function isConstant(constants: Constants | undefined, name: string): boolean {
  return constants !== undefined && (constants.values.has(name) || isConstant(constants.outer, name));
}

/** Bytes are looked at only when a node is computed. */
function constantIn(constants: Constants | undefined, name: string): Tensor | undefined {
  if (constants === undefined) return undefined;
  const value = constants.values.get(name);
  if (value === undefined) return constantIn(constants.outer, name);
  if (!('content' in value)) return value;
  const read = tensorOf(value);
  constants.values.set(name, read);
  return read;
}

/** Operators that read nothing of an input but its shape. */
const SHAPE_ONLY: ReadonlySet<string> = new Set<OperatorName>(['Shape', 'Size']);
/** The shape of their output depends on elements, but is bounded by what they read. */
const SELECTING: ReadonlySet<string> = new Set<OperatorName>(['Compress', 'NonZero']);
/** Their subgraphs may run for any time and to any size. */
const CONTROL_FLOW: ReadonlySet<string> = new Set<OperatorName>(['If', 'Loop', 'Scan']);

function folded(given: Graph, run: Run, outer: Constants | undefined, outerShapes: Shapes): Graph {
  const constants: Constants = { values: new Map(), outer };
  const inputs = new Set(run.constantInputs ? [] : given.inputs.map(({ name }) => name));
  for (const [name, value] of given.initializers) {
    if (inputs.has(name) || value.content.kind === 'external' || value.dtype === 'undefined') continue;
    if (run.weights || !isFloat(value.dtype)) constants.values.set(name, value);
  }
  const outputs = new Set(given.outputs.map(({ name }) => name));
  const shapes = declaredShapes(given, outerShapes);
  const results = new Map<string, StoredTensor>();
  const nodes: Node[] = [];
  let changed = false;
  for (const node of given.nodes) {
    const inside = mapSubgraphs(node, (graph) => folded(graph, run, constants, shapes));
    changed ||= inside !== node;
    const values = compute(inside, run, constants, shapes);
    values?.forEach((value, index) => void constants.values.set(node.outputs[index]!, value));
    const keep = values === undefined || node.opType === 'Constant' || node.outputs.some((name) => outputs.has(name));
    if (keep) nodes.push(inside);
    else {
      changed = true;
      values.forEach((value, index) => {
        const name = node.outputs[index]!;
        if (name !== '') results.set(name, stored(value));
      });
    }
  }
  if (!changed) return given;
  return { ...given, nodes, initializers: new Map([...given.initializers, ...results]) };
}

/** The outputs of a node, where they depend on constants only and are small enough. */
function compute(node: Node, run: Run, constants: Constants, shapes: Shapes): readonly Tensor[] | undefined {
  if (!isKnownOperator(node) || CONTROL_FLOW.has(node.opType) || run.functions.has(`\u0000${node.opType}`)) return;
  const first = node.inputs[0];
  const shape = SHAPE_ONLY.has(node.opType) && first !== undefined ? shapes.get(first) : undefined;
  if (shape === undefined && !node.inputs.every((name) => name === '' || isConstant(constants, name))) return;
  try {
    const inputs =
      shape === undefined
        ? node.inputs.map((name) => (name === '' ? undefined : constantIn(constants, name)))
        : [ofShape(shape)];
    const free = node.opType === 'Constant' && !node.attributes.has('sparse_value');
    if (!free && !fits(node, inputs, run)) return;
    const values = runReference({ node, opset: run.opset, inputs, evaluate: refuse });
    return values.slice(0, node.outputs.length);
  } catch (error) {
    if (error instanceof LatheError) return;
    throw error;
  }
}

/** A tensor of that shape without memory: for operators that do not look at elements. */
function ofShape(dims: readonly number[]): Tensor {
  return { dtype: 'uint8', dims, data: new Uint8Array(0) };
}

function refuse(): never {
  throw new LatheError('unsupported', 'subgraphs are not folded');
}

/** Whether the outputs are within the limit, by the shape rule: before anything is computed or allocated. */
function fits(
  node: Node & { readonly opType: OperatorName },
  inputs: readonly (Tensor | undefined)[],
  run: Run,
): boolean {
  const given = inputs.reduce((sum, value) => sum + (value === undefined ? 0 : bytesOf(value.dtype, value.dims)), 0);
  const limit = Math.max(run.maximumBytes, given);
  const context: ShapeContext = {
    node,
    opset: run.opset,
    inputValue: (index) => {
      const value = inputs[index];
      return value && { type: { kind: 'tensor', dtype: value.dtype, shape: value.dims }, ...elementsOf(value) };
    },
    input: (index): TensorType | undefined => {
      const value = inputs[index];
      return value && { dtype: value.dtype, shape: value.dims };
    },
    elements: (index) => inputs[index] && elementsOf(inputs[index]).elements,
    infer: refuse,
  };
  let total = 0;
  for (const result of SHAPE_RULES[node.opType](context)) {
    if (result === undefined) continue;
    const { type } = result;
    if (type.kind !== 'tensor' || type.dtype === 'undefined') return false;
    const dims = knownDims(type.shape);
    if (dims === undefined && !SELECTING.has(node.opType)) return false;
    total += dims === undefined ? 0 : bytesOf(type.dtype, dims);
  }
  return total <= limit;
}

function elementsOf(value: Tensor): { readonly elements?: readonly number[] } {
  const { dtype, dims, data } = value;
  const limit = dtype === 'int64' || dtype === 'int32' ? 64 : dtype === 'float32' || dtype === 'float64' ? 1 : 0;
  return dims.length <= 1 && data.length <= limit ? { elements: numbersOf(value) } : {};
}

function bytesOf(dtype: Tensor['dtype'], dims: readonly number[]): number {
  const count = sizeOf(dims);
  return byteSize(dtype, count) ?? 16 * count;
}

function knownDims(shape: Shape | undefined): readonly number[] | undefined {
  return shape?.every((dim) => typeof dim === 'number') ? (shape as readonly number[]) : undefined;
}

/** The values whose shape is declared with every dimension a number. */
function declaredShapes(graph: Graph, outer: Shapes): Shapes {
  const shapes = new Map(outer);
  const add = ({ name, type }: ValueInfo): void => {
    const dims = type?.kind === 'tensor' ? knownDims(type.shape) : undefined;
    if (dims !== undefined) shapes.set(name, dims);
  };
  graph.inputs.forEach(add);
  graph.valueInfo.forEach(add);
  for (const [name, { dims }] of graph.initializers) shapes.set(name, dims);
  return shapes;
}
