import { expect, test } from 'vitest';
import { numbersOf, type Random, random, sizeOf, type Tensor, tensor, tensorFrom } from '../base/index.ts';
import { int, ints, tensorAttribute } from './attributes.ts';
import { type Attributes, GraphBuilder } from './builder.ts';
import { evaluateDimension, evaluateShape, formatShape } from './dimension.ts';
import { evaluate } from './evaluate.ts';
import { inferTypes } from './infer.ts';
import type { Dimension } from './ir.ts';

/** What the names of dimensions stand for in the two evaluations that a graph is held to. */
const BINDINGS = [
  { a: 6, b: 7, one: 1 },
  { a: 9, b: 4, one: 3 },
] as const;

/** A value of the graph under construction, and what it is in each evaluation. */
interface Known {
  readonly name: string;
  readonly values: readonly Tensor[];
}

interface Candidate {
  readonly operator: string;
  readonly inputs: readonly (Known | Tensor)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
}

/** Proposes a node. Most proposals are nonsense; those that run in both evaluations are kept. */
type Proposal = (choice: Choice) => Candidate;

class Choice {
  readonly #random: Random;
  readonly #pool: readonly Known[];

  constructor(generator: Random, pool: readonly Known[]) {
    this.#random = generator;
    this.#pool = pool;
  }

  between = (low: number, high: number): number => low + this.#random.integer(high - low + 1);
  of = <T>(items: readonly T[]): T => items[this.#random.integer(items.length)]!;
  float = (): Known => this.#of('float32');
  bool = (): Known => this.#of('bool');
  integer = (): Known => this.#of('int64');
  /** A scalar or vector of int64, often one that comes of a shape. */
  vector = (): Known =>
    this.of(this.#pool.filter(({ values: [value] }) => value!.dtype === 'int64' && value!.dims.length < 2));
  any = (): Known => this.of(this.#pool);
  axis = ({ values: [value] }: Known): number => this.between(-value!.dims.length, value!.dims.length - 1);
  axes = (known: Known): number[] => [this.axis(known)];

  #of(dtype: string): Known {
    return this.of(this.#pool.filter(({ values: [value] }) => value!.dtype === dtype));
  }
}

const scalar = (value: number): Tensor => tensorFrom('int64', value);
const vector = (...values: readonly number[]): Tensor => tensorFrom('int64', values);

const PROPOSALS: readonly Proposal[] = [
  ({ of, float }) => ({ operator: of(['Relu', 'Neg', 'Tanh', 'Softmax']), inputs: [float()] }),
  ({ of, float }) => ({ operator: of(['Add', 'Sub', 'Mul', 'Max', 'MatMul']), inputs: [float(), float()] }),
  ({ of, vector }) => ({
    operator: of(['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Min', 'Max']),
    inputs: [vector(), vector()],
  }),
  ({ of, between, vector }) => ({
    operator: of(['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Min', 'Max']),
    inputs: [vector(), scalar(between(1, 5))],
  }),
  ({ of, vector }) => ({ operator: of(['Equal', 'Less', 'GreaterOrEqual']), inputs: [vector(), vector()] }),
  ({ bool, vector }) => ({ operator: 'Where', inputs: [bool(), vector(), vector()] }),
  ({ any }) => ({ operator: 'Shape', inputs: [any()] }),
  ({ any, between }) => ({
    operator: 'Shape',
    inputs: [any()],
    attributes: { start: int(between(-2, 1)), end: int(between(1, 3)) },
  }),
  ({ any }) => ({ operator: 'Size', inputs: [any()] }),
  ({ any, of }) => ({
    operator: 'Transpose',
    inputs: [any()],
    attributes: {
      perm: ints(
        of([
          [1, 0],
          [0, 2, 1],
          [2, 0, 1],
          [1, 0, 2, 3],
        ]),
      ),
    },
  }),
  ({ any, of }) => ({
    operator: 'Reshape',
    inputs: [any(), of([vector(-1), vector(0, -1), vector(-1, 4), vector(0, 0, -1), vector(2, -1)])],
  }),
  (choice) => ({ operator: 'Reshape', inputs: [choice.any(), choice.vector()] }),
  (choice) => ({ operator: 'Expand', inputs: [choice.any(), choice.vector()] }),
  (choice) => ({
    operator: 'ConstantOfShape',
    inputs: [choice.vector()],
    attributes: { value: tensorAttribute(vector(choice.between(0, 2))) },
  }),
  (choice) => ({
    operator: 'Range',
    inputs: [scalar(choice.between(0, 2)), choice.vector(), scalar(choice.between(1, 3))],
  }),
  (choice) => {
    const first = choice.vector();
    return {
      operator: 'Concat',
      inputs: [first, choice.of([vector(-1), vector(1), choice.vector()])],
      attributes: { axis: int(0) },
    };
  },
  (choice) => {
    const first = choice.float();
    return {
      operator: 'Concat',
      inputs: [first, choice.of([first, choice.float()])],
      attributes: { axis: int(choice.axis(first)) },
    };
  },
  (choice) => {
    const data = choice.any();
    const indices = choice.of([scalar(0), vector(1, 0), vector(-1), choice.vector()]);
    return { operator: 'Gather', inputs: [data, indices], attributes: { axis: int(choice.axis(data)) } };
  },
  (choice) => {
    const data = choice.any();
    const [start, end] = [choice.between(-3, 2), choice.of([-1, 1, 2, 3, 2 ** 31 - 1, 2 ** 40])];
    return {
      operator: 'Slice',
      inputs: [data, vector(start), vector(end), vector(choice.axis(data)), vector(choice.of([1, 1, 2, 3]))],
    };
  },
  (choice) => {
    const data = choice.any();
    const start = choice.of([-1, 2 ** 40, 2]);
    return {
      operator: 'Slice',
      inputs: [data, vector(start), vector(-(2 ** 40)), vector(choice.axis(data)), vector(choice.of([-1, -2]))],
    };
  },
  (choice) => {
    const data = choice.any();
    return {
      operator: 'Slice',
      inputs: [data, vector(choice.between(0, 2)), choice.vector(), vector(choice.axis(data))],
    };
  },
  (choice) => ({ operator: 'Unsqueeze', inputs: [choice.any(), vector(choice.between(-1, 1))] }),
  (choice) => {
    const data = choice.any();
    return { operator: 'Squeeze', inputs: [data, vector(choice.axis(data))] };
  },
  (choice) => ({ operator: 'Flatten', inputs: [choice.any()], attributes: { axis: int(choice.between(-1, 2)) } }),
  (choice) => ({ operator: 'Tile', inputs: [choice.any(), choice.of([vector(2), vector(1, 2), vector(2, 1, 3)])] }),
  (choice) => {
    const data = choice.of([choice.float(), choice.vector()]);
    return {
      operator: 'ReduceSum',
      inputs: [data, vector(...choice.axes(data))],
      attributes: { keepdims: int(choice.between(0, 1)) },
    };
  },
  (choice) => {
    const data = choice.of([choice.float(), choice.vector()]);
    const attributes = { axes: ints(choice.axes(data)), keepdims: int(choice.between(0, 1)) };
    return { operator: choice.of(['ReduceMax', 'ReduceMin', 'ReduceProd']), inputs: [data], attributes };
  },
  (choice) => {
    const data = choice.any();
    return { operator: 'Split', inputs: [data], attributes: { axis: int(choice.axis(data)) }, outputs: 2 };
  },
  (choice) => ({
    operator: 'Pad',
    inputs: [choice.float(), choice.of([vector(1, 2), vector(0, 1, 2, 0), vector(1, 0, 0, 0, 0, 3)])],
  }),
  (choice) => ({ operator: 'TopK', inputs: [choice.float(), vector(choice.between(1, 3))], outputs: 2 }),
  (choice) => {
    const data = choice.float();
    return {
      operator: 'ArgMax',
      inputs: [data],
      attributes: { axis: int(choice.axis(data)), keepdims: int(choice.between(0, 1)) },
    };
  },
  ({ of, integer }) => ({ operator: 'Cast', inputs: [integer()], attributes: { to: int(of([1, 6, 7, 9])) } }),
  ({ of, any }) => ({ operator: of(['Identity', 'NonZero']), inputs: [any()] }),
];

function start(graph: GraphBuilder, generator: Random): Known[] {
  const input = (name: string, shape: readonly Dimension[]): Known => ({
    name: graph.input(name, 'float32', shape),
    values: BINDINGS.map((binding) => {
      const dims = evaluateShape(shape, binding) as number[];
      return tensor(
        'float32',
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => generator.uniform()),
      );
    }),
  });
  const constant = (value: Tensor): Known => ({ name: graph.constant(value), values: BINDINGS.map(() => value) });
  return [
    input('x', ['a', 'b', 4]),
    input('y', ['b', 4]),
    input('z', ['a', 1, 'b']),
    input('w', ['one', 'a + b']),
    constant(vector(1)),
    constant(vector(2, 4)),
    constant(tensorFrom('bool', [1, 0])),
  ];
}

/** The outputs of one node in both evaluations; undefined where it does not run, or says nothing about inference. */
function run(candidate: Candidate): readonly (readonly Tensor[])[] | undefined {
  const { operator, inputs, attributes = {}, outputs = 1 } = candidate;
  const results: Tensor[][] = [];
  for (let binding = 0; binding < BINDINGS.length; binding++) {
    const values = inputs.map((input) => ('values' in input ? input.values[binding]! : input));
    const graph = new GraphBuilder();
    const names = values.map((value, index) => graph.input(`i${index}`, value.dtype, value.dims));
    const produced = graph.node(operator, names, { attributes, outputs });
    for (const name of produced) graph.output(name);
    try {
      const computed = evaluate(graph.build(), Object.fromEntries(values.map((value, index) => [`i${index}`, value])));
      results.push(produced.map((name) => computed[name]!));
    } catch {
      return undefined;
    }
    // Slices at numbers are taken to lie within their dimension, symbolic integers to be non-negative, and those that
    // are a target of Reshape not 0.
    if (operator === 'Slice' && values[0]!.dims.some((dim) => dim < 4)) return undefined;
    if (operator === 'Reshape' && 'values' in inputs[1]! && numbersOf(values[1]!).includes(0)) return undefined;
    // Before operator set 18 the parts of a split are equal, which the reference operator does not insist on.
    if (results.at(-1)!.some(({ dims }) => operator === 'Split' && `${dims}` !== `${results.at(-1)![0]!.dims}`))
      return undefined;
    for (const { dtype, dims, data } of results.at(-1)!) {
      if (sizeOf(dims) > 4000 || dims.length > 5) return undefined;
      if (dtype !== 'float32' && Array.from(data, Number).some((element) => element < 0 || element > 2 ** 40))
        return undefined;
    }
  }
  return results;
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))('inferred shapes hold in a random graph (seed %i)', (seed) => {
  const generator = random(seed);
  const graph = new GraphBuilder();
  const pool = start(graph, generator);
  const choice = new Choice(generator, pool);
  for (let attempt = 0; attempt < 120; attempt++) {
    const candidate = choice.of(PROPOSALS)(choice);
    const results = run(candidate);
    if (results === undefined) continue;
    const names = candidate.inputs.map((input) => ('values' in input ? input.name : graph.constant(input)));
    const produced = graph.node(candidate.operator, names, {
      attributes: candidate.attributes ?? {},
      outputs: candidate.outputs ?? 1,
    });
    for (const [index, name] of produced.entries())
      pool.push({ name, values: results.map((values) => values[index]!) });
  }
  const types = inferTypes(graph.build());
  for (const { name, values } of pool) {
    const known = types.get(name);
    const type = known?.type;
    expect(type, name).toMatchObject({ kind: 'tensor', dtype: values[0]!.dtype });
    for (const [binding, value] of values.entries()) {
      const names = BINDINGS[binding]!;
      if (type?.kind === 'tensor' && type.shape !== undefined) {
        expect(type.shape.length, name).toBe(value.dims.length);
        for (const [axis, dim] of type.shape.entries()) {
          const expected = evaluateDimension(dim, names);
          if (expected !== null) expect(expected, `${name} ${formatShape(type.shape)}`).toBe(value.dims[axis]);
        }
      }
      const elements = known?.elements;
      if (elements === undefined) continue;
      const real = numbersOf(value);
      for (const [index, element] of elements.entries()) {
        const expected = evaluateDimension(element, names);
        if (expected !== null) expect(expected, `${name} ${formatShape(elements)}`).toBe(real[index]);
      }
    }
  }
});
