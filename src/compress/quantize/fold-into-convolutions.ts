import { float64Of, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import { floatOf, intOf, type Model, type Node, type Pass, removeDeadNodes, stored } from '../../graph/index.ts';
import { constantsOf } from './linear-nodes.ts';
import { linksOf } from './readers.ts';

/** What a node behind a convolution makes of each output channel: `factor · y + shift`. */
interface ChannelMap {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

/**
 * Puts batch normalization (by running statistics), and the addition of a constant to each channel, into the weights and bias of the convolution before them,
 * where nothing else reads what lies between. Weights are folded in float64 and rounded once.
 */
export const foldIntoConvolutions: Pass = (model) => {
  let current = model;
  for (;;) {
    const next = foldOnce(current);
    if (next === current) break;
    current = next;
  }
  return current === model ? { model, changed: false } : { model: removeDeadNodes(current).model, changed: true };
};

/** Folds one node into each convolution: a second behind it takes another round. */
function foldOnce(model: Model): Model {
  const { graph } = model;
  const constant = constantsOf(model);
  const { producerOf, readersOf, isOutput } = linksOf(graph);
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node | undefined>();
  for (const node of graph.nodes) {
    const found = convolutionBefore(node, (value) => {
      const conv = producerOf(value);
      const only = readersOf(value).length === 1 && !isOutput(value);
      return conv?.opType === 'Conv' && conv.domain === '' && only && !replaced.has(conv) ? conv : undefined;
    });
    const weight = found && constant(found.inputs[1]!);
    const bias = found?.inputs[2] === undefined || found.inputs[2] === '' ? undefined : constant(found.inputs[2]);
    if (found === undefined || weight?.dtype !== 'float32') continue;
    if (found.inputs.length > 2 && found.inputs[2] !== '' && bias === undefined) continue;
    const map = channelMap(node, found.outputs[0]!, weight, constant);
    if (map === undefined) continue;
    const name = node.outputs[0]!;
    const [weightName, biasName] = [`${name}_folded_weight`, `${name}_folded_bias`];
    initializers.set(weightName, stored(scaled(weight, map.factor)));
    initializers.set(biasName, stored(shifted(bias, map)));
    replaced.set(found, undefined);
    replaced.set(node, { ...found, inputs: [found.inputs[0]!, weightName, biasName], outputs: [name] });
  }
  if (replaced.size === 0) return model;
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
  return { ...model, graph: { ...graph, nodes, initializers } };
}

function convolutionBefore(node: Node, conv: (value: string) => Node | undefined): Node | undefined {
  if (node.domain !== '') return undefined;
  if (node.opType === 'BatchNormalization' && node.outputs.length === 1) return conv(node.inputs[0]!);
  return node.opType === 'Add' ? (conv(node.inputs[0]!) ?? conv(node.inputs[1]!)) : undefined;
}

function channelMap(
  node: Node,
  from: string,
  weight: Tensor,
  constant: (name: string) => Tensor | undefined,
): ChannelMap | undefined {
  const channels = weight.dims[0]!;
  if (node.opType === 'Add') {
    const added = constant(node.inputs[0] === from ? node.inputs[1]! : node.inputs[0]!);
    if (added === undefined) return undefined;
    // [channels, 1, 1] behind any number of ones: the rank of the convolution is that of its weight.
    const spatial = weight.dims.length - 2;
    const fits =
      added.dims.length >= spatial + 1 &&
      added.dims.length <= spatial + 2 &&
      added.dims.at(-spatial - 1) === channels &&
      sizeOf(added.dims) === channels;
    return fits ? { factor: new Float64Array(channels).fill(1), shift: float64Of(added) } : undefined;
  }
  const [scale, bias, mean, variance] = node.inputs.slice(1).map((name) => constant(name));
  if (scale === undefined || bias === undefined || mean === undefined || variance === undefined) return undefined;
  if (intOf(node, 'training_mode', 0) !== 0) return undefined;
  const epsilon = floatOf(node, 'epsilon', 1e-5);
  const [scales, biases, means, variances] = [scale, bias, mean, variance].map(float64Of) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const factor = scales.map((value, channel) => value / Math.sqrt(variances[channel]! + epsilon));
  return { factor, shift: biases.map((value, channel) => value - means[channel]! * factor[channel]!) };
}

function scaled(weight: Tensor, factor: Float64Array): Tensor {
  const size = weight.data.length / factor.length;
  const values = (weight.data as Float32Array).map((value, index) => value * factor[Math.floor(index / size)]!);
  return tensor('float32', weight.dims, values);
}

function shifted(bias: Tensor | undefined, { factor, shift }: ChannelMap): Tensor {
  const before = bias === undefined ? new Float64Array(factor.length) : float64Of(bias);
  return tensor(
    'float32',
    [factor.length],
    Float32Array.from(factor, (value, channel) => before[channel]! * value + shift[channel]!),
  );
}
