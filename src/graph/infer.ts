import { LatheError } from '../base/errors.ts';
import { describeNode } from './attributes.ts';
import { bodyOf, type Functions, functionsOf } from './functions.ts';
import type {
  Dimension,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  Shape,
  TensorType,
  ValueInfo,
  ValueType,
} from './ir.ts';
import { isKnownOperator } from './operators/names.ts';
import type { InferredValue, ShapeContext } from './operators/shape-rule.ts';
import { elementsOfStored } from './operators/shapes/constant.ts';
import { integerProductRule } from './operators/shapes/integer-products.ts';
import { SHAPE_RULES } from './operators/shapes.ts';
import { formatType, unifyTypes } from './value-types.ts';

export type { InferredValue } from './operators/shape-rule.ts';

export interface InferOptions {
  /** Types of graph inputs, instead of those that the model declares. */
  readonly inputs?: Readonly<Record<string, TensorType>>;
}

/**
 * The type of every value of the main graph (inputs, initializers, and what nodes give), and the elements of small
 * values computed from shapes, as far as they are known. Dimensions may be symbolic: names as the model gives them, and
 * expressions over those (`dimension.ts`). A value about which nothing is known is left out.
 *
 * What the model declares of a value (value_info, outputs) is used as well. Throws LatheError('shape') where inputs of a
 * node do not fit together or a declared type contradicts what follows from the graph. Initializers' bytes are read
 * only of integers and booleans of at most 1024 elements, and of single floats.
 */
export function inferTypes(model: Model, options: InferOptions = {}): ReadonlyMap<string, InferredValue> {
  return inferScopes(model, options).get(model.graph)!;
}

/** The same for the main graph and each graph inside its nodes that inference comes to, by the graph's object. */
export function inferScopes(
  model: Model,
  options: InferOptions = {},
): ReadonlyMap<Graph, ReadonlyMap<string, InferredValue>> {
  const run: Run = {
    scopes: new Map(),
    functions: functionsOf(model),
    // Before IR version 4 every weight had to be an input as well, and was none.
    constantInputs: model.irVersion < 4,
    depth: 0,
  };
  const scope = scopeOf(model.graph, undefined, opsetsOf(model), run);
  for (const { name, type } of model.graph.inputs) {
    const given = options.inputs?.[name];
    if (given !== undefined) scope.values.set(name, { type: { kind: 'tensor', ...given } });
    else if (type !== undefined && !scope.values.has(name)) scope.values.set(name, { type: withoutNegatives(type) });
  }
  for (const name of Object.keys(options.inputs ?? {})) {
    if (!model.graph.inputs.some((input) => input.name === name)) {
      throw new LatheError('usage', `"${name}" is no input of the graph`, {
        hint: `Its inputs are ${model.graph.inputs.map((input) => `"${input.name}"`).join(', ')}.`,
      });
    }
  }
  inferNodes(model.graph.nodes, scope, run);
  run.scopes.set(model.graph, scope.values);
  return run.scopes;
}

/**
 * Writes the types that follow from the graph into it: `valueInfo` for every value in between, and outputs made more
 * exact. Names that the model gave to dimensions are replaced by what they turn out to be.
 */
export function inferShapes(model: Model, options: InferOptions = {}): { model: Model; changed: boolean } {
  const types = inferTypes(model, options);
  const { graph } = model;
  let changed = false;
  const refine = (info: ValueInfo): ValueInfo => {
    const type = types.get(info.name)?.type;
    if (type === undefined || sameType(type, info.type)) return info;
    changed = true;
    // Denotations and fields that nobody knows stay.
    return { ...info, type: type.kind === info.type?.kind ? { ...info.type, ...type } : type };
  };
  const known = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const valueInfo = graph.valueInfo.map(refine);
  for (const { name } of valueInfo) known.add(name);
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const type = types.get(name)?.type;
      if (type === undefined || known.has(name)) continue;
      valueInfo.push({ name, type });
      known.add(name);
      changed = true;
    }
  }
  const inputs = graph.inputs.map((info) => (options.inputs?.[info.name] === undefined ? info : refine(info)));
  const outputs = graph.outputs.map(refine);
  return changed
    ? { model: { ...model, graph: { ...graph, inputs, outputs, valueInfo } }, changed }
    : { model, changed };
}

interface Run {
  readonly scopes: Map<Graph, ReadonlyMap<string, InferredValue>>;
  readonly functions: Functions;
  readonly constantInputs: boolean;
  /** How deep subgraphs and functions are nested. */
  depth: number;
}

interface Scope {
  readonly parent: Scope | undefined;
  readonly values: Map<string, InferredValue>;
  readonly declared: ReadonlyMap<string, ValueType>;
  readonly opsets: ReadonlyMap<string, number>;
}

/** Files nest without limit; a program's stack does not. */
const DEPTH_LIMIT = 64;
const NEWEST_OPSET = 21;

function opsetsOf(model: Pick<Model, 'opsets'>): ReadonlyMap<string, number> {
  return new Map(model.opsets.map(({ domain, version }) => [domain, version]));
}

function scopeOf(graph: Graph, parent: Scope | undefined, opsets: ReadonlyMap<string, number>, run: Run): Scope {
  const declared = new Map<string, ValueType>();
  for (const { name, type } of [...graph.valueInfo, ...graph.outputs]) {
    if (type !== undefined && type.kind !== 'undefined') declared.set(name, withoutNegatives(type));
  }
  const scope: Scope = { parent, values: new Map(), declared, opsets };
  const inputs = new Set(run.constantInputs ? [] : graph.inputs.map(({ name }) => name));
  for (const [name, value] of graph.initializers) {
    if (value.dtype === 'undefined') continue;
    // The default of an input: a caller may replace it.
    if (inputs.has(name)) continue;
    const type: ValueType = { kind: 'tensor', dtype: value.dtype, shape: value.dims };
    const elements = elementsOfStored(value);
    scope.values.set(name, elements === undefined ? { type } : { type, elements });
  }
  for (const { values, dims } of graph.sparseInitializers) {
    if (values.name === undefined || values.dtype === 'undefined') continue;
    scope.values.set(values.name, { type: { kind: 'tensor', dtype: values.dtype, shape: dims } });
  }
  return scope;
}

/** Some exporters write -1 for a dimension that they do not know. */
function withoutNegatives(type: ValueType): ValueType {
  const isNegative = (dim: Dimension): boolean => typeof dim === 'number' && dim < 0;
  if (type.kind !== 'tensor' || !type.shape?.some(isNegative)) return type;
  return { ...type, shape: type.shape.map((dim) => (isNegative(dim) ? null : dim)) };
}

function inferNodes(nodes: readonly Node[], scope: Scope, run: Run): void {
  for (const node of nodes) {
    const results = inferNode(node, scope, run);
    for (const [index, name] of node.outputs.entries()) {
      if (name === '') continue;
      const value = withDeclared(node, name, results[index], scope.declared.get(name));
      if (value !== undefined) scope.values.set(name, value);
    }
  }
}

function inferNode(node: Node, scope: Scope, run: Run): readonly (InferredValue | undefined)[] {
  const definition = run.functions.definitionOf(node);
  if (definition !== undefined) return inferFunction(definition, node, scope, run);
  const rule = isKnownOperator(node) ? SHAPE_RULES[node.opType] : integerProductRule(node);
  return rule?.(contextOf(node, scope, run)) ?? [];
}

function contextOf(node: Node, scope: Scope, run: Run): ShapeContext {
  const inputValue = (index: number): InferredValue | undefined => lookUp(scope, node.inputs[index] ?? '');
  return {
    node,
    opset: scope.opsets.get('') ?? NEWEST_OPSET,
    inputValue,
    input(index) {
      const type = inputValue(index)?.type;
      return type?.kind === 'tensor' && type.dtype !== 'undefined' ? (type as TensorType) : undefined;
    },
    elements: (index) => inputValue(index)?.elements,
    infer: (graph, inputs) => inferSubgraph(graph, inputs, scope, run, node),
  };
}

function lookUp(scope: Scope, name: string): InferredValue | undefined {
  if (name === '') return undefined;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const value = at.values.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The type as inferred where that says more, and as declared where only that says something. */
function withDeclared(
  node: Node,
  name: string,
  inferred: InferredValue | undefined,
  declared: ValueType | undefined,
): InferredValue | undefined {
  if (inferred === undefined) return declared && { type: declared };
  if (declared === undefined) return inferred;
  const type = unifyTypes(inferred.type, declared);
  if (type === undefined) {
    throw new LatheError(
      'shape',
      `${describeNode(node)}: value "${name}" is declared as ${formatType(declared)}, got ${formatType(inferred.type)}`,
      { hint: 'Correct the declared type, or remove it.' },
    );
  }
  return type === inferred.type ? inferred : { ...inferred, type };
}

function inferSubgraph(
  graph: Graph,
  inputs: readonly (InferredValue | undefined)[],
  parent: Scope,
  run: Run,
  node: Node,
): readonly (InferredValue | undefined)[] {
  return nested(run, node, () => {
    const scope = scopeOf(graph, parent, parent.opsets, run);
    for (const [index, { name, type }] of graph.inputs.entries()) {
      const given = inputs[index];
      if (given !== undefined) scope.values.set(name, given);
      else if (type !== undefined) scope.values.set(name, { type });
    }
    inferNodes(graph.nodes, scope, run);
    run.scopes.set(graph, scope.values);
    return graph.outputs.map(({ name }) => lookUp(scope, name));
  });
}

function inferFunction(
  definition: FunctionDefinition,
  node: Node,
  caller: Scope,
  run: Run,
): readonly (InferredValue | undefined)[] {
  return nested(run, node, () => {
    const body = bodyOf(definition, node);
    const scope: Scope = {
      parent: undefined,
      values: new Map(),
      declared: new Map(),
      opsets: body.opsets === undefined ? caller.opsets : opsetsOf({ opsets: body.opsets }),
    };
    for (const { name, given } of body.inputs) {
      const value = lookUp(caller, given);
      if (value !== undefined) scope.values.set(name, value);
    }
    inferNodes(body.nodes, scope, run);
    return definition.outputs.map((name) => lookUp(scope, name));
  });
}

function nested<T>(run: Run, node: Node, work: () => T): T {
  if (run.depth === DEPTH_LIMIT) {
    throw new LatheError(
      'invalid-model',
      `${describeNode(node)}: more than ${DEPTH_LIMIT} subgraphs or functions deep`,
      {
        hint: 'A function must not call itself.',
      },
    );
  }
  run.depth++;
  try {
    return work();
  } finally {
    run.depth--;
  }
}

function sameType(a: ValueType, b: ValueType | undefined): boolean {
  if (a === b) return true;
  if (b === undefined || a.kind !== b.kind) return false;
  if (a.kind === 'tensor' && b.kind === 'tensor') return a.dtype === b.dtype && sameShape(a.shape, b.shape);
  return formatType(a) === formatType(b);
}

function sameShape(a: Shape | undefined, b: Shape | undefined): boolean {
  return a === b || (a !== undefined && a.length === b?.length && a.every((dim, axis) => dim === b[axis]));
}
