import { LatheError, type Tensor, tensor } from '../../base/index.ts';
import { type GraphBuilder, int, type Model, type Value } from '../../graph/index.ts';
import { type BlockWeights, blocksOf, LARGEST_CODE, roundToNearest } from './block-weights.ts';
import { gptqWeights } from './gptq.ts';
import { halfQuadraticScale } from './half-quadratic.ts';
import { type LinearNode, matrixOf } from './linear-nodes.ts';
import { type ProductOptions, type Quantized, rewriteProducts } from './products.ts';

export interface Weights4Options extends ProductOptions {
  /**
   * How weights are rounded: to nearest; by half-quadratic splitting, which fits scales and zero points; or by GPTQ, which
   * corrects later weights for the errors of earlier ones and needs `moments`. Default hqq.
   */
  readonly method?: 'rtn' | 'hqq' | 'gptq';
  /** Inputs that share a scale. Default 32. */
  readonly block?: 32 | 64 | 128;
  /**
   * `matMulNBits` is ONNX Runtime's operator (com.microsoft), which multiplies without unpacking the matrix. `dequantizeLinear` is
   * the standard: blocks of DequantizeLinear, which needs operator set 21 and IR version 10. Default matMulNBits.
   */
  readonly form?: 'matMulNBits' | 'dequantizeLinear';
  /** For gptq: of each matrix what `inputMoments` gives. */
  readonly moments?: ReadonlyMap<string, Float64Array>;
}

/**
 * Stores matrices in 4 bits, with a scale and a zero point for each block of inputs of an output; activations and the rest stay
 * float32. Tables become int8 with a scale for each row. It is for size: on processors ONNX Runtime is seldom faster with it.
 *
 * A model older than operator set 17 is raised to it (21 for dequantizeLinear). Nodes in subgraphs stay. Throws
 * LatheError('usage') for gptq without moments of a matrix.
 */
export function quantizeWeights4(given: Model, options: Weights4Options = {}): Quantized {
  const { block = 32, form = 'matMulNBits', method } = options;
  const matrices = new Map<string, readonly Value[]>();
  const standard = form === 'dequantizeLinear';
  return rewriteProducts(
    given,
    options,
    (build, linear, constant) => {
      // A matrix that several products read is stored once.
      const key = JSON.stringify([linear.weight, linear.transposed, linear.scale, method === 'gptq' && linear.x]);
      let values = matrices.get(key);
      if (values === undefined) {
        const weights = roundedBy(options, block, linear, matrixOf(linear, constant));
        values = (standard ? blockedTensors : packedTensors)(weights).map(([what, value]) =>
          build.constant(value, `${linear.weight}_${what}`),
        );
        matrices.set(key, values);
      }
      return standard
        ? build.matMul(linear.x, build.op('DequantizeLinear', values, { axis: int(0), block_size: int(block) }))
        : packedProduct(build, linear, block, values);
    },
    standard ? { opset: 21 } : { domains: ['com.microsoft'] },
  );
}

function roundedBy(
  { method = 'hqq', moments }: Weights4Options,
  block: number,
  { weight, x, inputs, outputs }: LinearNode,
  matrix: Float32Array,
): BlockWeights {
  if (method === 'rtn') return roundToNearest(matrix, inputs, outputs, block);
  if (method === 'hqq') return roundToNearest(matrix, inputs, outputs, block, halfQuadraticScale);
  const known = moments?.get(x);
  if (known === undefined) {
    throw new LatheError(
      'usage',
      `gptq: there are no second moments of "${x}", which the matrix "${weight}" multiplies`,
      {
        hint: 'Take them of real data with inputMoments() of the same model, or use the method hqq, which needs none.',
      },
    );
  }
  return gptqWeights(matrix, inputs, outputs, block, known);
}

function packedProduct(
  build: GraphBuilder,
  { x, inputs, outputs }: LinearNode,
  block: number,
  values: readonly Value[],
): Value {
  const attributes = { K: int(inputs), N: int(outputs), bits: int(4), block_size: int(block) };
  return build.node('MatMulNBits', [x, ...values], { domain: 'com.microsoft', attributes })[0]!;
}

type Named = readonly [what: string, value: Tensor];

/**
 * As MatMulNBits reads them: codes [outputs, blocks, block / 2] with the lower half of a byte first, the last block filled up;
 * scales [outputs · blocks]; zero points of an output two in a byte, in whole bytes.
 */
function packedTensors({ inputs, outputs, block, codes, scales, zeroPoints }: BlockWeights): readonly Named[] {
  const blocks = blocksOf(inputs, block);
  const packed = new Uint8Array((outputs * blocks * block) / 2);
  const zeroBytes = Math.ceil(blocks / 2);
  const zeros = new Uint8Array(outputs * zeroBytes);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < blocks * block; input++) {
      const zero = zeroPoints[output * blocks + Math.floor(input / block)]!;
      const code = input < inputs ? codes[output * inputs + input]! : zero;
      const at = output * blocks * block + input;
      packed[at >> 1] = packed[at >> 1]! | (code << (4 * (at & 1)));
    }
    for (let at = 0; at < blocks; at++) {
      const byte = output * zeroBytes + (at >> 1);
      zeros[byte] = zeros[byte]! | (zeroPoints[output * blocks + at]! << (4 * (at & 1)));
    }
  }
  return [
    ['int4', tensor('uint8', [outputs, blocks, block / 2], packed)],
    ['scale', tensor('float32', [outputs * blocks], scales)],
    ['zero_point', tensor('uint8', [outputs * zeroBytes], zeros)],
  ];
}

/** As DequantizeLinear reads blocks along axis 0: uint4 [inputs, outputs], scales and zero points [blocks, outputs]. */
function blockedTensors({ inputs, outputs, block, codes, scales, zeroPoints }: BlockWeights): readonly Named[] {
  const blocks = blocksOf(inputs, block);
  return [
    ['int4', tensor('uint4', [inputs, outputs], nibbles(turned(codes, outputs, inputs)))],
    ['scale', tensor('float32', [blocks, outputs], Float32Array.from(turned(scales, outputs, blocks)))],
    ['zero_point', tensor('uint4', [blocks, outputs], nibbles(turned(zeroPoints, outputs, blocks)))],
  ];
}

function turned(values: ArrayLike<number>, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

function nibbles(codes: readonly number[]): Uint8Array {
  const packed = new Uint8Array(Math.ceil(codes.length / 2));
  for (const [at, code] of codes.entries())
    packed[at >> 1] = packed[at >> 1]! | ((code & LARGEST_CODE) << (4 * (at & 1)));
  return packed;
}
