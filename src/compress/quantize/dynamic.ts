import { DATA_TYPES, type Tensor, tensorFrom } from '../../base/index.ts';
import { type GraphBuilder, int, type Model, type Value } from '../../graph/index.ts';
import { integerWeights } from './integer-weights.ts';
import { type LinearNode, matrixOf } from './linear-nodes.ts';
import { type ProductOptions, type Quantized, rewriteProducts } from './products.ts';

const FLOAT32 = DATA_TYPES.float32.code;

export interface DynamicOptions extends ProductOptions {
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
}

/**
 * Makes products with constant matrices integer ones: the activations are quantized to uint8 while the model runs; the weights
 * are int8 with a scale for each output. Tables that rows are gathered or sliced from are stored as int8. No data is needed.
 * The nodes are in the forms that ONNX Runtime fuses (MatMulIntegerToFloat, DynamicQuantizeMatMul); everything else stays
 * float32. A model older than operator set 17 is raised to it. Nodes in subgraphs stay.
 */
export function quantizeDynamic(given: Model, options: DynamicOptions = {}): Quantized {
  const activations = new Map<Value, readonly Value[]>();
  return rewriteProducts(given, options, (build, linear, constant) =>
    integerProduct({ build, constant, activations, options }, linear),
  );
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
  const { weight, inputs, outputs } = linear;
  const { perChannel = true, weightType, reduceRange, activations = 'row' } = options;
  const integers = integerWeights([inputs, outputs], matrixOf(linear, constant), {
    axis: perChannel ? 1 : undefined,
    ...(weightType && { dtype: weightType }),
    ...(reduceRange !== undefined && { reduceRange }),
  });
  const named = (value: Tensor, what: string): Value => build.constant(value, `${weight}_${what}`);
  const form = activations === 'row' ? productOfRows : productOfTensor;
  return form(products, linear.x, [
    named(integers.values, 'quantized'),
    named(integers.scales, 'scale'),
    named(integers.zeroPoints, 'zero_point'),
  ]);
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
