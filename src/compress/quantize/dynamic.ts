import { DATA_TYPES, type Tensor } from '../../base/index.ts';
import {
  convertOperatorSet,
  foldConstants,
  GraphBuilder,
  liftConstants,
  type Model,
  type Node,
  nodesGiving,
  opsetOf,
  removeDeadNodes,
  replaceNodes,
  type Value,
} from '../../graph/index.ts';
import { type EmbeddingForm, integerRows } from './integer-rows.ts';
import { integerWeights } from './integer-weights.ts';
import { constantsOf, type LinearNode, linearNode, matrixOf, scaledConstant } from './linear-nodes.ts';

const FLOAT32 = DATA_TYPES.float32.code;

export interface DynamicOptions {
  /** A scale for each output of a matrix, or one for all of it. Default true. */
  readonly perChannel?: boolean;
  /** Of weights. Default int8, which is faster; uint8 never saturates on processors without VNNI. */
  readonly weightType?: 'int8' | 'uint8';
  /** Weights of 7 bits, which do not saturate on processors without VNNI. Default false. */
  readonly reduceRange?: boolean;
  /** What becomes of tables: a scale a row, one for the whole table, or floats as they are. Default rows. */
  readonly embeddings?: EmbeddingForm | 'float';
  /** Matrices and tables of fewer elements stay floats: they save nothing. Default 4096. */
  readonly minimumElements?: number;
  /** Nodes to leave as they are, by their first output. */
  readonly except?: ReadonlySet<string>;
}

export interface Quantized {
  readonly model: Model;
  readonly changed: boolean;
  /** The nodes that became integer ones, by their first output. */
  readonly quantized: readonly string[];
  /** Those that could have, and why they did not. */
  readonly kept: readonly { readonly node: string; readonly reason: string }[];
}

/**
 * Makes products with constant matrices integer ones: the activations are quantized to uint8 while the model runs, by the
 * least and largest of each tensor; the weights are int8 with a scale for each output. Tables that rows are gathered or
 * sliced from are stored as int8. No data is needed. The nodes are in the forms that ONNX Runtime fuses
 * (DynamicQuantizeMatMul, MatMulIntegerToFloat); everything else stays float32.
 *
 * An answer depends on its neighbours in a batch, as they share the range of a tensor. A model older than operator set 17
 * is raised to it. Nodes in subgraphs stay.
 */
export function quantizeDynamic(given: Model, options: DynamicOptions = {}): Quantized {
  const { minimumElements = 4096, embeddings = 'rows', except = new Set() } = options;
  const model = prepared(given);
  const constant = constantsOf(model);
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const activations = new Map<Value, readonly Value[]>();
  const replaced = new Map<Node, readonly Node[]>();
  const quantized: string[] = [];
  const kept: { node: string; reason: string }[] = [];
  for (const node of model.graph.nodes) {
    const output = node.outputs[0]!;
    const linear = linearNode(node, constant);
    const write =
      linear !== undefined
        ? (): Value => integerProduct(build, linear, constant, activations, options)
        : embeddings === 'float'
          ? undefined
          : integerRows(build, node, constant, embeddings);
    if (write === undefined) continue;
    const elements = constant(linear?.weight ?? node.inputs[0]!)!.data.length;
    if (except.has(output)) kept.push({ node: output, reason: 'it was named to be left' });
    else if (elements < minimumElements)
      kept.push({ node: output, reason: `its ${elements} weights are fewer than ${minimumElements}` });
    else {
      replaced.set(
        node,
        nodesGiving(build, node.outputs, () => [write()]),
      );
      quantized.push(output);
    }
  }
  if (quantized.length === 0) return { model: given, changed: false, quantized, kept };
  return { model: removeDeadNodes(replaceNodes(model, build, replaced)).model, changed: true, quantized, kept };
}

/** With weights in one place, whatever the exporter: as initializers, already transposed. */
function prepared(model: Model): Model {
  const lifted = liftConstants(convertOperatorSet(model).model).model;
  // Nothing grows: integers that another quantized already stay integers.
  return foldConstants(lifted, { weights: true, maximumBytes: 0 }).model;
}

function integerProduct(
  build: GraphBuilder,
  linear: LinearNode,
  constant: (name: string) => Tensor | undefined,
  activations: Map<Value, readonly Value[]>,
  { perChannel = true, weightType, reduceRange }: DynamicOptions,
): Value {
  const { x, weight, inputs, outputs, bias } = linear;
  const { values, scales, zeroPoints } = integerWeights([inputs, outputs], matrixOf(linear, constant), {
    axis: perChannel ? 1 : undefined,
    ...(weightType && { dtype: weightType }),
    ...(reduceRange !== undefined && { reduceRange }),
  });
  let activation = activations.get(x);
  if (activation === undefined) {
    activation = build.node('DynamicQuantizeLinear', [x], { outputs: 3 });
    activations.set(x, activation);
  }
  const [steps, scale, zeroPoint] = activation as [Value, Value, Value];
  const named = (value: Tensor, what: string): Value => build.constant(value, `${weight}_${what}`);
  const weightScale = named(scales, 'scale');
  const products = build.op('MatMulInteger', [
    steps,
    named(values, 'quantized'),
    zeroPoint,
    named(zeroPoints, 'zero_point'),
  ]);
  const y = build.mul(build.cast(products, FLOAT32), build.mul(scale, weightScale));
  if (bias === undefined) return y;
  const constantBias = scaledConstant(constant(bias.name), bias.scale);
  if (bias.scale === 1) return build.add(y, bias.name);
  if (constantBias !== undefined) return build.add(y, named(constantBias, 'bias'));
  return build.add(y, build.mul(bias.name, build.scalar(bias.scale, 'float32')));
}
