import { numbersOf } from '../base/index.ts';
import { type Graph, type Node, readsOf, string } from '../graph/index.ts';
import type { Known } from './known.ts';

/**
 * The nodes of a graph, with x (1 + erf(x/√2))/2 written out in single operators replaced by one Gelu node, and
 * x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2 by one of the tanh form. Only the walk sees that node: the forward graph
 * keeps its own. Differentiated one by one, each of the five or more would keep its output in memory for the backward
 * pass, and ONNX Runtime could not fuse them into one kernel.
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
    const approximate = isStandard(node, 'Tanh');
    if (!approximate && !isStandard(node, 'Erf')) continue;
    const found = geluAround(node, view, approximate ? cubicInput : scaledInput);
    if (found === undefined) continue;
    for (const part of found.parts) replaced.set(part, undefined);
    const last = found.parts.at(-1)!;
    const attributes = new Map(approximate ? [['approximate', string('tanh')] as const] : []);
    replaced.set(last, { ...last, opType: 'Gelu', inputs: [found.x], attributes });
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

interface Part {
  readonly x: string;
  readonly parts: readonly Node[];
}

/** The nodes around `erf` (or a Tanh in its place), the one that gives the result last. */
function geluAround(erf: Node, view: View, inside: (node: Node, view: View) => Part | undefined): Part | undefined {
  const scaling = view.producers.get(erf.inputs[0]!);
  const argument = scaling && inside(scaling, view);
  if (argument === undefined || view.only(scaling!.outputs[0]!) !== erf) return undefined;
  const { x } = argument;
  const addition = view.only(erf.outputs[0]!);
  if (addition === undefined || !isStandard(addition, 'Add')) return undefined;
  if (!view.isNumber(otherOf(addition, erf.outputs[0]!), 1)) return undefined;
  // What is left are two products, by x and by 1/2, in either order or by x/2 at once.
  const parts = [...argument.parts, erf, addition];
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
function scaledInput(node: Node, view: View): Part | undefined {
  const [a, b] = node.inputs;
  const divided = isStandard(node, 'Div') && view.isNumber(b!, Math.SQRT2) ? a : undefined;
  const x = divided ?? timesNumber(node, Math.SQRT1_2, view);
  return x === undefined ? undefined : { x, parts: [node] };
}

/** x of √(2/π) (x + 0.044715 x³), as transformers writes it: the cube by Pow or by two products. */
function cubicInput(node: Node, view: View): Part | undefined {
  const sum = producerOf(timesNumber(node, Math.sqrt(2 / Math.PI), view), node, view);
  if (sum === undefined || !isStandard(sum, 'Add')) return undefined;
  for (const x of sum.inputs) {
    const scaled = producerOf(otherOf(sum, x), sum, view);
    const cube = scaled && producerOf(timesNumber(scaled, 0.044715, view), scaled, view);
    const parts = cube && cubeOf(cube, x, view);
    if (parts !== undefined) return { x, parts: [...parts, scaled!, sum, node] };
  }
  return undefined;
}

function cubeOf(node: Node, x: string, view: View): readonly Node[] | undefined {
  if (isStandard(node, 'Pow')) return node.inputs[0] === x && view.isNumber(node.inputs[1]!, 3) ? [node] : undefined;
  if (!isStandard(node, 'Mul') || !node.inputs.includes(x)) return undefined;
  const square = producerOf(otherOf(node, x), node, view);
  if (square === undefined) return undefined;
  const squares = isStandard(square, 'Mul') && square.inputs.every((input) => input === x);
  const powers = isStandard(square, 'Pow') && square.inputs[0] === x && view.isNumber(square.inputs[1]!, 2);
  return squares || powers ? [square, node] : undefined;
}

/** The factor beside a number, in either order. */
function timesNumber(node: Node, factor: number, { isNumber }: View): string | undefined {
  if (!isStandard(node, 'Mul')) return undefined;
  const [a, b] = node.inputs;
  if (isNumber(b!, factor)) return a;
  return isNumber(a!, factor) ? b : undefined;
}

/** What gives a value that `reader` alone reads. */
function producerOf(value: string | undefined, reader: Node, view: View): Node | undefined {
  return value !== undefined && view.only(value) === reader ? view.producers.get(value) : undefined;
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
