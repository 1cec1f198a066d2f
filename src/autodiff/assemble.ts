import { LatheError } from '../base/index.ts';
import {
  type Graph,
  type GraphBuilder,
  type InferredValue,
  identityNode,
  type Model,
  type Node,
  readsOf,
  tensorInfo,
  type Value,
  type ValueInfo,
} from '../graph/index.ts';
import { tensorTypeOf } from './known.ts';
import type { GradientOptions } from './options.ts';

/** The node with optional outputs that it left out. */
export function withOutputs(node: Node, extra: ReadonlyMap<number, string> | undefined): Node {
  if (extra === undefined) return node;
  const outputs = [...node.outputs];
  for (const [index, name] of extra) {
    while (outputs.length < index) outputs.push('');
    outputs[index] = name;
  }
  return { ...node, outputs };
}

export interface Differentiated {
  readonly forward: readonly Node[];
  /** The gradients that were asked for, by the name of their value. */
  readonly results: readonly { readonly name: string; readonly value: Value }[];
  /** The gradients of all values on the way, one each where they have been summed. */
  readonly contributions: ReadonlyMap<string, readonly Value[]>;
  readonly seedInput: ValueInfo | undefined;
  readonly types: ReadonlyMap<string, InferredValue>;
  readonly options: GradientOptions;
}

/** The forward nodes and the gradients as one model, without what its outputs do not need. */
export function assemble(
  model: Model,
  build: GraphBuilder,
  { forward, results, contributions, seedInput, types, options }: Differentiated,
): Model {
  const { graph } = model;
  const names = new Map<Value, string>();
  const identities: Node[] = [];
  const own = new Set(build.nodes.flatMap((node) => node.outputs));
  for (const { name, value } of results) {
    const wanted = gradientName(name);
    if (build.unique(wanted) !== wanted) {
      throw new LatheError('usage', `the model already has a value or node named "${wanted}"`, {
        hint: `Rename it: the gradient of "${name}" takes that name.`,
      });
    }
    // The value itself takes the name; only one that has another name to keep is copied.
    if (own.has(value) && !names.has(value)) names.set(value, wanted);
    else identities.push(identityNode(names.get(value) ?? value, wanted));
  }
  // Gradients on the way are named for what they are the gradient of: profiles and reports of NaN show these names.
  for (const [name, [value, ...more]] of contributions) {
    const telling = `${name}/gradient`;
    if (value === undefined || more.length > 0 || !own.has(value) || names.has(value)) continue;
    if (build.unique(telling) === telling) names.set(value, telling);
  }
  const renamed = (name: string): string => names.get(name) ?? name;
  const backward = build.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(renamed),
  }));
  const kept = options.keep ?? graph.outputs.map(({ name }) => name);
  const outputs = [...new Set([options.of, ...kept])].map((name) => outputInfo(name, graph, types));
  for (const { name } of results) {
    const type = tensorTypeOf(types.get(name));
    outputs.push(type === undefined ? { name: gradientName(name) } : tensorInfo(gradientName(name), type));
  }
  const { nodes, used } = onlyNeeded(
    [...forward, ...backward, ...identities],
    outputs.map(({ name }) => name),
  );
  const initializers = [...graph.initializers, ...build.initializers].filter(([name]) => used.has(name));
  return {
    ...model,
    opsets: model.opsets.map((set) => (set.domain === '' ? { ...set, version: build.opset } : set)),
    irVersion: Math.max(model.irVersion, 8),
    graph: {
      ...graph,
      nodes,
      initializers: new Map(initializers),
      inputs: seedInput === undefined ? graph.inputs : [...graph.inputs, seedInput],
      outputs,
      valueInfo: graph.valueInfo.filter(({ name }) => used.has(name)),
    },
  };
}

/** The name of the output that holds the gradient of a value. */
export function gradientName(name: string): string {
  return `${name}_grad`;
}

function onlyNeeded(
  nodes: readonly Node[],
  outputs: readonly string[],
): { readonly nodes: readonly Node[]; readonly used: ReadonlySet<string> } {
  const used = new Set(outputs);
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => used.has(name))) continue;
    kept.push(node);
    for (const name of readsOf(node)) used.add(name);
  }
  return { nodes: kept.reverse(), used };
}

function outputInfo(name: string, graph: Graph, types: ReadonlyMap<string, InferredValue>): ValueInfo {
  const declared = graph.outputs.find((output) => output.name === name);
  if (declared !== undefined) return declared;
  const type = types.get(name)?.type;
  return type === undefined ? { name } : { name, type };
}
