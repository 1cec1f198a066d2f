import { float64Of, isFloat, type Tensor } from '../../base/index.ts';
import { floatOf, intOf, type Model, type Node, tensorOf } from '../../graph/index.ts';

/** A product with a constant matrix: `y = scale · (x · weight) + bias`, with the weight [inputs, outputs]. */
export interface LinearNode {
  readonly node: Node;
  /** The value that is multiplied, [..., inputs]. */
  readonly x: string;
  /** The initializer, and whether it lies as [outputs, inputs]. */
  readonly weight: string;
  readonly transposed: boolean;
  readonly inputs: number;
  readonly outputs: number;
  /** What the product is multiplied by: `alpha` of a Gemm. */
  readonly scale: number;
  /** What is added, and what it is multiplied by. */
  readonly bias?: { readonly name: string; readonly scale: number };
}

/** The initializers that are constants of the main graph: no default of an input, and loaded. */
export function constantsOf({ irVersion, graph }: Model): (name: string) => Tensor | undefined {
  // Before IR version 4 every initializer had to be an input as well, and was none.
  const inputs = new Set(irVersion < 4 ? [] : graph.inputs.map(({ name }) => name));
  const read = new Map<string, Tensor>();
  return (name) => {
    const known = read.get(name);
    if (known !== undefined) return known;
    const value = inputs.has(name) ? undefined : graph.initializers.get(name);
    if (value === undefined || value.dtype === 'undefined') return undefined;
    const loaded = tensorOf(value);
    read.set(name, loaded);
    return loaded;
  };
}

/** A MatMul or Gemm of a value with a constant float32 matrix; undefined for any other node. */
export function linearNode(node: Node, constant: (name: string) => Tensor | undefined): LinearNode | undefined {
  if (node.domain !== '' || (node.opType !== 'MatMul' && node.opType !== 'Gemm')) return undefined;
  const [x, weight, bias = ''] = node.inputs as [string, string, string?];
  const matrix = constant(weight);
  if (matrix === undefined || matrix.dtype !== 'float32' || matrix.dims.length !== 2) return undefined;
  if (constant(x) !== undefined || intOf(node, 'transA', 0) !== 0) return undefined;
  const transposed = intOf(node, 'transB', 0) !== 0;
  const [first, second] = matrix.dims as [number, number];
  return {
    node,
    x,
    weight,
    transposed,
    inputs: transposed ? second : first,
    outputs: transposed ? first : second,
    scale: floatOf(node, 'alpha', 1),
    ...(bias !== '' && { bias: { name: bias, scale: floatOf(node, 'beta', 1) } }),
  };
}

/** The matrix of a linear node as [inputs, outputs], times its scale. */
export function matrixOf(
  { weight, transposed, inputs, outputs, scale }: LinearNode,
  constant: (name: string) => Tensor | undefined,
): Float32Array {
  const values = constant(weight)!.data as Float32Array;
  if (!transposed && scale === 1) return values;
  const out = new Float32Array(values.length);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      out[input * outputs + output] = scale * values[transposed ? output * inputs + input : input * outputs + output]!;
    }
  }
  return out;
}

/** A constant times a factor, as float32; undefined where it is no constant of floats. */
export function scaledConstant(value: Tensor | undefined, factor: number): Tensor | undefined {
  if (value === undefined || !isFloat(value.dtype)) return undefined;
  if (factor === 1 && value.dtype === 'float32') return value;
  return {
    dtype: 'float32',
    dims: value.dims,
    data: Float32Array.from(float64Of(value), (element) => factor * element),
  };
}
