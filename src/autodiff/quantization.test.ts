import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { numbersOf, type Tensor, tensorFrom } from '../base/index.ts';
import { evaluate, GraphBuilder, int, type Model } from '../graph/index.ts';
import { gradient } from './index.ts';

interface Numbers {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

interface Case {
  readonly x: Numbers;
  readonly scale: Numbers;
  readonly zeroPoint: Numbers;
  readonly seed: Numbers;
  readonly type: 'int8' | 'uint8';
  readonly axis?: number;
  readonly output: Numbers;
  readonly xGradient: Numbers;
  readonly scaleGradient?: Numbers;
}

/** PyTorch's fake quantization: fixtures/quantization.py. */
const CASES = JSON.parse(readFileSync(new URL('fixtures/quantization.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Case>
>;

const floats = ({ dims, values }: Numbers): Tensor => tensorFrom('float32', values, dims);

/** Quantized and back, then something that works on the integers alone where `between` says so. */
function modelOf(given: Case, between?: string): Model {
  const build = new GraphBuilder({ opset: 19 });
  const [x, scale, seed] = [
    build.input('x', 'float32', given.x.dims),
    build.input('scale', 'float32', given.scale.dims),
    build.input('seed', 'float32', given.seed.dims),
  ];
  const zeroPoint = build.constant(tensorFrom(given.type, given.zeroPoint.values, given.zeroPoint.dims));
  const attributes = given.axis === undefined ? {} : { axis: int(given.axis) };
  const quantized = build.op('QuantizeLinear', [x, scale, zeroPoint], attributes);
  const read = between === undefined ? quantized : build.op(between, [quantized]);
  const y = build.op('DequantizeLinear', [read, scale, zeroPoint], attributes, 'y');
  build.output(build.op('ReduceSum', [build.mul(y, seed)], { keepdims: int(0) }, 'loss'));
  build.output('y');
  return build.build();
}

function expectClose(actual: Tensor, expected: Numbers): void {
  expect(actual.dims).toEqual(expected.dims);
  const largest = Math.max(...expected.values.map(Math.abs));
  for (const [index, value] of numbersOf(actual).entries()) {
    expect(Math.abs(value - expected.values[index]!)).toBeLessThanOrEqual(2e-6 * largest);
  }
}

describe('quantization passes gradients as PyTorch does', () => {
  it.each(Object.entries(CASES))('%s', (_, given) => {
    const withRespectTo = given.scaleGradient === undefined ? ['x'] : ['x', 'scale'];
    const model = gradient(modelOf(given), { of: 'loss', withRespectTo });
    const feeds = { x: floats(given.x), scale: floats(given.scale), seed: floats(given.seed) };
    const result = evaluate(model, feeds);
    expectClose(result.y!, given.output);
    expectClose(result.x_grad!, given.xGradient);
    if (given.scaleGradient !== undefined) expectClose(result.scale_grad!, given.scaleGradient);
  });

  it('for each block of an axis with its own scale', () => {
    const build = new GraphBuilder({ opset: 21 });
    const x = build.input('x', 'float32', [2, 4]);
    const scale = build.constant(tensorFrom('float32', [0.5, 1, 2, 4], [2, 2]));
    const blocks = { axis: int(1), block_size: int(2) };
    const zeroPoint = build.constant(tensorFrom('int8', [0, 0, 0, 0], [2, 2]));
    const quantized = build.op('QuantizeLinear', [x, scale, zeroPoint], blocks);
    const y = build.op('DequantizeLinear', [quantized, scale], blocks, 'y');
    build.output(build.op('ReduceSum', [build.mul(y, y)], { keepdims: int(0) }, 'loss'));
    build.output('y');
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['x'] });
    const { y: output, x_grad } = evaluate(model, {
      x: tensorFrom('float32', [0.6, 100, 1.4, -3.7, 3.1, -300, 5, 7], [2, 4]),
    });
    expect(numbersOf(output!)).toEqual([0.5, 63.5, 1, -4, 4, -256, 4, 8]);
    expect(numbersOf(x_grad!)).toEqual([1, 0, 2, -8, 8, 0, 8, 16]);
  });

  it('stops at operators that work on the integers, and says so', () => {
    const model = modelOf(CASES['per tensor, uint8']!, 'Identity');
    expect(() => gradient(model, { of: 'loss', withRespectTo: ['x'] })).toThrow(
      /Identity.*has no gradient: it works on quantized integers.*DequantizeLinear/,
    );
  });
});
