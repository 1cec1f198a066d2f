import { LatheError } from '../../base/errors.ts';
import type { Tensor } from '../../base/tensor.ts';
import { describeNode } from '../attributes.ts';
import { DEFAULT_OPSET, GraphBuilder } from '../builder.ts';
import { functionsOf } from '../functions.ts';
import { type InferredValue, inferScopes } from '../infer.ts';
import {
  EMPTY_GRAPH,
  type FunctionDefinition,
  type Graph,
  type Model,
  type Node,
  opsetOf,
  type StoredTensor,
  type TensorType,
  type ValueInfo,
} from '../ir.ts';
import { mapSubgraphs, readsOf } from '../reads.ts';
import { nodesGiving } from '../replace-nodes.ts';
import { tensorOf } from '../stored.ts';
import { ENDED, HISTORIES, NEWEST_OPERATOR_SET } from './operator-versions/histories.ts';
import { type History, type StepContext, same } from './operator-versions/step.ts';
import type { Pass } from './pass.ts';

export interface ConvertOptions {
  /** The operator set to raise the model to, 13 to 21. Default 17. */
  readonly to?: number;
}

/** The oldest operator set that the builder writes. */
const OLDEST_TARGET = 13;

/**
 * Raises a model to a newer operator set of the default domain: every node is written in the form of that set, with the
 * same meaning, in subgraphs and functions as well. A model of that set or a newer one stays as it is; nothing is
 * lowered. Operators of other domains stay. The file format (IR version) is raised to what the set needs.
 *
 * Throws LatheError('unsupported'), naming the node, its operator and both operator sets, for an operator that no table
 * knows or that came later, and for a use that has no form in the newer set.
 */
export const convertOperatorSet: Pass<ConvertOptions> = (model, { to = DEFAULT_OPSET } = {}) => {
  if (!Number.isInteger(to) || to < OLDEST_TARGET || to > NEWEST_OPERATOR_SET) {
    throw new LatheError('usage', `operator set ${to}: expected one from ${OLDEST_TARGET} to ${NEWEST_OPERATOR_SET}`);
  }
  const from = opsetOf(model) ?? to;
  const functions = model.functions.map((definition) => convertFunction(model, definition, from, to));
  const older = functions.some((definition, index) => definition !== model.functions[index]);
  if (from >= to && !older) return { model, changed: false };
  if (model.trainingInfo.length > 0) {
    throw new LatheError('unsupported', 'the model carries training graphs (training_info), which are not converted', {
      hint: 'Remove them: Lathe makes its own.',
    });
  }
  const graph = from >= to ? model.graph : convertMain(model, from, to);
  const opsets = model.opsets.map((set) => (set.domain === '' && set.version < to ? { ...set, version: to } : set));
  const irVersion = Math.max(model.irVersion, formatOf(to));
  return { model: { ...model, irVersion, opsets, functions, graph }, changed: true };
};

/** The IR version that came with an operator set. */
function formatOf(operatorSet: number): number {
  return operatorSet >= 21 ? 10 : operatorSet >= 19 ? 9 : 8;
}

/** What the conversion of one graph with its subgraphs, or of one function, works with. */
interface Conversion {
  readonly from: number;
  readonly to: number;
  readonly build: GraphBuilder;
  readonly isFunction: (node: Node) => boolean;
  readonly scopes: ReadonlyMap<Graph, ReadonlyMap<string, InferredValue>>;
  /** What the message says after the node's name. */
  readonly where: string;
}

interface Scope {
  readonly typeOf: (name: string) => TensorType | undefined;
  readonly constantOf: (name: string) => Tensor | undefined;
  readonly read: ReadonlySet<string>;
}

function convertMain(model: Model, from: number, to: number): Graph {
  const functions = functionsOf(model);
  const build = new GraphBuilder({ opset: to, extending: model.graph });
  const conversion: Conversion = {
    from,
    to,
    build,
    isFunction: (node) => functions.definitionOf(node) !== undefined,
    scopes: inferScopes(model),
    where: '',
  };
  const graph = convertGraph(conversion, model.graph, undefined, model.irVersion < 4);
  // Before IR version 4 every weight had to be an input as well; from there on an input is one that may change.
  const inputs = model.irVersion < 4 ? graph.inputs.filter(({ name }) => !graph.initializers.has(name)) : graph.inputs;
  return { ...graph, inputs, initializers: new Map([...graph.initializers, ...build.initializers]) };
}

function convertGraph(conversion: Conversion, graph: Graph, outer: Scope | undefined, constantInputs: boolean): Graph {
  const values = conversion.scopes.get(graph);
  const inputs = new Set(constantInputs ? [] : graph.inputs.map(({ name }) => name));
  const constants = constantsOf(graph.nodes, graph.initializers, inputs);
  const scope: Scope = {
    typeOf: (name) => {
      const type = values?.get(name)?.type;
      if (type === undefined) return outer?.typeOf(name);
      return type.kind === 'tensor' && type.dtype !== 'undefined' ? (type as TensorType) : undefined;
    },
    constantOf: (name) => {
      const value = constants.get(name);
      return value === undefined ? outer?.constantOf(name) : tensorOf(value);
    },
    read: new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(readsOf)]),
  };
  return { ...graph, nodes: convertNodes(conversion, graph.nodes, scope) };
}

function constantsOf(
  nodes: readonly Node[],
  initializers: ReadonlyMap<string, StoredTensor>,
  inputs: ReadonlySet<string>,
): ReadonlyMap<string, StoredTensor> {
  const constants = new Map([...initializers].filter(([name]) => !inputs.has(name)));
  for (const { opType, domain, attributes, outputs } of nodes) {
    const value = opType === 'Constant' && domain === '' ? attributes.get('value') : undefined;
    if (value?.kind === 'tensor') constants.set(outputs[0]!, value.value);
  }
  return constants;
}

/** A function has operator sets of its own, or those of the model. Its types are those of whoever calls it: not known. */
function convertFunction(
  model: Model,
  definition: FunctionDefinition,
  modelSet: number,
  to: number,
): FunctionDefinition {
  const own = definition.opsets.find(({ domain }) => domain === '')?.version;
  const from = own ?? (definition.opsets.length === 0 ? modelSet : to);
  if (from >= to) return definition;
  const functions = functionsOf(model);
  const build = new GraphBuilder({ opset: to, extending: graphOfFunction(definition) });
  const conversion: Conversion = {
    from,
    to,
    build,
    isFunction: (node) => functions.definitionOf(node) !== undefined,
    scopes: new Map(),
    where: ` in function "${definition.name}"`,
  };
  const constants = constantsOf(definition.nodes, new Map(), new Set());
  const nodes = convertNodes(conversion, definition.nodes, {
    typeOf: () => undefined,
    constantOf: (name) => {
      const value = constants.get(name);
      return value && tensorOf(value);
    },
    read: new Set([...definition.outputs, ...definition.nodes.flatMap(readsOf)]),
  });
  const opsets = definition.opsets.map((set) => (set.domain === '' ? { ...set, version: to } : set));
  return { ...definition, opsets, nodes: [...Array.from(build.initializers, constantNode), ...nodes] };
}

function graphOfFunction({ nodes, inputs, outputs }: FunctionDefinition): Graph {
  const named = (names: readonly string[]): ValueInfo[] => names.map((name) => ({ name }));
  return { ...EMPTY_GRAPH, nodes, inputs: named(inputs), outputs: named(outputs) };
}

function constantNode([name, value]: readonly [string, StoredTensor]): Node {
  const attributes = new Map([['value', { kind: 'tensor', value }] as const]);
  return { opType: 'Constant', domain: '', name: '', inputs: [], outputs: [name], attributes };
}

function convertNodes(conversion: Conversion, nodes: readonly Node[], scope: Scope): readonly Node[] {
  const inner = (graph: Graph): Graph => convertGraph(conversion, graph, scope, false);
  return nodes.flatMap((node) => {
    const converted = mapSubgraphs(node, inner);
    return node.domain === '' && !conversion.isFunction(node) ? raised(conversion, converted, scope) : [converted];
  });
}

/** The node in the form of the newer operator set, with the nodes that its steps wrote before and after it. */
function raised({ from, to, build, where }: Conversion, given: Node, scope: Scope): readonly Node[] {
  const start = build.nodes.length;
  const afterwards: (() => readonly Node[])[] = [];
  const refuse = (what: string): LatheError =>
    new LatheError(
      'unsupported',
      `${describeNode(given)}${where} cannot be raised from operator set ${from} to ${to}: ${what}`,
      { hint: `Export the model with operator set ${to}.` },
    );
  let node = given;
  let history = historyOf(node, from, refuse);
  for (let version = from + 1; version <= to; version++) {
    const step = history[version];
    if (step === undefined || step === same) continue;
    if ([...node.attributes.values()].some(({ kind }) => kind === 'reference')) {
      throw refuse(`an attribute of the function, where ${node.opType} changed in ${version}`);
    }
    const { opType } = node;
    node = step({ ...contextOf(node, scope, build, afterwards), target: to, build, refuse });
    if (node.opType !== opType) history = historyOf(node, version, refuse);
  }
  const before = build.nodes.slice(start);
  return [...before, node, ...afterwards.reverse().flatMap((write) => write())];
}

/** The versions of the node's operator, of which the operator set must have one. */
function historyOf({ opType }: Node, operatorSet: number, refuse: (what: string) => LatheError): History {
  if (!Object.hasOwn(HISTORIES, opType)) throw refuse('no such operator is known');
  const began = Math.min(...Object.keys(HISTORIES[opType as keyof typeof HISTORIES]).map(Number));
  const ended = ENDED[opType] ?? Infinity;
  if (operatorSet < began) throw refuse(`${opType} came with operator set ${began}`);
  if (operatorSet >= ended) throw refuse(`${opType} ended with operator set ${ended}`);
  return HISTORIES[opType as keyof typeof HISTORIES];
}

function contextOf(
  node: Node,
  scope: Scope,
  build: GraphBuilder,
  afterwards: (() => readonly Node[])[],
): Omit<StepContext, 'target' | 'build' | 'refuse'> {
  const has = (index: number): boolean => (node.inputs[index] ?? '') !== '';
  return {
    node,
    has,
    typeOf: (index) => (has(index) ? scope.typeOf(node.inputs[index]!) : undefined),
    constantOf: (index) => (has(index) ? scope.constantOf(node.inputs[index]!) : undefined),
    reads: (output) => (node.outputs[output] ?? '') !== '' && scope.read.has(node.outputs[output]!),
    rewriting: (changed, output, write) => {
      const name = changed.outputs[output]!;
      const value = build.unique(`${name}_raised`);
      afterwards.push(() => nodesGiving(build, [name], () => [write(value)]));
      return { ...changed, outputs: changed.outputs.map((old, index) => (index === output ? value : old)) };
    },
  };
}
