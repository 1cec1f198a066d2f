import type { Attribute, Graph, Node, StoredTensor } from '../ir.ts';
import { mapSubgraphs, subgraphsOf } from '../reads.ts';
import { type Pass, resultOf } from './pass.ts';

/**
 * Keeps one of several nodes that compute the same from the same values, and lets all readers read that one. Subgraphs
 * may read what the graphs around them have computed. Only operators of the standard domains are merged, and none that
 * draws random numbers or has subgraphs. Initializers are never merged: weights that are equal today are trained apart.
 * Nodes that give outputs of their graph keep their names, and thus stay. Expects sorted nodes.
 */
export const eliminateCommonSubexpressions: Pass = (model) => {
  const graph = merged(model.graph, undefined);
  return resultOf(model, graph === model.graph ? model : { ...model, graph });
};

const DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx.ml']);
const RANDOM: ReadonlySet<string> = new Set([
  'Bernoulli',
  'Dropout',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

/** What a graph, and those around it, have computed so far. */
interface Scope {
  readonly outer: Scope | undefined;
  readonly computed: Map<string, readonly string[]>;
  /** The value that stands for one that is gone. */
  readonly renamed: Map<string, string>;
}

function merged(given: Graph, outer: Scope | undefined): Graph {
  const scope: Scope = { outer, computed: new Map(), renamed: new Map() };
  const outputs = new Set(given.outputs.map(({ name }) => name));
  const nodes: Node[] = [];
  for (const original of given.nodes) {
    const node = mapSubgraphs(withInputs(original, scope), (graph) => merged(graph, scope));
    const key = keyOf(node);
    const known = key === undefined ? undefined : lookUp(scope, (at) => at.computed.get(key));
    if (known !== undefined && !node.outputs.some((name) => outputs.has(name))) {
      node.outputs.forEach((name, index) => {
        if (name !== '') scope.renamed.set(name, known[index]!);
      });
      continue;
    }
    if (key !== undefined && known === undefined) scope.computed.set(key, node.outputs);
    nodes.push(node);
  }
  const values = given.outputs.map((info) => {
    const name = renamedTo(outer, info.name);
    return name === info.name ? info : { ...info, name };
  });
  const same =
    nodes.length === given.nodes.length &&
    nodes.every((node, index) => node === given.nodes[index]) &&
    values.every((info, index) => info === given.outputs[index]);
  if (same) return given;
  return {
    ...given,
    nodes,
    outputs: values,
    valueInfo: given.valueInfo.filter(({ name }) => !scope.renamed.has(name)),
    quantizationAnnotations: given.quantizationAnnotations.filter(({ tensorName }) => !scope.renamed.has(tensorName)),
  };
}

function lookUp<T>(scope: Scope | undefined, find: (at: Scope) => T | undefined): T | undefined {
  for (let at = scope; at !== undefined; at = at.outer) {
    const found = find(at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function renamedTo(scope: Scope | undefined, name: string): string {
  return lookUp(scope, (at) => at.renamed.get(name)) ?? name;
}

function withInputs(node: Node, scope: Scope): Node {
  const inputs = node.inputs.map((name) => renamedTo(scope, name));
  return inputs.every((name, index) => name === node.inputs[index]) ? node : { ...node, inputs };
}

/** Equal for nodes that compute the same. Undefined for a node that must not be merged. */
function keyOf(node: Node): string | undefined {
  if (!DOMAINS.has(node.domain) || RANDOM.has(node.opType) || subgraphsOf(node).length > 0) return undefined;
  const parts: string[] = [node.domain, node.opType, String(node.inputs.length), ...node.inputs];
  parts.push(node.outputs.map((name) => (name === '' ? '-' : '+')).join(''));
  const names = node.attributes.size > 1 ? [...node.attributes.keys()].sort() : node.attributes.keys();
  for (const name of names) {
    const text = textOf(node.attributes.get(name)!);
    if (text === undefined) return undefined;
    parts.push(name, text);
  }
  return parts.join('\u0000');
}

/** Constants beyond this size are not compared. */
const LARGEST_COMPARED_BYTES = 65536;

function textOf(attribute: Attribute): string | undefined {
  switch (attribute.kind) {
    case 'float':
    case 'int':
    case 'reference':
      return `${attribute.kind} ${Object.is(attribute.value, -0) ? '-0' : attribute.value}`;
    case 'ints':
    case 'floats':
      return `${attribute.kind} ${attribute.value.map((value) => (Object.is(value, -0) ? '-0' : value)).join()}`;
    case 'string':
      return `string ${bytesText(attribute.value)}`;
    case 'strings':
      return `strings ${attribute.value.map(bytesText).join()}`;
    case 'tensor':
      return tensorText(attribute.value);
    default:
      return undefined;
  }
}

function tensorText({ dtype, dims, content }: StoredTensor): string | undefined {
  if (content.kind === 'strings') return `${dtype}[${dims}] ${content.values.map(bytesText).join()}`;
  if (content.kind !== 'bytes' || content.bytes.byteLength > LARGEST_COMPARED_BYTES) return undefined;
  return `${dtype}[${dims}] ${bytesText(content.bytes)}`;
}

/** A character a byte, so that different bytes never give the same text. */
const latin1 = new TextDecoder('latin1');

function bytesText(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}
