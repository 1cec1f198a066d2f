import { LatheError } from '../base/index.ts';
import {
  describeNode,
  GraphBuilder,
  int,
  intOf,
  type Model,
  type Node,
  opsetOf,
  tensorInfo,
  type ValueInfo,
} from '../graph/index.ts';
import { asBufferUpdate } from './buffers.ts';

/**
 * The form of an inference model that is trained: each BatchNormalization whose statistics are float32 initializers normalizes by
 * its batch, and gives its moved running mean and variance as outputs that `bufferUpdates` finds. Nodes in `frozen` keep
 * their statistics. The model itself where nothing changes.
 *
 * The running variance moves to that of the batch as ONNX defines it, divided by N, where PyTorch divides by N - 1. Throws
 * 'unsupported' before operator set 14, which has no training mode.
 */
export function trainingForm(model: Model, options: { readonly frozen?: (node: Node) => boolean } = {}): Model {
  const { graph } = model;
  const names = new GraphBuilder({ extending: graph });
  const updates: ValueInfo[] = [];
  const trained = (node: Node): boolean =>
    node.opType === 'BatchNormalization' &&
    node.domain === '' &&
    intOf(node, 'training_mode', 0) === 0 &&
    options.frozen?.(node) !== true &&
    node.inputs.slice(3, 5).every((name) => graph.initializers.get(name)?.dtype === 'float32');
  const nodes = graph.nodes.map((node) => {
    if (!trained(node)) return node;
    const opset = opsetOf(model) ?? 0;
    if (opset < 14) {
      throw new LatheError('unsupported', `${describeNode(node)}: operator set ${opset} has no training mode`, {
        hint: 'Raise the model first: convertOperatorSet().',
      });
    }
    const running = node.inputs.slice(3, 5).map((name) => {
      const next = names.unique(`${name}_next`);
      const { dims } = graph.initializers.get(name)!;
      updates.push(asBufferUpdate(tensorInfo(next, { dtype: 'float32', shape: dims }), name));
      return next;
    });
    const attributes = new Map([...node.attributes, ['training_mode', int(1)] as const]);
    return { ...node, attributes, outputs: [node.outputs[0]!, ...running] };
  });
  return updates.length === 0
    ? model
    : { ...model, graph: { ...graph, nodes, outputs: [...graph.outputs, ...updates] } };
}
