import { float64Of, LatheError, type Tensor, tensor } from '../../base/index.ts';
import {
  describeNode,
  GraphBuilder,
  int,
  intOf,
  type Model,
  type Node,
  opsetOf,
  removeDeadNodes,
  runReference,
  type StoredTensor,
  stored,
  type Value,
} from '../../graph/index.ts';
import { constantsOf } from './linear-nodes.ts';

export interface FakeQuantizationOptions {
  /** Weights to begin with, by the name that they have in the quantized model without `_quantized`. Default: the rounded ones. */
  readonly weights?: (name: string) => Tensor | undefined;
}

/**
 * The form of a statically quantized model in which it learns (quantization-aware training): weights and biases are floats again,
 * and weights pass through QuantizeLinear as activations do. Gradients pass through the rounding (straight-through), and the
 * step sizes are learned as well (LSQ: Esser et al. 2020), as logarithms: they stay above zero, and a step of the optimizer
 * changes all of them by the same share. Zero points stay. It is trained as any model is; `exportQuantized` makes it integers.
 *
 * Throws LatheError('usage') for a model without pairs of QuantizeLinear and DequantizeLinear.
 */
export function withFakeQuantization(quantized: Model, options: FakeQuantizationOptions = {}): Model {
  const { graph } = quantized;
  const constant = constantsOf(quantized);
  const build = new GraphBuilder({ opset: opsetOf(quantized)!, extending: graph });
  const parameters = new Map<string, StoredTensor>();
  const learned = new Map<Value, Value>();
  const quantizers = new Map<Value, Node>();
  for (const node of graph.nodes) if (isQuantizer(node)) quantizers.set(node.outputs[0]!, node);
  if (quantizers.size === 0) {
    throw new LatheError('usage', 'the model has no QuantizeLinear: there is nothing to learn the steps of', {
      hint: 'Quantize it statically first.',
    });
  }
  const parameter = (hint: string, value: Tensor): Value => {
    const name = build.unique(hint);
    parameters.set(name, stored(value));
    return name;
  };
  /** The exponential of a parameter that begins at the logarithm of a scale. */
  const scaleOf = (name: Value, hint: string): Value => {
    const value = constant(name)!;
    const logarithms = Float32Array.from(float64Of(value), (scale) => Math.log(scale));
    return build.exp(parameter(`${hint}.log_step`, tensor('float32', value.dims, logarithms)));
  };
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const start = build.nodes.length;
    const [x, scale = '', zero] = node.inputs as [string, string?, string?];
    let written = node;
    if (isQuantizer(node) && constant(scale) !== undefined && constant(x) === undefined) {
      const own = scaleOf(scale, x);
      learned.set(node.outputs[0]!, own);
      written = { ...node, inputs: node.inputs.map((name, index) => (index === 1 ? own : name)) };
    } else if (isDequantizer(node) && constant(scale) !== undefined) {
      const integers = constant(x);
      const source = learned.get(x);
      if (source !== undefined) {
        const own = rescaled(constant(quantizers.get(x)!.inputs[1]!)!, constant(scale)!, source);
        written = { ...node, inputs: node.inputs.map((name, index) => (index === 1 ? own : name)) };
      } else if (integers?.dtype === 'int8' || integers?.dtype === 'int32') {
        const given = integers.dtype === 'int8' ? options.weights?.(x.replace(/_quantized$/, '')) : undefined;
        const floats = given !== undefined && sameDims(given, integers) ? given : dequantized(node);
        const weight = parameter(x.replace(/_quantized$/, ''), floats);
        if (integers.dtype === 'int32') {
          nodes.push({ ...node, opType: 'Identity', attributes: new Map(), inputs: [weight] });
          continue;
        }
        const own = scaleOf(scale, weight);
        const limited = withinRange(weight, own, constant(scale)!.dims, integers, intOf(node, 'axis', 1));
        const steps = build.op('QuantizeLinear', [limited, own, zero], Object.fromEntries(node.attributes));
        written = { ...node, inputs: [steps, own, ...(zero === undefined ? [] : [zero])] };
      }
    }
    nodes.push(...build.nodes.slice(start), written);
  }
  const initializers = new Map([...graph.initializers, ...build.initializers, ...parameters]);
  return removeDeadNodes({ ...quantized, graph: { ...graph, nodes, initializers, valueInfo: [] } }).model;

  /** Where the integers have the step of another value times a constant, they keep it. */
  function rescaled(of: Tensor, here: Tensor, source: Value): Value {
    const factor = float64Of(here)[0]! / float64Of(of)[0]!;
    return Math.abs(factor - 1) < 1e-6 ? source : build.mul(source, build.scalar(factor, 'float32'));
  }

  /** Weights of 7 bits stay of 7 bits: QuantizeLinear alone cuts at 8. `scale` has a place for each of the axis, or is a scalar. */
  function withinRange(weight: Value, scale: Value, dims: readonly number[], integers: Tensor, axis: number): Value {
    const largest = float64Of(integers).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (largest > REDUCED) return weight;
    const behind = dims.length === 0 ? 0 : integers.dims.length - 1 - axis;
    const places = Array.from({ length: behind }, (_, index) => index + 1);
    const most = build.mul(behind === 0 ? scale : build.unsqueeze(scale, places), build.scalar(REDUCED, 'float32'));
    return build.op('Max', [build.op('Min', [weight, most]), build.neg(most)]);
  }

  function dequantized(node: Node): Tensor {
    const [floats] = runReference({
      node,
      opset: opsetOf(quantized)!,
      inputs: node.inputs.map((name) => constant(name)),
      evaluate: noSubgraphs,
    });
    return floats!;
  }
}

/** What weights of 7 bits reach to. */
const REDUCED = 64;

/**
 * The model of integers that a model with fake quantization stands for, in the form of static quantization: weights int8, biases
 * int32 at the step of the products, scales as constants. It computes what the given model computes, but for the rounding
 * of biases.
 */
export function exportQuantized(trained: Model): Model {
  const opset = opsetOf(trained)!;
  const { graph } = trained;
  const constants = new Map<string, Tensor>();
  const constant = constantsOf(trained);
  const known = (name: string): Tensor | undefined => constants.get(name) ?? constant(name);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const kept: Node[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : known(name)));
    const isConstant = node.inputs.every((name, index) => name === '' || inputs[index] !== undefined);
    // What is stored as integers stays integers: making floats of it is left to whoever runs the model.
    if (!isConstant || node.domain !== '' || isDequantizer(node) || outputs.has(node.outputs[0]!)) kept.push(node);
    else {
      const values = runReference({ node, opset, inputs, evaluate: noSubgraphs });
      for (const [index, name] of node.outputs.entries()) if (name !== '') constants.set(name, values[index]!);
    }
  }
  const build = new GraphBuilder({ opset, extending: graph });
  const dequantizers = new Map(kept.filter(isDequantizer).map((node) => [node.outputs[0]!, node]));
  const nodes = kept.flatMap((node) => {
    const start = build.nodes.length;
    const written = withIntegerBias(build, node, dequantizers, known);
    return [...build.nodes.slice(start), written];
  });
  const initializers = new Map([
    ...graph.initializers,
    ...Array.from(constants, ([name, value]) => [name, stored(value)] as const),
    ...build.initializers,
  ]);
  return removeDeadNodes({ ...trained, graph: { ...graph, nodes, initializers, valueInfo: [] } }).model;
}

/** The constant bias of a product of two dequantized values as int32, at the step of the product. */
function withIntegerBias(
  build: GraphBuilder,
  node: Node,
  dequantizers: ReadonlyMap<string, Node>,
  known: (name: string) => Tensor | undefined,
): Node {
  const [x, weight, bias = ''] = node.inputs as [string, string, string?];
  const values = known(bias);
  const scales = [x, weight].map((name) => known(dequantizers.get(name)?.inputs[1] ?? ''));
  const isProduct = node.domain === '' && (node.opType === 'Conv' || node.opType === 'Gemm');
  const [inputScale, weightScale] = scales;
  if (!isProduct || values === undefined || inputScale === undefined || weightScale === undefined) return node;
  if (values.dims.length !== 1 || values.dtype !== 'float32') return node;
  const step = float64Of(inputScale)[0]!;
  const ofWeights = float64Of(weightScale);
  const steps = Float32Array.from({ length: values.data.length }, (_, at) => {
    const of = ofWeights.length === 1 ? ofWeights[0]! : ofWeights[at]!;
    return step * of;
  });
  const integers = Int32Array.from(float64Of(values), (value, at) => {
    const count = Math.round(value / steps[at]!);
    if (Math.abs(count) < 2 ** 31) return count;
    throw new LatheError(
      'unsupported',
      `${describeNode(node)}: the bias ${value} is beyond 32 bits of ${steps[at]} each`,
    );
  });
  const dims = values.dims;
  const name = `${bias}_quantized`;
  const stepsOfBias = [
    build.constant(tensor('int32', dims, integers), name),
    build.constant(tensor('float32', dims, steps), `${bias}_scale`),
  ];
  const floats = build.op('DequantizeLinear', stepsOfBias, { axis: int(0) });
  return { ...node, inputs: [x, weight, floats] };
}

const isQuantizer = ({ domain, opType }: Node): boolean => domain === '' && opType === 'QuantizeLinear';
const isDequantizer = ({ domain, opType }: Node): boolean => domain === '' && opType === 'DequantizeLinear';
const sameDims = (a: Tensor, b: Tensor): boolean =>
  a.dims.length === b.dims.length && a.dims.every((dim, axis) => dim === b.dims[axis]);

function noSubgraphs(): never {
  throw new LatheError('unsupported', 'operators with subgraphs are not computed here');
}
