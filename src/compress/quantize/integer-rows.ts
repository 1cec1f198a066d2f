import { DATA_TYPES, numbersOf, type Tensor } from '../../base/index.ts';
import {
  GraphBuilder,
  intOf,
  type Model,
  type Node,
  nodesGiving,
  opsetOf,
  replaceNodes,
  type Value,
} from '../../graph/index.ts';
import { integerWeights } from './integer-weights.ts';
import { constantsOf } from './linear-nodes.ts';

/** A scale for each row of a table, or one for all of it. */
export type EmbeddingForm = 'rows' | 'table';

/**
 * What writes the rows that a node takes from a constant table [rows, columns] as integers behind the same node, made
 * floats again; undefined for a node that does not take rows (a Gather along axis 0, or a Slice of axis 0 alone).
 */
export function integerRows(
  build: GraphBuilder,
  node: Node,
  constant: (name: string) => Tensor | undefined,
  form: EmbeddingForm,
): (() => Value) | undefined {
  const [table, ...places] = node.inputs as [string, ...string[]];
  const values = node.domain === '' && takesRows(node, constant) ? constant(table) : undefined;
  if (values === undefined || values.dtype !== 'float32' || values.dims.length !== 2) return undefined;
  return () => {
    const {
      values: steps,
      scales,
      zeroPoints,
    } = integerWeights(values.dims, values.data as Float32Array, {
      ...(form === 'rows' && { axis: 0 }),
    });
    const named = (value: Tensor, what: string): Value => build.constant(value, `${table}_${what}`);
    const attributes = Object.fromEntries(node.attributes);
    const taken = build.op(node.opType, [named(steps, 'quantized'), ...places], attributes);
    if (form === 'table')
      return build.op('DequantizeLinear', [taken, named(scales, 'scale'), named(zeroPoints, 'zero_point')]);
    const column = { ...scales, dims: [values.dims[0]!, 1] };
    const scale = build.op(node.opType, [named(column, 'scale'), ...places], attributes);
    return build.mul(build.cast(taken, DATA_TYPES.float32.code), scale);
  };
}

function takesRows(node: Node, constant: (name: string) => Tensor | undefined): boolean {
  if (node.opType === 'Gather') return intOf(node, 'axis', 0) === 0;
  if (node.opType !== 'Slice') return false;
  const axes = node.inputs[3] === undefined ? undefined : constant(node.inputs[3]);
  return axes !== undefined && numbersOf(axes).every((axis) => axis === 0) && axes.data.length === 1;
}

/** Writes the tables of a model that rows are taken from as integers, those of `minimumElements` or more. */
export function withIntegerRows(
  model: Model,
  options: { readonly minimumElements: number; readonly except: ReadonlySet<string>; readonly form?: EmbeddingForm },
): { readonly model: Model; readonly quantized: readonly string[] } {
  const { minimumElements, except, form = 'rows' } = options;
  const constant = constantsOf(model);
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of model.graph.nodes) {
    const write = except.has(node.outputs[0]!) ? undefined : integerRows(build, node, constant, form);
    if (write === undefined || constant(node.inputs[0]!)!.data.length < minimumElements) continue;
    replaced.set(
      node,
      nodesGiving(build, node.outputs, () => [write()]),
    );
  }
  const quantized = Array.from(replaced.keys(), ({ outputs }) => outputs[0]!);
  return { model: quantized.length === 0 ? model : replaceNodes(model, build, replaced), quantized };
}
