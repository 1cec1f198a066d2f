import { float64Of, type Tensor } from '../../base/index.ts';
import { type Model, type Node, readsOf } from '../../graph/index.ts';
import { linearNode } from './linear-nodes.ts';
import { linksOf } from './readers.ts';

/** What integers a value is stored as: those of another value, times a factor. */
export interface Alias {
  readonly of: string;
  readonly factor: number;
}

/** Which nodes of a graph become integer ones, and which values are stored as integers. */
export interface StaticPlan {
  readonly quantized: ReadonlySet<Node>;
  /** Values that need a range, in the order of the graph. */
  readonly values: readonly string[];
  /** Values without a range of their own: of shapes that change alone, and of products with a constant. */
  readonly aliases: ReadonlyMap<string, Alias>;
  /** Values that only integers come of: everything reads them from there. */
  readonly given: ReadonlySet<string>;
  readonly kept: readonly { readonly node: string; readonly reason: string }[];
}

type Constants = (name: string) => Tensor | undefined;

/** What ONNX Runtime has in integers, by what becomes of ranges. */
const JOINING: ReadonlySet<string> = new Set(['Add', 'Mul', 'Concat', 'AveragePool', 'GlobalAveragePool']);
const KEEPING: ReadonlySet<string> = new Set(['MaxPool', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze']);
/** Behind an integer node they cost nothing: the range of what they give does their work. */
const CUTTING: ReadonlySet<string> = new Set(['Relu', 'Clip']);

/**
 * Convolutions and products with constant weights become integer ones, and so does what lies between them where ONNX Runtime
 * has it in integers: everything else would turn the values into floats and back.
 */
export function planStatic(
  model: Model,
  constant: Constants,
  { except, minimumElements }: { readonly except: ReadonlySet<string>; readonly minimumElements: number },
): StaticPlan {
  const { graph } = model;
  const links = linksOf(graph);
  const kept: { node: string; reason: string }[] = [];
  /** Of each quantized node the value that is stored as integers: its own, or that of the cut behind it. */
  const results = new Map<Node, string>();
  const weighty = new Set<Node>();
  const aliases = new Map<string, Alias>();
  const stored = new Set<string>();
  const resultOf = (node: Node): string => {
    const own = node.outputs[0]!;
    const [reader, ...others] = links.readersOf(own);
    const cuts = reader !== undefined && others.length === 0 && reader.domain === '' && CUTTING.has(reader.opType);
    return cuts && !links.isOutput(own) && reader.inputs[0] === own ? reader.outputs[0]! : own;
  };
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    const output = node.outputs[0]!;
    const weights = weightsOf(node, constant);
    if (weights !== undefined) {
      const result = resultOf(node);
      const why = except.has(output)
        ? 'it was named to be left'
        : weights.data.length < minimumElements
          ? `its ${weights.data.length} weights are fewer than ${minimumElements}`
          : node.opType === 'Conv' && links.isOutput(result)
            ? 'its result is an output of the model'
            : undefined;
      if (why !== undefined) {
        kept.push({ node: output, reason: why });
        continue;
      }
      weighty.add(node);
      results.set(node, result);
      if (!links.isOutput(result)) stored.add(result);
      continue;
    }
    if (links.isOutput(output) || except.has(output)) continue;
    const [first] = node.inputs;
    const factor = factorOf(node, constant);
    if (factor !== undefined) {
      const value = constant(node.inputs[0]!) === undefined ? node.inputs[0]! : node.inputs[1]!;
      if (!stored.has(value)) continue;
      aliases.set(output, scaledAlias(value, factor, aliases));
      results.set(node, output);
      stored.add(output);
    } else if (KEEPING.has(node.opType) && stored.has(first!) && node.outputs.length === 1) {
      aliases.set(output, scaledAlias(first!, 1, aliases));
      results.set(node, output);
      stored.add(output);
    } else if (JOINING.has(node.opType)) {
      const inputs = node.inputs.map((name) => stored.has(name) || constant(name)?.dtype === 'float32');
      const result = resultOf(node);
      if (!inputs.every(Boolean) || !node.inputs.some((name) => stored.has(name)) || links.isOutput(result)) continue;
      results.set(node, result);
      stored.add(result);
    }
  }
  const useful = usefulNodes(graph.nodes, results, weighty, links.readersOf);
  const read = new Set(Array.from(useful).flatMap((node) => dataInputs(node)));
  const given = new Set<string>();
  for (const node of useful) {
    const result = results.get(node)!;
    // A product may give floats; everything else gives integers alone.
    if (!links.isOutput(result) && (read.has(result) || node.opType === 'Conv' || !weighty.has(node)))
      given.add(result);
  }
  const values: string[] = [];
  const seen = new Set<string>();
  const need = (name: string): void => {
    if (name === '' || constant(name) !== undefined || aliases.has(name) || seen.has(name)) return;
    seen.add(name);
    values.push(name);
  };
  for (const node of graph.nodes) {
    if (!useful.has(node)) continue;
    for (const name of weighty.has(node) ? [node.inputs[0]!] : dataInputs(node)) need(name);
    if (given.has(results.get(node)!)) need(results.get(node)!);
  }
  for (const name of [...aliases.keys()]) if (!given.has(name)) aliases.delete(name);
  return { quantized: useful, values, aliases, given, kept };
}

/** The constant weights of a convolution or a product; undefined for other nodes. */
function weightsOf(node: Node, constant: Constants): Tensor | undefined {
  if (node.opType === 'Conv') {
    const weights = constant(node.inputs[1]!);
    const bias = node.inputs[2] ?? '';
    const fits = weights?.dtype === 'float32' && constant(node.inputs[0]!) === undefined;
    return fits && (bias === '' || constant(bias) !== undefined) ? weights : undefined;
  }
  const linear = linearNode(node, constant);
  return linear && constant(linear.weight);
}

/** A product with, or a quotient by, one positive constant. */
function factorOf(node: Node, constant: Constants): number | undefined {
  if (node.opType !== 'Mul' && node.opType !== 'Div') return undefined;
  const [a, b] = node.inputs.map((name) => constant(name));
  const known =
    node.opType === 'Div' ? (a === undefined ? b : undefined) : a === undefined ? b : b === undefined ? a : b;
  if (known?.dtype !== 'float32' || known.data.length !== 1 || known.dims.length > 1) return undefined;
  const [value] = float64Of(known);
  if (!(value! > 0)) return undefined;
  return node.opType === 'Div' ? 1 / value! : value;
}

function scaledAlias(of: string, factor: number, aliases: ReadonlyMap<string, Alias>): Alias {
  const before = aliases.get(of);
  return before === undefined ? { of, factor } : { of: before.of, factor: before.factor * factor };
}

/** What a node reads as numbers: the shape of a Reshape and the like are none. */
export function dataInputs(node: Node): readonly string[] {
  if (node.opType === 'Conv' || KEEPING.has(node.opType)) return [node.inputs[0]!];
  return readsOf(node);
}

/** Nodes with weights, and those between whose result another of these reads. */
function usefulNodes(
  nodes: readonly Node[],
  results: ReadonlyMap<Node, string>,
  weighty: ReadonlySet<Node>,
  readersOf: (value: string) => readonly Node[],
): ReadonlySet<Node> {
  const useful = new Set<Node>();
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    const result = results.get(node);
    if (result === undefined) continue;
    if (weighty.has(node) || readersOf(result).some((reader) => useful.has(reader))) useful.add(node);
  }
  return useful;
}
