import { numbersOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import {
  type Attribute,
  int,
  intOf,
  type Model,
  type Node,
  type StoredTensor,
  stored,
  tensorOf,
  type ValueInfo,
} from '../src/graph/index.ts';

/** The model with float64 in place of float32: weights, constants, casts and declared types, but for the values named. */
export function inFloat64(model: Model, kept: ReadonlySet<string> = new Set()): Model {
  const wide = (value: StoredTensor): StoredTensor =>
    value.dtype === 'float32' ? stored(widened(tensorOf(value))) : value;
  const typed = (info: ValueInfo): ValueInfo =>
    info.type?.kind === 'tensor' && info.type.dtype === 'float32' && !kept.has(info.name)
      ? { ...info, type: { ...info.type, dtype: 'float64' } }
      : info;
  const attribute = (node: Node, name: string, value: Attribute): Attribute => {
    if (value.kind === 'tensor') return { ...value, value: wide(value.value) };
    return node.opType === 'Cast' && name === 'to' && intOf(node, 'to') === 1 ? int(11) : value;
  };
  const { graph } = model;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    attributes: new Map(Array.from(node.attributes, ([name, value]) => [name, attribute(node, name, value)])),
  }));
  const initializers = new Map(
    Array.from(graph.initializers, ([name, value]) => [name, kept.has(name) ? value : wide(value)]),
  );
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      initializers,
      inputs: graph.inputs.map(typed),
      outputs: graph.outputs.map(typed),
      valueInfo: graph.valueInfo.map(typed),
    },
  };
}

/** The tensor in float64 where it is of float32. */
export function widened(value: Tensor): Tensor {
  return value.dtype === 'float32' ? tensorFrom('float64', numbersOf(value), value.dims) : value;
}
