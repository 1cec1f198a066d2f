import { describe, expect, it } from 'vitest';
import { random, type Tensor, tensor, tensorFrom } from '../../base/index.ts';
import { GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import { allocateTensors } from '../arena.ts';
import { openSession } from '../session.ts';
import { elementwiseKernel } from './elementwise.ts';

/** What a test computes: from tensors x, y and scalar s. */
type Expression = (b: GraphBuilder, x: Value, y: Value, s: Value) => Value;

function modelOf(expression: Expression): Model {
  const b = new GraphBuilder();
  const [x, y] = ['x', 'y'].map((name) => b.input(name, 'float32', ['elements'])) as [Value, Value];
  const result = expression(b, x, y, b.input('s', 'float32', []));
  b.output(result, { dtype: 'float32', shape: ['elements'] });
  return b.build();
}

const outputOf = (model: Model): string => model.graph.outputs[0]!.name;

/** In one memory, so that a kernel works on them in place. */
function inOneMemory(...arrays: readonly Float32Array[]): Float32Array[] {
  const tensors = allocateTensors([arrays.map(({ length }, index) => [`${index}`, [length]] as const)]);
  return arrays.map((values, index) => {
    const target = tensors.get(`${index}`)!.data as Float32Array;
    target.set(values);
    return target;
  });
}

/** Ordinary numbers, zeros of both signs, the smallest and the largest, infinities. */
function numbers(length: number, seed: number): Float32Array {
  const generator = random(seed);
  const special = [0, -0, 1e-45, -1e-40, 3.4e38, -3.4e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return Float32Array.from({ length }, (_, index) =>
    index % 5 === 4
      ? special[Math.floor(generator.uniform() * special.length)]!
      : generator.normal() * 10 ** Math.round(generator.normal() * 4),
  );
}

async function byOnnxRuntime(model: Model, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await openSession(model, { threads: 1 });
  try {
    return (await session.run(feeds))[outputOf(model)]!.data as Float32Array;
  } finally {
    await session.close();
  }
}

const bits = (values: Float32Array): number[] =>
  // A NaN may have any payload.
  Array.from(values, (value, index) =>
    Number.isNaN(value) ? -1 : new Uint32Array(values.buffer, values.byteOffset)[index]!,
  );

const EXPRESSIONS: Readonly<Record<string, Expression>> = {
  Abs: (b, x) => b.op('Abs', [x]),
  Add: (b, x, y) => b.add(x, y),
  'Add of a scalar': (b, x, _y, s) => b.add(s, x),
  'Add of a constant': (b, x) => b.add(x, b.scalar(0.1, 'float32')),
  Div: (b, x, y) => b.div(x, y),
  Identity: (b, x) => b.op('Identity', [x]),
  // Which zero is the greater is left open; adding zero makes them one.
  Max: (b, x, y, s) => b.add(b.op('Max', [x, y, s]), b.scalar(0, 'float32')),
  Min: (b, x, y) => b.add(b.op('Min', [x, y]), b.scalar(0, 'float32')),
  Mul: (b, x, y) => b.mul(x, y),
  Neg: (b, x) => b.op('Neg', [x]),
  Sign: (b, x) => b.op('Sign', [x]),
  Sqrt: (b, x) => b.sqrt(x),
  Sub: (b, x, y) => b.sub(x, y),
  'several in a row': (b, x, y, s) =>
    b.div(b.sub(b.mul(x, s), y), b.add(b.sqrt(b.op('Abs', [y])), b.scalar(1e-8, 'float32'))),
};

describe('an elementwise kernel', () => {
  // Lengths around the four elements of a vector.
  const lengths = [1, 3, 4, 5, 8, 1023];

  it.each(Object.keys(EXPRESSIONS))('gives the bits of ONNX Runtime: %s', async (name) => {
    const model = modelOf(EXPRESSIONS[name]!);
    const kernel = elementwiseKernel(model, { into: { [outputOf(model)]: 'x' } });
    for (const length of lengths) {
      const given = [numbers(length, length), numbers(length, length + 1)] as const;
      const expected = await byOnnxRuntime(model, {
        x: tensor('float32', [length], given[0]),
        y: tensor('float32', [length], given[1]),
        s: tensorFrom('float32', 0.3),
      });
      const [x, y] = inOneMemory(...given) as [Float32Array, Float32Array];
      kernel.run({ x, y }, { s: 0.3 });
      expect(bits(x)).toEqual(bits(expected));
      expect(bits(y)).toEqual(bits(given[1]));
    }
  });

  it('writes nothing beyond its tensors', () => {
    const model = modelOf((b, x) => b.add(x, b.scalar(1, 'float32')));
    const kernel = elementwiseKernel(model, { into: { [outputOf(model)]: 'x' } });
    for (const length of [0, ...lengths]) {
      const [whole, y] = inOneMemory(new Float32Array(length + 8), new Float32Array(length)) as [
        Float32Array,
        Float32Array,
      ];
      kernel.run({ x: whole.subarray(1, 1 + length), y }, { s: 0 });
      expect(Array.from(whole)).toEqual(
        Array.from({ length: length + 8 }, (_, index) => Number(index > 0 && index <= length)),
      );
    }
  });

  it('gives the same where its tensors lie in memories of their own', () => {
    const model = modelOf(EXPRESSIONS['several in a row']!);
    const kernel = elementwiseKernel(model, { into: { [outputOf(model)]: 'x' }, sum: outputOf(model) });
    const random32 = (seed: number) => {
      const generator = random(seed);
      return Float32Array.from({ length: 20_003 }, () => generator.normal());
    };
    const [x, y] = inOneMemory(random32(1), random32(2)) as [Float32Array, Float32Array];
    const [otherX] = inOneMemory(random32(1)) as [Float32Array];
    const expected = kernel.run({ x, y }, { s: 0.5 });
    // In pieces: the sum is added up in another order.
    expect(kernel.run({ x: otherX, y: random32(2) }, { s: 0.5 })).toBeCloseTo(expected, 6);
    expect(bits(otherX)).toEqual(bits(x));
  });

  it('adds up in float64', () => {
    const model = modelOf((b, x, y) => b.mul(x, y));
    const kernel = elementwiseKernel(model, { sum: outputOf(model) });
    for (const length of [0, ...lengths, 100_001]) {
      const generator = random(length);
      const values = Float32Array.from({ length }, () => generator.normal());
      const [x, y] = inOneMemory(values, values) as [Float32Array, Float32Array];
      const expected = values.reduce((sum, value) => sum + Math.fround(value * value), 0);
      expect(Math.abs(kernel.run({ x, y }, { s: 0 }) - expected)).toBeLessThanOrEqual(1e-13 * expected);
      expect(x).toEqual(values);
    }
  });

  it('reaches above 2 GB', () => {
    const model = modelOf((b, x, y) => b.add(x, y));
    const kernel = elementwiseKernel(model, { into: { [outputOf(model)]: 'x' } });
    const tensors = allocateTensors([
      [
        ['below', [2 ** 29 + 100]],
        ['x', [6]],
        ['y', [6]],
      ],
    ]);
    const [x, y] = ['x', 'y'].map((name) => tensors.get(name)!.data as Float32Array) as [Float32Array, Float32Array];
    expect(x.byteOffset).toBeGreaterThan(2 ** 31);
    x.set([1, 2, 3, 4, 5, 6]);
    y.fill(10);
    kernel.run({ x, y }, { s: 0 });
    expect(Array.from(x)).toEqual([11, 12, 13, 14, 15, 16]);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'an operator that it does not have',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.op('Erf', [x])),
          {},
        ),
      /Erf.*: an elementwise kernel has no such operator; it has Abs, Add, /,
    ],
    [
      'a constant that is not a scalar',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.add(x, b.constant(tensorFrom('float32', [1, 2])))),
          {},
        ),
      /constant "constant".*expected a float32 scalar, got float32\[2\]/,
    ],
    [
      'an input that is not elementwise',
      () => {
        const b = new GraphBuilder();
        b.output(b.op('Neg', [b.input('x', 'float32', [2, 'elements'])]));
        return elementwiseKernel(b.build(), {});
      },
      /input "x".*expected float32 of one dimension, or a scalar/,
    ],
    [
      'an output into nothing',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.op('Neg', [x])),
          { into: { neg: 'z' } },
        ),
      /output "neg" goes into "z", which is no tensor/,
    ],
    [
      'a sum of nothing',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.op('Neg', [x])),
          { sum: 'z' },
        ),
      /has no value "z"/,
    ],
    [
      'tensors of unequal length',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.op('Neg', [x])),
          {},
        ).run({ x: new Float32Array(3), y: new Float32Array(2) }, { s: 0 }),
      /tensor "y" of a kernel: expected 3 elements, as "x" has, got 2/,
    ],
    [
      'a missing tensor',
      () =>
        elementwiseKernel(
          modelOf((b, x) => b.op('Neg', [x])),
          {},
        ).run({ x: new Float32Array(3) }, { s: 0 }),
      /tensor "y" of a kernel is missing; it takes x, y/,
    ],
    [
      'a missing scalar',
      () => {
        const x = new Float32Array(3);
        return elementwiseKernel(
          modelOf((b, value) => b.op('Neg', [value])),
          {},
        ).run({ x, y: x });
      },
      /scalar "s" of a kernel is missing; it takes s/,
    ],
  ])('refuses %s', (_name, attempt, message) => {
    expect(attempt).toThrow(message);
  });
});
