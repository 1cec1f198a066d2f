import { numbersOf } from '../base/index.ts';
import { type Graph, type Node, readsOf } from '../graph/index.ts';
import type { Known } from './known.ts';

/**
 * The nodes of a graph, with x (1 + erf(x/√2))/2 written out in single operators replaced by one Gelu node. Only the
 * walk sees that node: the forward graph keeps its own. Differentiated one by one, each of the five would keep its
 * output in memory for the backward pass, and ONNX Runtime could not fuse them into one kernel.
 *
 * `visible` are values that must stay: those that somebody asked for.
 */
export function recognizeGelu(graph: Graph, known: Known, visible: ReadonlySet<string>): readonly Node[] {
  const consumers = new Map<string, Node[]>();
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) producers.set(name, node);
    for (const name of readsOf(node)) {
      const list = consumers.get(name);
      if (list === undefined) consumers.set(name, [node]);
      else list.push(node);
    }
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const view: View = {
    producers,
    only: (value) => {
      const readers = consumers.get(value);
      return readers?.length === 1 && !visible.has(value) && !outputs.has(value) ? readers[0] : undefined;
    },
    isNumber: (value, number) => {
      const constant = known.constantOf(value);
      return constant?.data.length === 1 && Math.abs(numbersOf(constant)[0]! - number) <= 1e-6 * Math.abs(number);
    },
  };
  const replaced = new Map<Node, Node | undefined>();
  for (const node of graph.nodes) {
    if (node.opType !== 'Erf' || node.domain !== '') continue;
    const found = geluAround(node, view);
    if (found === undefined) continue;
    for (const part of found.parts) replaced.set(part, undefined);
    const last = found.parts.at(-1)!;
    replaced.set(last, { ...last, opType: 'Gelu', inputs: [found.x], attributes: new Map() });
  }
  if (replaced.size === 0) return graph.nodes;
  return graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
}

interface View {
  readonly producers: ReadonlyMap<string, Node>;
  /** The one node that reads a value nobody else needs. */
  readonly only: (value: string) => Node | undefined;
  readonly isNumber: (value: string, number: number) => boolean;
}

/** The five nodes around `erf`, the one that gives the result last. */
function geluAround(erf: Node, view: View): { readonly x: string; readonly parts: readonly Node[] } | undefined {
  const scaling = view.producers.get(erf.inputs[0]!);
  const x = scaling && scaledInput(scaling, view);
  if (x === undefined || view.only(scaling!.outputs[0]!) !== erf) return undefined;
  const addition = view.only(erf.outputs[0]!);
  if (addition === undefined || !isStandard(addition, 'Add')) return undefined;
  if (!view.isNumber(otherOf(addition, erf.outputs[0]!), 1)) return undefined;
  // What is left are two products, by x and by 1/2, in either order or by x/2 at once.
  const parts = [scaling!, erf, addition];
  let value = addition.outputs[0]!;
  let [needsX, needsHalf] = [true, true];
  while (needsX || needsHalf) {
    const product = view.only(value);
    if (product === undefined || !isStandard(product, 'Mul')) return undefined;
    const factor = otherOf(product, value);
    const inner = view.producers.get(factor);
    if (needsX && factor === x) needsX = false;
    else if (needsHalf && view.isNumber(factor, 0.5)) needsHalf = false;
    else if (needsX && needsHalf && inner !== undefined && isHalfOf(inner, x, view) && view.only(factor) === product) {
      [needsX, needsHalf] = [false, false];
      parts.push(inner);
    } else return undefined;
    parts.push(product);
    value = product.outputs[0]!;
  }
  return { x, parts };
}

/** x of x/√2, however it is written. */
function scaledInput(node: Node, { isNumber }: View): string | undefined {
  const [a, b] = node.inputs;
  if (isStandard(node, 'Div') && isNumber(b!, Math.SQRT2)) return a;
  if (isStandard(node, 'Mul') && isNumber(b!, Math.SQRT1_2)) return a;
  return isStandard(node, 'Mul') && isNumber(a!, Math.SQRT1_2) ? b : undefined;
}

function isHalfOf(node: Node, x: string, { isNumber }: View): boolean {
  return isStandard(node, 'Mul') && node.inputs.includes(x) && isNumber(otherOf(node, x), 0.5);
}

function isStandard(node: Node, opType: string): boolean {
  return node.opType === opType && node.domain === '';
}

/** The other input of a node of two. */
function otherOf(node: Node, input: string): string {
  return node.inputs[0] === input ? node.inputs[1]! : node.inputs[0]!;
}
