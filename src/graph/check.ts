import { LatheError } from '../base/errors.ts';
import { describeNode } from './attributes.ts';
import { problemsOfSparseTensor, problemsOfTensor } from './check-tensors.ts';
import { type Functions, functionsOf } from './functions.ts';
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  OperatorSet,
  TrainingInfo,
  ValueInfo,
  ValueType,
} from './ir.ts';
import { readsOf, subgraphsOf } from './reads.ts';

/** The newest version of the file format that Lathe knows. */
const NEWEST_IR_VERSION = 14;
/** From a hostile file there could be millions. */
const MOST_PROBLEMS = 100;
const MOST_SHOWN = 10;

/**
 * Throws `invalid-model` where a model breaks the rules of the ONNX specification (docs/IR.md, IR version 14), and lists
 * what is wrong. Operators themselves are not looked at: that is for shape inference.
 */
export function check(model: Model): void {
  const found = problems(model);
  if (found.length === 0) return;
  const shown = found.slice(0, MOST_SHOWN);
  const more = found.length > MOST_SHOWN ? [`and ${found.length - MOST_SHOWN} more`] : [];
  const count = found.length === 1 ? 'a problem' : `${found.length} problems`;
  throw new LatheError('invalid-model', `the model has ${count}:\n- ${[...shown, ...more].join('\n- ')}`);
}

/** What is wrong with a model, each problem a sentence; empty for a valid one. Gives up after a hundred. */
export function problems(model: Model): readonly string[] {
  const found = new Problems();
  checkVersions(model, found);
  const functions = functionsOf(model);
  const context: Context = { found, functions, irVersion: model.irVersion, opsets: domainsOf(model.opsets) };
  checkTypesOfInterface(model.graph, found);
  const scope = checkGraph(model.graph, `graph "${model.graph.name}"`, undefined, context);
  for (const definition of model.functions) checkFunction(definition, context);
  checkFunctionSet(model, found);
  for (const info of model.trainingInfo) checkTrainingInfo(info, model.graph, scope, context);
  return found.list;
}

class Problems {
  readonly list: string[] = [];

  add(problem: string): void {
    if (this.list.length < MOST_PROBLEMS) this.list.push(problem);
  }
}

interface Context {
  readonly found: Problems;
  readonly functions: Functions;
  readonly irVersion: number;
  readonly opsets: ReadonlySet<string>;
  /** Inside a function: its attributes, to which nodes may refer. */
  readonly attributes?: ReadonlySet<string>;
}

/** The values that are defined so far, in a graph and the graphs around it. */
class Scope {
  readonly #own = new Set<string>();
  readonly #around: Scope | undefined;

  constructor(around: Scope | undefined) {
    this.#around = around;
  }

  define(name: string): void {
    this.#own.add(name);
  }

  definesItself(name: string): boolean {
    return this.#own.has(name);
  }

  has(name: string): boolean {
    return this.#own.has(name) || (this.#around?.has(name) ?? false);
  }
}

function checkVersions(model: Model, found: Problems): void {
  const { irVersion, opsets } = model;
  if (irVersion < 1) found.add(`the model states no IR version (it says ${irVersion})`);
  if (irVersion > NEWEST_IR_VERSION) {
    found.add(`the model has IR version ${irVersion}, the newest one known is ${NEWEST_IR_VERSION}`);
  }
  if (irVersion >= 3 && opsets.length === 0) found.add('the model imports no operator set');
  if (irVersion < 3 && opsets.length > 0) found.add(`IR version ${irVersion} knows no imports of operator sets`);
  if (irVersion < 8 && model.functions.length > 0) found.add(`IR version ${irVersion} knows no functions`);
  checkOpsets(opsets, 'the model', found);
}

function checkOpsets(opsets: readonly OperatorSet[], where: string, found: Problems): void {
  for (const domain of duplicates(opsets.map((set) => set.domain))) {
    found.add(`${where} imports the operator set "${domain}" twice`);
  }
  for (const { domain, version } of opsets) {
    if (version < 1) found.add(`${where} imports version ${version} of the operator set "${domain}"`);
  }
}

/** Before imports were stated, at IR version 3, the standard operators were version 1. */
function domainsOf(opsets: readonly OperatorSet[]): ReadonlySet<string> {
  return new Set(opsets.length === 0 ? [''] : opsets.map((set) => set.domain));
}

function checkTypesOfInterface(graph: Graph, found: Problems): void {
  for (const [what, list] of [
    ['input', graph.inputs],
    ['output', graph.outputs],
  ] as const) {
    for (const { name, type } of list) {
      if (type === undefined || isIncomplete(type)) found.add(`${what} "${name}" has no complete type`);
    }
  }
}

function isIncomplete(type: ValueType): boolean {
  switch (type.kind) {
    case 'undefined':
      return true;
    case 'tensor':
    case 'sparseTensor':
      return type.dtype === 'undefined';
    case 'sequence':
    case 'optional':
      return isIncomplete(type.element);
    case 'map':
      return type.key === 'undefined' || isIncomplete(type.value);
    case 'opaque':
      return false;
  }
}

function checkGraph(graph: Graph, where: string, around: Scope | undefined, context: Context): Scope {
  const { found } = context;
  const scope = new Scope(around);
  if (graph.name === '') found.add(`${where} has no name`);
  for (const { name } of graph.inputs) {
    if (name === '') found.add(`${where} has an input without a name`);
    else if (scope.definesItself(name)) found.add(`${where} has two inputs named "${name}"`);
    scope.define(name);
  }
  checkInitializers(graph, where, scope, context);
  checkNodes(graph.nodes, where, scope, context);
  for (const { name } of graph.outputs) {
    if (name === '') found.add(`${where} has an output without a name`);
    else if (!scope.has(name)) found.add(`${where}: output "${name}" is not defined`);
  }
  checkNames(graph.outputs, 'outputs', where, found);
  checkNames(graph.valueInfo, 'types of values', where, found);
  return scope;
}

function checkNames(list: readonly ValueInfo[], what: string, where: string, found: Problems): void {
  for (const name of duplicates(list.map((info) => info.name))) found.add(`${where} has two ${what} named "${name}"`);
}

function checkInitializers(graph: Graph, where: string, scope: Scope, context: Context): void {
  const { found, irVersion } = context;
  const named = (name: string): void => {
    if (name === '') found.add(`${where} has an initializer without a name`);
    if (irVersion < 4 && !scope.definesItself(name)) {
      found.add(
        `${where}: initializer "${name}" is no input, as IR version ${irVersion} asks (from version 4 it need not be)`,
      );
    }
  };
  const sparseNames = graph.sparseInitializers.map(({ values }) => values.name ?? '');
  const repeated = new Set([...duplicates(sparseNames), ...sparseNames.filter((name) => graph.initializers.has(name))]);
  for (const name of repeated) found.add(`${where} has two initializers named "${name}"`);
  for (const [name, tensor] of graph.initializers) {
    named(name);
    for (const problem of problemsOfTensor(tensor)) found.add(`${where}: initializer "${name}" ${problem}`);
  }
  for (const sparse of graph.sparseInitializers) {
    const name = sparse.values.name ?? '';
    named(name);
    for (const problem of problemsOfSparseTensor(sparse))
      found.add(`${where}: sparse initializer "${name}" ${problem}`);
  }
  for (const name of [...graph.initializers.keys(), ...sparseNames]) scope.define(name);
}

function checkNodes(nodes: readonly Node[], where: string, scope: Scope, context: Context): void {
  const { found } = context;
  // Asked for only where a value is missing, which in a valid model never happens.
  let producers: ReadonlyMap<string, Node> | undefined;
  let cycle: string | undefined;
  for (const node of nodes) {
    const subject = describeNode(node);
    for (const name of node.inputs) {
      if (name === '' || scope.has(name)) continue;
      if (producers === undefined) {
        producers = producersOf(nodes);
        cycle = cycleAmong(nodes, producers);
        if (cycle !== undefined) found.add(`${where}: values depend on each other: ${cycle}`);
      }
      const producer = producers.get(name);
      found.add(
        producer === undefined
          ? `${where}: input "${name}" of ${subject} is not defined`
          : `${where}: input "${name}" of ${subject} is computed only later, by ${describeNode(producer)}`,
      );
    }
    checkNode(node, where, scope, context);
    for (const name of node.outputs) {
      if (name === '') continue;
      if (scope.has(name)) found.add(`${where}: output "${name}" of ${subject} is defined already`);
      scope.define(name);
    }
  }
}

function producersOf(nodes: readonly Node[]): ReadonlyMap<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of nodes) {
    for (const name of node.outputs) if (name !== '' && !producers.has(name)) producers.set(name, node);
  }
  return producers;
}

/** The values along a cycle, in the way that they flow. */
function cycleAmong(nodes: readonly Node[], producers: ReadonlyMap<string, Node>): string | undefined {
  const cycle = findCycle(nodes, (node) =>
    readsOf(node).flatMap((name) => {
      const producer = producers.get(name);
      return producer === undefined ? [] : [{ to: producer, label: name }];
    }),
  );
  return cycle && formatCycle(cycle.reverse());
}

function formatCycle(labels: readonly string[]): string {
  const closed = [...labels, labels[0]!].map((label) => `"${label}"`);
  return (closed.length > 8 ? [...closed.slice(0, 4), '…', ...closed.slice(-3)] : closed).join(' → ');
}

interface Edge<T> {
  readonly to: T;
  readonly label: string;
}

/** The labels along a cycle, or undefined. Without recursion: a hostile graph is a million nodes deep. */
function findCycle<T>(items: readonly T[], edgesOf: (item: T) => readonly Edge<T>[]): string[] | undefined {
  const finished = new Set<T>();
  const onPath = new Map<T, number>();
  for (const start of items) {
    const path: { item: T; edges: readonly Edge<T>[]; next: number; label: string }[] = [];
    const enter = (item: T, label: string): void => {
      onPath.set(item, path.length);
      path.push({ item, edges: edgesOf(item), next: 0, label });
    };
    if (!finished.has(start)) enter(start, '');
    while (path.length > 0) {
      const top = path.at(-1)!;
      const edge = top.edges[top.next++];
      if (edge === undefined) {
        path.pop();
        onPath.delete(top.item);
        finished.add(top.item);
        continue;
      }
      if (finished.has(edge.to)) continue;
      const since = onPath.get(edge.to);
      if (since !== undefined) return [...path.slice(since + 1).map((step) => step.label), edge.label];
      enter(edge.to, edge.label);
    }
  }
  return undefined;
}

function checkNode(node: Node, where: string, scope: Scope, context: Context): void {
  const { found } = context;
  const subject = `${where}: ${describeNode(node)}`;
  if (node.opType === '') found.add(`${where}: a node names no operator (outputs: ${node.outputs.join(', ')})`);
  if (node.inputs.length === 0 && node.outputs.length === 0) found.add(`${subject} has neither inputs nor outputs`);
  if (!context.opsets.has(node.domain)) {
    found.add(`${subject}: the operator set "${node.domain}" is not imported`);
  }
  const definition = context.functions.definitionOf(node);
  if (definition !== undefined) checkCall(node, definition, subject, found);
  else if ((node.overload ?? '') !== '') {
    found.add(`${subject}: there is no function with the overload "${node.overload}"`);
  }
  for (const [name, attribute] of node.attributes) {
    checkAttribute(attribute, `${subject}: attribute "${name}"`, context);
    if (name === '') found.add(`${subject} has an attribute without a name`);
  }
  for (const [name, graph] of namedSubgraphsOf(node)) checkGraph(graph, `${subject}, ${name}`, scope, context);
}

function namedSubgraphsOf(node: Node): readonly (readonly [string, Graph])[] {
  if (subgraphsOf(node).length === 0) return [];
  return [...node.attributes].flatMap(([name, attribute]): (readonly [string, Graph])[] => {
    if (attribute.kind === 'graph') return [[name, attribute.value]];
    if (attribute.kind === 'graphs') return attribute.value.map((graph, index) => [`${name}[${index}]`, graph]);
    return [];
  });
}

function checkCall(node: Node, definition: FunctionDefinition, subject: string, found: Problems): void {
  if (node.inputs.length > definition.inputs.length) {
    found.add(`${subject} gives ${node.inputs.length} inputs to a function of ${definition.inputs.length}`);
  }
  if (node.outputs.length > definition.outputs.length) {
    found.add(`${subject} takes ${node.outputs.length} outputs of a function of ${definition.outputs.length}`);
  }
}

/** Fields of AttributeProto that hold content: kept aside by the reader when the type names another one. */
const CONTENT_FIELDS: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 22, 23]);

function checkAttribute(attribute: Attribute, subject: string, { found, attributes }: Context): void {
  if (attribute.unknown?.some(({ number }) => CONTENT_FIELDS.has(number))) {
    found.add(`${subject} holds another value beside the one that its type names`);
  }
  switch (attribute.kind) {
    case 'undefined':
      found.add(`${subject} has ${attribute.value === 0 ? 'no type' : `the unknown type ${attribute.value}`}`);
      break;
    case 'reference':
      if (attributes === undefined) {
        found.add(`${subject} refers to "${attribute.value}", which only nodes of a function can do`);
      } else if (!attributes.has(attribute.value)) {
        found.add(`${subject} refers to "${attribute.value}", which is no attribute of the function`);
      }
      break;
    case 'tensor':
      for (const problem of problemsOfTensor(attribute.value)) found.add(`${subject} ${problem}`);
      break;
    case 'tensors':
      for (const tensor of attribute.value)
        for (const problem of problemsOfTensor(tensor)) found.add(`${subject} ${problem}`);
      break;
    case 'sparseTensor':
      for (const problem of problemsOfSparseTensor(attribute.value)) found.add(`${subject} ${problem}`);
      break;
    case 'sparseTensors':
      for (const sparse of attribute.value) {
        for (const problem of problemsOfSparseTensor(sparse)) found.add(`${subject} ${problem}`);
      }
      break;
    default:
      break;
  }
}

function checkFunction(definition: FunctionDefinition, context: Context): void {
  const { found } = context;
  const where = `function "${nameOf(definition)}"`;
  if (definition.name === '') found.add(`${where} has no name`);
  checkOpsets(definition.opsets, where, found);
  const attributes = [...definition.attributes, ...definition.attributeDefaults.keys()];
  for (const name of duplicates(attributes)) found.add(`${where} has two attributes named "${name}"`);
  const scope = new Scope(undefined);
  for (const name of duplicates(definition.inputs)) found.add(`${where} has two inputs named "${name}"`);
  for (const name of definition.inputs) scope.define(name);
  const inside: Context = {
    ...context,
    opsets: domainsOf(definition.opsets),
    attributes: new Set(attributes),
  };
  for (const [name, attribute] of definition.attributeDefaults) {
    checkAttribute(attribute, `${where}: attribute "${name}"`, context);
  }
  checkNodes(definition.nodes, where, scope, inside);
  for (const name of definition.outputs) {
    if (!scope.has(name)) found.add(`${where}: output "${name}" is not defined`);
  }
  for (const name of duplicates(definition.outputs)) found.add(`${where} has two outputs named "${name}"`);
  checkNames(definition.valueInfo, 'types of values', where, found);
}

function nameOf({ domain, name, overload }: FunctionDefinition): string {
  return `${domain === '' ? '' : `${domain}.`}${name}${overload ? `:${overload}` : ''}`;
}

function checkFunctionSet(model: Model, found: Problems): void {
  const { functions } = model;
  if (functions.length === 0) return;
  for (const name of duplicates(functions.map(nameOf))) found.add(`the model has two functions "${name}"`);
  const { definitionOf } = functionsOf(model);
  const cycle = findCycle(functions, (definition) =>
    [...nodesWithin(definition.nodes)].flatMap((node) => {
      const called = definitionOf(node);
      return called === undefined ? [] : [{ to: called, label: nameOf(called) }];
    }),
  );
  if (cycle !== undefined) found.add(`functions call each other without end: ${formatCycle(cycle)}`);
}

function* nodesWithin(nodes: readonly Node[]): Iterable<Node> {
  for (const node of nodes) {
    yield node;
    for (const graph of subgraphsOf(node)) yield* nodesWithin(graph.nodes);
  }
}

/** The algorithm is read as if it followed the model's own graph; the initialization stands alone. */
function checkTrainingInfo(info: TrainingInfo, graph: Graph, scope: Scope, context: Context): void {
  const { found } = context;
  const { initialization, algorithm } = info;
  if (initialization !== undefined) {
    checkGraph(initialization, `initialization "${initialization.name}"`, undefined, context);
  }
  if (algorithm !== undefined) checkGraph(algorithm, `algorithm "${algorithm.name}"`, scope, context);
  const variables = new Set([...graph.initializers.keys(), ...(algorithm?.initializers.keys() ?? [])]);
  const outputsOf = (graphs: readonly (Graph | undefined)[]): ReadonlySet<string> =>
    new Set(graphs.flatMap((item) => item?.outputs.map(({ name }) => name) ?? []));
  const bindings = [
    ['initialization', info.initializationBinding, outputsOf([initialization])],
    ['update', info.updateBinding, outputsOf([algorithm, graph])],
  ] as const;
  for (const [what, binding, outputs] of bindings) {
    for (const name of duplicates(binding.map(([key]) => key))) found.add(`the ${what} sets "${name}" twice`);
    for (const [key, value] of binding) {
      if (!variables.has(key)) found.add(`the ${what} sets "${key}", which is no initializer`);
      if (!outputs.has(value)) found.add(`the ${what} of "${key}" is "${value}", which is no output`);
    }
  }
}

function duplicates(names: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
  }
  return repeated;
}
