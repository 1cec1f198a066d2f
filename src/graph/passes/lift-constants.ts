import type { Node, StoredTensor } from '../ir.ts';
import type { Pass } from './pass.ts';

/**
 * Makes initializers of the Constant nodes of the main graph that hold a dense tensor, under the names of their outputs:
 * weights are then in one place, whatever the exporter. A constant that is an output of the graph stays a node.
 */
export const liftConstants: Pass = (model) => {
  const { graph } = model;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const lifted = new Map<string, StoredTensor>();
  const nodes = graph.nodes.filter((node) => {
    const value = tensorIn(node);
    if (value === undefined || outputs.has(node.outputs[0]!)) return true;
    lifted.set(node.outputs[0]!, value);
    return false;
  });
  if (lifted.size === 0) return { model, changed: false };
  const initializers = new Map([...graph.initializers, ...lifted]);
  return { model: { ...model, graph: { ...graph, nodes, initializers } }, changed: true };
};

function tensorIn(node: Node): StoredTensor | undefined {
  if (node.opType !== 'Constant' || node.domain !== '') return undefined;
  const value = node.attributes.get('value');
  if (value?.kind !== 'tensor') return undefined;
  const { name: _name, ...tensor } = value.value;
  return tensor;
}
