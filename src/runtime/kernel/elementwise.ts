import { LatheError } from '../../base/index.ts';
import { describeNode, type Model, type Node, tensorOf } from '../../graph/index.ts';
import { allocateTensors, memoryBehind } from '../arena.ts';
import { Instance, Module, type WebAssemblyMemory } from '../web-assembly.ts';
import { type Code, f32, f64, f64x2, i32, local, loopWhile, moduleOf, TYPE, type ValueType } from './assembly.ts';
import { FOUR_LANES, type Lanes, ONE_LANE } from './lanes.ts';

export interface ElementwiseOptions {
  /** For each output to keep: the input that it is written over. */
  readonly into?: Readonly<Record<string, string>>;
  /** The output to add up over all elements, in float64. */
  readonly sum?: string;
}

/** One pass over memory: reads each element of the tensors once, computes, and writes it back. */
export interface ElementwiseKernel {
  /**
   * Works on float32 tensors of one length, in place, and returns the sum (0 where none was asked for). Tensors that
   * lie in one memory of `allocateTensors` are worked on where they are; others go through a cache, at less than half the speed.
   */
  run(tensors: Readonly<Record<string, Float32Array>>, scalars?: Readonly<Record<string, number>>): number;
}

type Emit = (lanes: Lanes, operands: readonly Code[]) => Code;

const unary =
  (operation: 'absolute' | 'negate' | 'squareRoot'): Emit =>
  (lanes, [x]) => [...x!, ...lanes.arithmetic[operation]];

const folded =
  (operation: 'add' | 'subtract' | 'multiply' | 'divide' | 'minimum' | 'maximum'): Emit =>
  (lanes, [first, ...others]) => [...first!, ...others.flatMap((next) => [...next, ...lanes.arithmetic[operation]])];

/** Each rounds as IEEE 754 asks, so that a kernel gives the bits of ONNX Runtime's operators one by one. */
const OPERATORS: Readonly<Record<string, Emit>> = {
  Abs: unary('absolute'),
  Add: folded('add'),
  Div: folded('divide'),
  Identity: (_lanes, [x]) => x!,
  Max: folded('maximum'),
  Min: folded('minimum'),
  Mul: folded('multiply'),
  Neg: unary('negate'),
  Sign(lanes, [x]) {
    const zero = lanes.spread(f32.constant(0));
    return [...lanes.oneWhereGreater(x!, zero), ...lanes.oneWhereLess(x!, zero), ...lanes.arithmetic.subtract];
  },
  Sqrt: unary('squareRoot'),
  Sub: folded('subtract'),
};

/**
 * Compiles a model of elementwise operators to one WebAssembly loop. Inputs of one dimension are the tensors, inputs of
 * none the scalars, constants are scalars; all float32. Throws LatheError('unsupported') for anything else, by name.
 */
export function elementwiseKernel(model: Model, options: ElementwiseOptions): ElementwiseKernel {
  const signature = signatureOf(model, options);
  const module = new Module(moduleOf(emit(model, signature)));
  const entries = new WeakMap<WebAssemblyMemory, (...parameters: number[]) => number>();
  const entryOf = (memory: WebAssemblyMemory): ((...parameters: number[]) => number) => {
    const known = entries.get(memory);
    if (known !== undefined) return known;
    const entry = new Instance(module, { environment: { memory } }).exports.run!;
    entries.set(memory, entry);
    return entry;
  };
  let cache: readonly Float32Array[] | undefined;
  return {
    run(named, scalars = {}) {
      const tensors = argumentsOf(signature.tensors, named, 'tensor');
      const numbers = argumentsOf(signature.scalars, scalars, 'scalar');
      const length = tensors[0]!.length;
      for (const [index, { length: other }] of tensors.entries())
        if (other !== length)
          throw new LatheError(
            'shape',
            `tensor "${signature.tensors[index]}" of a kernel: expected ${length} elements, as "${signature.tensors[0]}" has, got ${other}`,
          );
      const memory = memoryBehind(tensors[0]!.buffer);
      if (memory !== undefined && tensors.every(({ buffer }) => buffer === memory.buffer))
        return entryOf(memory)(...tensors.map(({ byteOffset }) => byteOffset), length, ...numbers);
      cache ??= allocateCache(signature.tensors);
      const written = new Set(signature.writes.map(({ tensor }) => tensor));
      const run = entryOf(memoryBehind(cache[0]!.buffer)!);
      const offsets = cache.map(({ byteOffset }) => byteOffset);
      let sum = 0;
      for (let begin = 0; begin < length; begin += CACHED_ELEMENTS) {
        const end = Math.min(length, begin + CACHED_ELEMENTS);
        for (const [index, tensor] of tensors.entries()) cache[index]!.set(tensor.subarray(begin, end));
        sum += run(...offsets, end - begin, ...numbers);
        for (const index of written) tensors[index]!.set(cache[index]!.subarray(0, end - begin), begin);
      }
      return sum;
    },
  };
}

/** Few enough for the tensors of an optimizer to stay in a processor's second cache. */
const CACHED_ELEMENTS = 8192;

function allocateCache(names: readonly string[]): Float32Array[] {
  const tensors = allocateTensors([names.map((name) => [name, [CACHED_ELEMENTS]] as const)]);
  return names.map((name) => tensors.get(name)!.data as Float32Array);
}

interface Signature {
  readonly tensors: readonly string[];
  readonly scalars: readonly string[];
  /** The values to keep, with the places of their tensors. */
  readonly writes: readonly { readonly value: string; readonly tensor: number }[];
  readonly sum?: string;
}

function signatureOf({ graph }: Model, { into = {}, sum }: ElementwiseOptions): Signature {
  const tensors: string[] = [];
  const scalars: string[] = [];
  for (const { name, type } of graph.inputs) {
    const rank = type?.kind === 'tensor' && type.dtype === 'float32' ? type.shape?.length : undefined;
    if (rank !== 0 && rank !== 1)
      throw new LatheError(
        'unsupported',
        `input "${name}" of an elementwise kernel: expected float32 of one dimension, or a scalar`,
      );
    (rank === 1 ? tensors : scalars).push(name);
  }
  if (tensors.length === 0) throw new LatheError('unsupported', 'an elementwise kernel needs a tensor to work on');
  const writes = Object.entries(into).map(([value, input]) => ({ value, tensor: tensors.indexOf(input) }));
  for (const { value, tensor } of writes)
    if (tensor < 0)
      throw new LatheError(
        'not-found',
        `output "${value}" goes into "${into[value]}", which is no tensor of the kernel`,
      );
  return { tensors, scalars, writes, ...(sum !== undefined && { sum }) };
}

function argumentsOf<T>(names: readonly string[], given: Readonly<Record<string, T>>, kind: string): T[] {
  return names.map((name) => {
    const value = given[name];
    if (value === undefined)
      throw new LatheError('usage', `${kind} "${name}" of a kernel is missing; it takes ${names.join(', ')}`);
    return value;
  });
}

/** Parameters: an address a tensor, the number of elements, the scalars. */
function emit(model: Model, signature: Signature): Parameters<typeof moduleOf>[0] {
  const { tensors, scalars } = signature;
  const remaining = tensors.length;
  const parameters: ValueType[] = [...tensors.map(() => TYPE.i32), TYPE.i32, ...scalars.map(() => TYPE.f32)];
  const locals: ValueType[] = [];
  const allocate = (type: ValueType): number => parameters.length + locals.push(type) - 1;
  const sums = { one: allocate(TYPE.f64), lowerPair: allocate(TYPE.v128), upperPair: allocate(TYPE.v128) };
  const scalarValues = new Map<string, Code>(scalars.map((name, index) => [name, local.get(remaining + 1 + index)]));
  for (const [name, value] of model.graph.initializers) {
    const { dtype, data, dims } = tensorOf(value);
    if (dtype !== 'float32' || dims.length > 0)
      throw new LatheError(
        'unsupported',
        `constant "${name}" of an elementwise kernel: expected a float32 scalar, got ${dtype}[${dims}]`,
      );
    scalarValues.set(name, f32.constant(data[0] as number));
  }

  const pass = (lanes: Lanes): Code => {
    const before: number[] = [];
    const values = new Map<string, number>();
    const keep = (name: string, code: Code, into: number[]): void => {
      const index = allocate(lanes.type);
      values.set(name, index);
      into.push(...code, ...local.set(index));
    };
    for (const [name, code] of scalarValues) keep(name, lanes.spread(code), before);
    const body: number[] = [];
    for (const [index, name] of tensors.entries()) keep(name, [...local.get(index), ...lanes.load], body);
    for (const node of model.graph.nodes) keep(node.outputs[0]!, codeOf(node, lanes, values), body);
    for (const { value, tensor } of signature.writes)
      body.push(...local.get(tensor), ...local.get(localOf(value, values)), ...lanes.store);
    if (signature.sum !== undefined) body.push(...lanes.accumulate(localOf(signature.sum, values), sums));
    for (const index of tensors.keys())
      body.push(...local.get(index), ...i32.constant(4 * lanes.count), ...i32.add, ...local.set(index));
    body.push(...local.get(remaining), ...i32.constant(lanes.count), ...i32.subtract, ...local.set(remaining));
    const enough = [...local.get(remaining), ...i32.constant(lanes.count), ...i32.atLeastUnsigned];
    return [...before, ...loopWhile(enough, body)];
  };
  const pairs = [...local.get(sums.lowerPair), ...local.get(sums.upperPair), ...f64x2.add];
  const ofPairs = [...pairs, ...f64x2.lane(0), ...pairs, ...f64x2.lane(1), ...f64.add];
  const code = [...pass(FOUR_LANES), ...pass(ONE_LANE), ...ofPairs, ...local.get(sums.one), ...f64.add];
  return { parameters, result: TYPE.f64, locals, code };
}

function codeOf(node: Node, lanes: Lanes, values: ReadonlyMap<string, number>): Code {
  const operator = node.domain === '' ? OPERATORS[node.opType] : undefined;
  if (operator === undefined)
    throw new LatheError(
      'unsupported',
      `${describeNode(node)}: an elementwise kernel has no such operator; it has ${Object.keys(OPERATORS).join(', ')}`,
    );
  return operator(
    lanes,
    node.inputs.map((name) => local.get(localOf(name, values))),
  );
}

function localOf(name: string, values: ReadonlyMap<string, number>): number {
  const index = values.get(name);
  if (index === undefined) throw new LatheError('not-found', `an elementwise kernel has no value "${name}"`);
  return index;
}
