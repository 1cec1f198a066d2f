import { LatheError } from '../base/index.ts';
import {
  describeNode,
  floatOf,
  type Graph,
  GraphBuilder,
  inferTypes,
  int,
  intOf,
  type Model,
  type Node,
  opsetOf,
  readsOf,
  tensorInfo,
  tensorOf,
  type ValueInfo,
} from '../graph/index.ts';
import { asBufferUpdate } from './buffers.ts';
import { PROBABILITY_KEY } from './dropout-masks.ts';

/**
 * The form of an inference model that is trained: each Dropout takes a mask, an input of the graph (see `dropoutMasks`),
 * where the shape of what it reads follows from that of the inputs; each BatchNormalization whose statistics are float32 initializers normalizes by
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
  const masks: ValueInfo[] = [];
  const used = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  const types = graph.nodes.some(({ opType }) => opType === 'Dropout') ? inferTypes(model) : undefined;
  const nodes = graph.nodes.map((node) => {
    if (node.opType === 'Dropout' && node.domain === '' && !used.has(node.outputs[1] ?? '')) {
      const type = types?.get(node.inputs[0]!)?.type;
      const probability = probabilityOf(node, graph);
      const known = type?.kind === 'tensor' && type.dtype === 'float32' && type.shape?.every((dim) => dim !== null);
      if (!known || !(probability > 0 && probability < 1)) return node;
      const mask = names.unique(`${node.name || node.outputs[0]!}.mask`);
      masks.push({
        ...tensorInfo(mask, { dtype: 'float32', shape: type.shape! }),
        metadata: new Map([[PROBABILITY_KEY, String(probability)]]),
      });
      return {
        ...node,
        opType: 'Mul',
        attributes: new Map(),
        inputs: [node.inputs[0]!, mask],
        outputs: [node.outputs[0]!],
      };
    }
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
  if (updates.length === 0 && masks.length === 0) return model;
  return {
    ...model,
    graph: { ...graph, nodes, inputs: [...graph.inputs, ...masks], outputs: [...graph.outputs, ...updates] },
  };
}

/** NaN where it is not a constant. */
function probabilityOf(node: Node, { initializers }: Graph): number {
  if (!node.inputs[1]) return floatOf(node, 'ratio', 0.5);
  const value = initializers.get(node.inputs[1]);
  return value === undefined ? Number.NaN : Number(tensorOf(value).data[0]);
}
