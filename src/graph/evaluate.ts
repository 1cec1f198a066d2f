import { LatheError } from '../base/errors.ts';
import { formatDims } from '../base/shape.ts';
import type { Tensor } from '../base/tensor.ts';
import { describeNode } from './attributes.ts';
import { bodyOf, type Functions, functionsOf } from './functions.ts';
import type { FunctionDefinition, Graph, Model, Node, OperatorSet, ValueInfo } from './ir.ts';
import { runReference } from './operators/references.ts';
import { readsOf } from './reads.ts';
import { denseOf } from './sparse.ts';
import { tensorOf } from './stored.ts';
import { formatType } from './value-types.ts';

/**
 * Runs a model by the reference operators: floating point in float64, rounded once an operator. Subgraphs and the
 * model's functions included. Only what `outputs` (the model's outputs by default, or any other values of its graph)
 * depend on is run. `feeds` are the inputs, and initializers to be replaced by other values.
 *
 * Throws for a missing, unknown or unfit feed, and for operators without a reference.
 */
export function evaluate(
  model: Model,
  feeds: Readonly<Record<string, Tensor>> = {},
  outputs: readonly string[] = model.graph.outputs.map(({ name }) => name),
): Record<string, Tensor> {
  const { graph } = model;
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
  const scope = scopeIn(undefined);
  for (const [name, value] of Object.entries(feeds)) {
    const declared = inputs.get(name) ?? initializerInfo(graph, name);
    if (declared === undefined)
      throw new LatheError('usage', `the model has no input or initializer "${name}"`, {
        hint: `Its inputs: ${[...inputs.keys()].join(', ')}`,
      });
    expectType(declared, value);
    scope.values.set(name, value);
  }
  const run: Run = { opsets: versions(model.opsets), functions: functionsOf(model), depth: 0 };
  runGraph(run, graph, scope, outputs);
  return Object.fromEntries(outputs.map((name) => [name, valueIn(scope, name, () => 'an output')]));
}

const DEPTH_LIMIT = 64;

interface Run {
  readonly opsets: ReadonlyMap<string, number>;
  readonly functions: Functions;
  /** How deep functions are nested. */
  readonly depth: number;
}

/** The values of a graph, and those of the graphs around it. */
interface Scope {
  readonly values: Map<string, Tensor>;
  readonly outer: Scope | undefined;
}

function scopeIn(outer: Scope | undefined): Scope {
  return { values: new Map(), outer };
}

function valueIn(scope: Scope, name: string, reader: () => string): Tensor {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const value = at.values.get(name);
    if (value !== undefined) return value;
  }
  throw new LatheError('invalid-model', `${reader()} needs "${name}", which nothing has given`);
}

function runGraph(run: Run, graph: Graph, scope: Scope, outputs: readonly string[]): void {
  const wanted = wantedNodes(graph, outputs, scope);
  for (const sparse of graph.sparseInitializers) {
    const name = sparse.values.name ?? '';
    if (wanted.values.has(name) && !scope.values.has(name)) scope.values.set(name, denseOf(sparse));
  }
  for (const name of wanted.values) {
    const initializer = graph.initializers.get(name);
    if (initializer !== undefined && !scope.values.has(name)) scope.values.set(name, tensorOf(initializer));
  }
  for (const { name, type } of graph.inputs) {
    if (wanted.values.has(name) && !scope.values.has(name))
      throw new LatheError(
        'usage',
        `input "${name}" of graph "${graph.name}" is missing${type === undefined ? '' : `: expected ${formatType(type)}`}`,
      );
  }
  for (const node of wanted.nodes) runNode(run, node, scope);
}

/** The nodes that the outputs depend on, in the order of the graph, and the values that these read. */
function wantedNodes(
  graph: Graph,
  outputs: readonly string[],
  scope: Scope,
): { readonly nodes: readonly Node[]; readonly values: ReadonlySet<string> } {
  const values = new Set(outputs);
  const nodes: Node[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]!;
    if (!node.outputs.some((name) => name !== '' && values.has(name) && !scope.values.has(name))) continue;
    nodes.push(node);
    for (const name of readsOf(node)) values.add(name);
  }
  return { nodes: nodes.reverse(), values };
}

function runNode(run: Run, node: Node, scope: Scope): void {
  const inputs = node.inputs.map((name) => (name === '' ? undefined : valueIn(scope, name, () => describeNode(node))));
  const definition = run.functions.definitionOf(node);
  const results =
    definition === undefined
      ? runReference({
          node,
          opset: run.opsets.get(node.domain) ?? 1,
          inputs,
          evaluate: (graph, values) => runSubgraph(run, graph, values, scope),
        })
      : runFunction(run, definition, node, inputs);
  node.outputs.forEach((name, index) => {
    if (name === '') return;
    const value = results[index];
    if (value === undefined)
      throw new LatheError('invalid-model', `${describeNode(node)}: has no output ${index} ("${name}")`);
    scope.values.set(name, value);
  });
}

function runSubgraph(run: Run, graph: Graph, inputs: readonly Tensor[], outer: Scope): readonly Tensor[] {
  const scope = scopeIn(outer);
  if (inputs.length > graph.inputs.length)
    throw new LatheError(
      'invalid-model',
      `subgraph "${graph.name}" takes ${graph.inputs.length} inputs, got ${inputs.length}`,
    );
  graph.inputs.forEach(({ name }, index) => {
    const value = inputs[index];
    if (value !== undefined) scope.values.set(name, value);
  });
  const outputs = graph.outputs.map(({ name }) => name);
  runGraph(run, graph, scope, outputs);
  return outputs.map((name) => valueIn(scope, name, () => `subgraph "${graph.name}"`));
}

/** A function sees only its own inputs; the attributes of the call stand in for references in its body. */
function runFunction(
  run: Run,
  definition: FunctionDefinition,
  call: Node,
  inputs: readonly (Tensor | undefined)[],
): readonly Tensor[] {
  if (run.depth === DEPTH_LIMIT)
    throw new LatheError('invalid-model', `${describeNode(call)}: more than ${DEPTH_LIMIT} functions deep`, {
      hint: 'A function must not call itself.',
    });
  const scope = scopeIn(undefined);
  const body = bodyOf(definition, call);
  for (const { name, given } of body.inputs) {
    const value = inputs[call.inputs.indexOf(given)];
    if (value !== undefined) scope.values.set(name, value);
  }
  const opsets = body.opsets === undefined ? run.opsets : versions(body.opsets);
  for (const node of body.nodes) runNode({ ...run, opsets, depth: run.depth + 1 }, node, scope);
  return definition.outputs.map((name) => valueIn(scope, name, () => describeNode(call)));
}

function versions(opsets: readonly OperatorSet[]): ReadonlyMap<string, number> {
  return new Map(opsets.map(({ domain, version }) => [domain, version]));
}

function initializerInfo(graph: Graph, name: string): ValueInfo | undefined {
  const value = graph.initializers.get(name);
  return value && { name, type: { kind: 'tensor', dtype: value.dtype, shape: value.dims } };
}

/** Throws when a feed is not of the type that the model declares. Symbolic dimensions take any size. */
function expectType({ name, type }: ValueInfo, value: Tensor): void {
  if (type?.kind !== 'tensor') return;
  const { shape } = type;
  const fits =
    type.dtype === value.dtype &&
    (shape === undefined ||
      (shape.length === value.dims.length &&
        shape.every((dim, axis) => typeof dim !== 'number' || dim === value.dims[axis])));
  if (fits) return;
  throw new LatheError(
    'shape',
    `input "${name}": expected ${formatType(type)}, got ${value.dtype}${formatDims(value.dims)}`,
  );
}
