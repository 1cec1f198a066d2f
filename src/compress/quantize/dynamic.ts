import { DATA_TYPES, type Tensor, tensorFrom } from '../../base/index.ts';
import {
  convertOperatorSet,
  foldConstants,
  GraphBuilder,
  int,
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
  /**
   * Whose range the scale of activations follows: of a whole tensor, so that an answer depends on its neighbours in a batch, or
   * of each row by itself, so that it does not. Default row.
   */
  readonly activations?: 'row' | 'tensor';
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
 * Makes products with constant matrices integer ones: the activations are quantized to uint8 while the model runs; the weights
 * are int8 with a scale for each output. Tables that rows are gathered or sliced from are stored as int8. No data is needed.
 * The nodes are in the forms that ONNX Runtime fuses (MatMulIntegerToFloat, DynamicQuantizeMatMul); everything else stays
 * float32. A model older than operator set 17 is raised to it. Nodes in subgraphs stay.
 */
export function quantizeDynamic(given: Model, options: DynamicOptions = {}): Quantized {
  const { minimumElements = 4096, embeddings = 'rows', except = new Set() } = options;
  const model = prepared(given);
  const constant = constantsOf(model);
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const products: Products = { build, constant, activations: new Map(), options };
  const replaced = new Map<Node, readonly Node[]>();
  const quantized: string[] = [];
  const kept: { node: string; reason: string }[] = [];
  for (const node of model.graph.nodes) {
    const output = node.outputs[0]!;
    const linear = linearNode(node, constant);
    const write =
      linear !== undefined
        ? (): Value => integerProduct(products, linear)
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

interface Products {
  readonly build: GraphBuilder;
  readonly constant: (name: string) => Tensor | undefined;
  /** Activations as integers, by the value that they are of: products that read the same value share them. */
  readonly activations: Map<Value, readonly Value[]>;
  readonly options: DynamicOptions;
}

function integerProduct(products: Products, linear: LinearNode): Value {
  const { build, constant, options } = products;
  const { weight, inputs, outputs, bias } = linear;
  const { perChannel = true, weightType, reduceRange, activations = 'row' } = options;
  const integers = integerWeights([inputs, outputs], matrixOf(linear, constant), {
    axis: perChannel ? 1 : undefined,
    ...(weightType && { dtype: weightType }),
    ...(reduceRange !== undefined && { reduceRange }),
  });
  const named = (value: Tensor, what: string): Value => build.constant(value, `${weight}_${what}`);
  const form = activations === 'row' ? productOfRows : productOfTensor;
  const y = form(products, linear.x, [
    named(integers.values, 'quantized'),
    named(integers.scales, 'scale'),
    named(integers.zeroPoints, 'zero_point'),
  ]);
  if (bias === undefined) return y;
  if (bias.scale === 1) return build.add(y, bias.name);
  const constantBias = scaledConstant(constant(bias.name), bias.scale);
  if (constantBias !== undefined) return build.add(y, named(constantBias, 'bias'));
  return build.add(y, build.mul(bias.name, build.scalar(bias.scale, 'float32')));
}

type Integers = readonly [values: Value, scale: Value, zeroPoint: Value];

/** One scale for all of x, found by DynamicQuantizeLinear. */
function productOfTensor(
  { build, activations }: Products,
  x: Value,
  [weight, weightScale, weightZero]: Integers,
): Value {
  const [steps, scale, zeroPoint] = sharedBy(activations, x, () =>
    build.node('DynamicQuantizeLinear', [x], { outputs: 3 }),
  );
  const sums = build.op('MatMulInteger', [steps, weight, zeroPoint, weightZero]);
  return build.mul(build.cast(sums, FLOAT32), build.mul(scale!, weightScale));
}

/**
 * Each row of x is divided by its largest element, so that one fixed scale fits all of them, and the product multiplied by it
 * again. Between QuantizeLinear and DequantizeLinear ONNX Runtime makes it a product of integers.
 */
function productOfRows({ build, activations }: Products, x: Value, [weight, weightScale, weightZero]: Integers): Value {
  const fixed = [build.scalar(1 / 127, 'float32'), build.constant(tensorFrom('uint8', 128))];
  const [rows, largest] = sharedBy(activations, x, () => {
    // A row of zeros is divided by something.
    const size = build.op('Max', [build.reduceMax(build.op('Abs', [x]), [-1]), build.scalar(SMALLEST, 'float32')]);
    const steps = build.op('QuantizeLinear', [build.div(x, size), ...fixed]);
    return [build.op('DequantizeLinear', [steps, ...fixed]), size];
  });
  const matrix = build.op('DequantizeLinear', [weight, weightScale, weightZero], { axis: int(1) });
  return build.mul(build.matMul(rows!, matrix), largest!);
}

const SMALLEST = 2 ** -100;

function sharedBy(
  activations: Map<Value, readonly Value[]>,
  x: Value,
  write: () => readonly Value[],
): readonly Value[] {
  const known = activations.get(x) ?? write();
  activations.set(x, known);
  return known;
}
