import { describe, expect, test } from 'vitest';
import { type DataType, type Tensor, tensor, tensorFrom } from '../../base/index.ts';
import { float, floats, int, ints, string, strings, tensorAttribute } from '../attributes.ts';
import { type Attributes, tensorInfo } from '../builder.ts';
import { evaluateDimension } from '../dimension.ts';
import { inferTypes } from '../infer.ts';
import { EMPTY_GRAPH, type Model, type Shape, type StoredTensor, type ValueInfo } from '../ir.ts';
import { stored } from '../stored.ts';
import { formatType } from '../value-types.ts';
import { OPERATORS } from './names.ts';
import { sliceLength } from './shapes/indexing.ts';

/** `float32[batch, 3]` is an input of that type, a tensor a constant, and undefined an input left out. */
type Input = string | Tensor | undefined;

interface Row {
  readonly operator: string;
  readonly inputs: readonly Input[];
  readonly attributes?: Attributes;
  readonly opset?: number;
  /** What the outputs are, `nothing` where nothing is known; or the error. */
  readonly gives: readonly string[] | RegExp;
}

const ids = (...values: readonly number[]): Tensor => tensorFrom('int64', values);
const scalar = (value: number, dtype: 'int64' | 'float32' = 'int64'): Tensor => tensorFrom(dtype, value);

function parse(text: string): { dtype: DataType; shape?: Shape } {
  const [, dtype, dims] = /^(\w+)(?:\[(.*)\])?$/.exec(text)!;
  if (dims === undefined) return { dtype: dtype as DataType };
  const shape =
    dims === '' ? [] : dims.split(', ').map((dim) => (dim === '?' ? null : /^\d+$/.test(dim) ? Number(dim) : dim));
  return { dtype: dtype as DataType, shape };
}

function modelOf({ operator, inputs, attributes = {}, opset = 17, gives }: Row): Model {
  const initializers = new Map<string, StoredTensor>();
  const infos: ValueInfo[] = [];
  const names = inputs.map((input, index) => {
    const name = input === undefined ? '' : `x${index}`;
    if (typeof input === 'string') infos.push(tensorInfo(name, parse(input)));
    else if (input !== undefined) initializers.set(name, stored(input));
    return name;
  });
  const outputs = Array.from({ length: gives instanceof RegExp ? 1 : gives.length }, (_, index) => `y${index}`);
  return {
    irVersion: 8,
    opsets: [{ domain: '', version: opset }],
    functions: [],
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      name: 'row',
      nodes: [
        {
          opType: operator,
          domain: '',
          name: 'n',
          inputs: names,
          outputs,
          attributes: new Map(Object.entries(attributes)),
        },
      ],
      initializers,
      inputs: infos,
      outputs: outputs.map((name) => ({ name })),
    },
  };
}

const UNARY = [
  'Abs',
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'Ceil',
  'Cos',
  'Cosh',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
];
const MORE_UNARY = [
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Hardmax',
  'LeakyRelu',
  'Log',
  'LogSoftmax',
  'Neg',
  'Reciprocal',
];
const STILL_MORE_UNARY = [
  'Relu',
  'Round',
  'Selu',
  'Sigmoid',
  'Sign',
  'Sin',
  'Sinh',
  'Softmax',
  'Softplus',
  'Softsign',
  'Sqrt',
  'Tan',
  'Tanh',
];
const ARITHMETIC = ['Add', 'Div', 'Max', 'Mean', 'Min', 'Mod', 'Mul', 'Pow', 'Sub', 'Sum'];
const COMPARISONS = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'];
const REDUCTIONS = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'];

const WINDOWED: readonly Row[] = [
  {
    operator: 'Conv',
    inputs: ['float32[batch, 3, height, 32]', 'float32[8, 3, 3, 3]', 'float32[8]'],
    attributes: { pads: ints([1, 1, 1, 1]), strides: ints([2, 2]) },
    gives: ['float32[batch, 8, floor((height + 1)/2), 16]'],
  },
  {
    operator: 'Conv',
    inputs: ['float32[batch, 4, n]', 'float32[6, 2, 3]'],
    attributes: { group: int(2), auto_pad: string('SAME_UPPER') },
    gives: ['float32[batch, 6, n]'],
  },
  { operator: 'Conv', inputs: ['float32[1, 3, 8]', 'float32'], gives: ['float32[1, ?, ?]'] },
  {
    operator: 'Conv',
    inputs: ['float32[1, 3, 8]', 'float32[4, 2, 3]'],
    gives: /Conv "n": input "x0" has 3 channels, the weights \[4, 2, 3\] are for 2/,
  },
  {
    operator: 'Conv',
    inputs: ['float32[1, 3, 2]', 'float32[4, 3, 3]'],
    gives: /Conv "n": axis 2 has 2 elements with padding less than the kernel's 3/,
  },
  {
    operator: 'Conv',
    inputs: ['float32[1, 3, 8]', 'float32[4, 3, 3]'],
    attributes: { pads: ints([1]) },
    gives: /attribute "pads": expected 2 numbers, got 1/,
  },
  {
    operator: 'Conv',
    inputs: ['float32[1, 3, 8]', 'float32[4, 3, 3]'],
    attributes: { auto_pad: string('SAME') },
    gives: /"auto_pad": expected NOTSET, SAME_UPPER, SAME_LOWER or VALID, got "SAME"/,
  },
  {
    operator: 'ConvTranspose',
    inputs: ['float32[batch, 4, height, 5]', 'float32[4, 3, 3, 3]'],
    attributes: { group: int(2), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), output_padding: ints([1, 1]) },
    gives: ['float32[batch, 6, height*2, 10]'],
  },
  {
    operator: 'ConvTranspose',
    inputs: ['float32[batch, 4, 3]', 'float32[4, 3, 3]'],
    attributes: { output_shape: ints([9]) },
    gives: ['float32[batch, 3, 9]'],
  },
  {
    operator: 'MaxPool',
    inputs: ['float32[batch, c, 7]'],
    attributes: { kernel_shape: ints([2]), strides: ints([2]), ceil_mode: int(1) },
    gives: ['float32[batch, c, 4]', 'int64[batch, c, 4]'],
  },
  ...['AveragePool', 'LpPool'].map((operator) => ({
    operator,
    inputs: ['float32[batch, c, 7, 7]'],
    attributes: { kernel_shape: ints([3, 3]), auto_pad: string('VALID') },
    gives: ['float32[batch, c, 5, 5]'],
  })),
  { operator: 'MaxPool', inputs: ['float32[1, 1, 7]'], gives: /attribute "kernel_shape" is required but left out/ },
  ...['GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool'].map((operator) => ({
    operator,
    inputs: ['float32[batch, c, height, width]'],
    gives: ['float32[batch, c, 1, 1]'],
  })),
  {
    operator: 'BatchNormalization',
    inputs: ['float32[batch, 4, n]', ...new Array<string>(4).fill('float32[4]')],
    attributes: { training_mode: int(1) },
    gives: ['float32[batch, 4, n]', 'float32[4]', 'float32[4]'],
  },
  {
    operator: 'BatchNormalization',
    inputs: ['float32[batch, 4, n]', 'float32[3]', ...new Array<string>(3).fill('float32[4]')],
    gives: /BatchNormalization "n": input "x1" needs \[4\], got \[3\]/,
  },
  {
    operator: 'InstanceNormalization',
    inputs: ['float32[batch, 4, n]', 'float32[4]', 'float32[4]'],
    gives: ['float32[batch, 4, n]'],
  },
  {
    operator: 'GroupNormalization',
    inputs: ['float32[batch, 4, n]', 'float32[2]', 'float32[2]'],
    attributes: { num_groups: int(2) },
    opset: 18,
    gives: ['float32[batch, 4, n]'],
  },
  {
    operator: 'GroupNormalization',
    inputs: ['float32[batch, 4, n]', 'float32[4]', 'float32[4]'],
    attributes: { num_groups: int(3) },
    opset: 21,
    gives: /num_groups is 3, which does not divide the 4 channels/,
  },
  { operator: 'LpNormalization', inputs: ['float32[a, b]'], gives: ['float32[a, b]'] },
  { operator: 'LRN', inputs: ['float32[a, b, c]'], attributes: { size: int(3) }, gives: ['float32[a, b, c]'] },
];

const ROWS: readonly Row[] = [
  ...WINDOWED,
  ...[...UNARY, ...MORE_UNARY, ...STILL_MORE_UNARY].map((operator) => ({
    operator,
    inputs: ['float32[batch, ?, 3]'],
    gives: ['float32[batch, ?, 3]'],
  })),
  ...ARITHMETIC.map((operator) => ({
    operator,
    inputs: ['float32[batch, 1, other, 1]', 'float32[12, 7, ?]'],
    gives: ['float32[batch, 12, 7, ?]'],
  })),
  ...COMPARISONS.map((operator) => ({ operator, inputs: ['int64[a, b]', 'int64[b]'], gives: ['bool[a, b]'] })),
  ...['And', 'Or', 'Xor'].map((operator) => ({ operator, inputs: ['bool[a, 1]', 'bool[b]'], gives: ['bool[a, b]'] })),
  ...REDUCTIONS.flatMap((name) => [
    { operator: `Reduce${name}`, inputs: ['float32[a, b, c]'], gives: ['float32[1, 1, 1]'], opset: 11 },
    {
      operator: `Reduce${name}`,
      inputs: ['float32[a, b, c]'],
      attributes: { axes: ints([-1, 0]), keepdims: int(0) },
      opset: 11,
      gives: ['float32[b]'],
    },
    { operator: `Reduce${name}`, inputs: ['float32[a, b, c]', ids(1)], opset: 18, gives: ['float32[a, 1, c]'] },
  ]),
  {
    operator: 'Add',
    inputs: ['float32[batch, 3]', 'float32[4]'],
    gives: /Add "n": shapes do not broadcast: \[batch, 3\] and \[4\]/,
  },
  {
    operator: 'Add',
    inputs: ['float32[3]', 'int64[3]'],
    gives: /Add "n": inputs differ in element type: float32 and int64/,
  },
  { operator: 'Add', inputs: ['float32', 'float32[3]'], gives: ['float32[…]'] },
  { operator: 'Max', inputs: ['float32[a]', 'float32[3, 1]', 'float32[1]'], gives: ['float32[3, a]'] },
  { operator: 'Pow', inputs: ['float32[a]', 'int64[]'], gives: ['float32[a]'] },
  { operator: 'Not', inputs: ['bool[a]'], gives: ['bool[a]'] },
  { operator: 'IsInf', inputs: ['float32[a]'], gives: ['bool[a]'] },
  { operator: 'IsNaN', inputs: ['float16[a, 2]'], gives: ['bool[a, 2]'] },
  { operator: 'Where', inputs: ['bool[a, 1]', 'float32[b]', 'float32[]'], gives: ['float32[a, b]'] },
  { operator: 'Cast', inputs: ['float32[a]'], attributes: { to: int(7) }, gives: ['int64[a]'] },
  { operator: 'Cast', inputs: ['float32[a]'], attributes: { to: int(99) }, gives: /"to" is 99/ },
  { operator: 'CastLike', inputs: ['float32[a]', 'bool[3]'], gives: ['bool[a]'] },
  { operator: 'Clip', inputs: ['float32[a]', 'float32[]'], gives: ['float32[a]'] },
  { operator: 'CumSum', inputs: ['float32[a, b]', scalar(-1)], gives: ['float32[a, b]'] },
  { operator: 'CumSum', inputs: ['float32[a, b]', scalar(2)], gives: /axis is 2/ },
  { operator: 'Dropout', inputs: ['float32[a]'], gives: ['float32[a]', 'bool[a]'] },
  { operator: 'Dropout', inputs: ['float32[a]'], opset: 7, gives: ['float32[a]', 'float32[a]'] },
  { operator: 'Identity', inputs: ['string[a]'], gives: ['string[a]'] },
  { operator: 'Trilu', inputs: ['float32[a, b]'], gives: ['float32[a, b]'] },
  { operator: 'Trilu', inputs: ['float32[a]'], gives: /at least 2 dimensions, got \[a\]/ },

  { operator: 'MatMul', inputs: ['float32[batch, 1, s, 8]', 'float32[12, 8, t]'], gives: ['float32[batch, 12, s, t]'] },
  { operator: 'MatMul', inputs: ['float32[8]', 'float32[8, t]'], gives: ['float32[t]'] },
  { operator: 'MatMul', inputs: ['float32[a, 8]', 'float32[8]'], gives: ['float32[a]'] },
  { operator: 'MatMul', inputs: ['float32[8]', 'float32[8]'], gives: ['float32[]'] },
  { operator: 'MatMul', inputs: ['float32[3, a, 8]', 'float32[2, 8, t]'], gives: /batch dimensions do not broadcast/ },
  { operator: 'MatMul', inputs: ['float32[a, 8]', 'float32[]'], gives: /at least 1 dimension/ },
  {
    operator: 'MatMulInteger',
    inputs: ['uint8[batch, s, 8]', 'int8[8, t]', 'uint8[]', 'int8[t]'],
    gives: ['int32[batch, s, t]'],
  },
  { operator: 'MatMulInteger', inputs: ['uint8[a, 8]', 'int8[7, t]'], gives: /inner dimensions differ/ },
  {
    operator: 'MatMul',
    inputs: ['float32[a, h]', 'float32[h + 1, 2]'],
    gives: /inner dimensions differ: \[a, h\] and \[h \+ 1, 2\]/,
  },
  {
    operator: 'Gemm',
    inputs: ['float32[k, batch]', 'float32[n, k]', 'float32[n]'],
    attributes: { transA: int(1), transB: int(1) },
    gives: ['float32[batch, n]'],
  },
  {
    operator: 'Gemm',
    inputs: ['float32[batch, 3]', 'float32[n, 4]'],
    attributes: { transB: int(1) },
    gives: /inner dimensions differ: \[batch, 3\] and \[n, 4\] transposed/,
  },
  {
    operator: 'Gemm',
    inputs: ['float32[batch, 3]', 'float32[3, 4]', 'float32[5]'],
    gives: /"x2" \[5\] does not broadcast to \[batch, 4\]/,
  },
  {
    operator: 'Gemm',
    inputs: ['float32[batch, 3, 1]', 'float32[3, 4]'],
    gives: /input "x0" needs 2 dimensions, got \[batch, 3, 1\]/,
  },
  {
    operator: 'Einsum',
    inputs: ['float32[batch, h, i, d]', 'float32[batch, h, j, d]'],
    attributes: { equation: string('bhid,bhjd->bhij') },
    gives: ['float32[batch, h, i, j]'],
  },
  {
    operator: 'Einsum',
    inputs: ['float32[a, b, i, j]'],
    attributes: { equation: string('...ij -> ...ji') },
    gives: ['float32[a, b, j, i]'],
  },
  {
    operator: 'Einsum',
    inputs: ['float32[x, y]', 'float32[y, z]'],
    attributes: { equation: string('ij,jk') },
    gives: ['float32[x, z]'],
  },
  {
    operator: 'Einsum',
    inputs: ['float32[x, 2]', 'float32[3, z]'],
    attributes: { equation: string('ij,jk->ik') },
    gives: /label "j" stands for both 2 and 3/,
  },
  { operator: 'Einsum', inputs: ['float32[x]'], attributes: { equation: string('ij->i') }, gives: /term "ij"/ },

  {
    operator: 'ReduceSum',
    inputs: ['float32[a, b]', ids(0)],
    attributes: { keepdims: int(0) },
    opset: 13,
    gives: ['float32[b]'],
  },
  {
    operator: 'ReduceSum',
    inputs: ['float32[a, b]', ids()],
    attributes: { noop_with_empty_axes: int(1) },
    gives: ['float32[a, b]'],
  },
  { operator: 'ReduceSum', inputs: ['float32[a, b]', 'int64[1]'], gives: ['float32[?, ?]'] },
  {
    operator: 'ReduceSum',
    inputs: ['float32[a, b, c]', 'int64[1]'],
    attributes: { keepdims: int(0) },
    gives: ['float32[?, ?]'],
  },
  { operator: 'ReduceSum', inputs: ['float32[a, b]', ids(2)], gives: /axes is 2, expected one in \[-2, 2\)/ },
  {
    operator: 'ArgMax',
    inputs: ['float32[a, b]'],
    attributes: { axis: int(-1), keepdims: int(0) },
    gives: ['int64[a]'],
  },
  { operator: 'ArgMin', inputs: ['float32[a, b]'], gives: ['int64[1, b]'] },
  {
    operator: 'LayerNormalization',
    inputs: ['float16[a, b, 8]', 'float16[8]'],
    gives: ['float16[a, b, 8]', 'float32[a, b, 1]', 'float32[a, b, 1]'],
  },
  { operator: 'Softmax', inputs: ['float32[a]'], attributes: { axis: int(1) }, gives: /axis is 1/ },

  {
    operator: 'Reshape',
    inputs: ['float32[batch, sequence, 384]', ids(0, 0, 12, 32)],
    gives: ['float32[batch, sequence, 12, 32]'],
  },
  {
    operator: 'Reshape',
    inputs: ['float32[batch, sequence, 384]', ids(0, -1)],
    gives: ['float32[batch, sequence*384]'],
  },
  {
    operator: 'Reshape',
    inputs: ['float32[batch, sequence, 384]', ids(-1, 384)],
    gives: ['float32[batch*sequence, 384]'],
  },
  {
    operator: 'Reshape',
    inputs: ['float32[?, sequence, 12, 32]', ids(0, 0, -1)],
    gives: ['float32[?, sequence, 384]'],
  },
  { operator: 'Reshape', inputs: ['float32[batch, 6]', ids(2, -1)], gives: ['float32[2, batch*3]'] },
  { operator: 'Reshape', inputs: ['float32[batch, 3]', ids(2, -1)], gives: ['float32[2, batch + floor(batch/2)]'] },
  { operator: 'Reshape', inputs: ['float32[batch, 3]', 'int64[3]'], gives: ['float32[?, ?, ?]'] },
  { operator: 'Reshape', inputs: ['float32[batch, 3]', 'int64[n]'], gives: ['float32[…]'] },
  {
    operator: 'Reshape',
    inputs: ['float32[0, 3]', ids(3, 0)],
    attributes: { allowzero: int(1) },
    gives: ['float32[3, 0]'],
  },
  {
    operator: 'Reshape',
    inputs: ['float32[4, 3]', ids(5, -1)],
    gives: /cannot reshape \[4, 3\] to \[5, -1\]: 12 elements do not divide by 5/,
  },
  { operator: 'Reshape', inputs: ['float32[4, 3]', ids(5, 2)], gives: /12 elements and 10/ },
  { operator: 'Reshape', inputs: ['float32[4, 3]', ids(-1, -1)], gives: /more than one -1/ },
  { operator: 'Reshape', inputs: ['float32[4]', ids(4, 0)], gives: /0 at axis 1 has no dimension to copy/ },
  { operator: 'Flatten', inputs: ['float32[a, b, 3]'], attributes: { axis: int(2) }, gives: ['float32[a*b, 3]'] },
  { operator: 'Flatten', inputs: ['float32[a, b, 3]'], attributes: { axis: int(-1) }, gives: ['float32[a*b, 3]'] },
  { operator: 'Flatten', inputs: ['float32[a]'], attributes: { axis: int(0) }, gives: ['float32[1, a]'] },
  {
    operator: 'Squeeze',
    inputs: ['float32[a, 1, 1]'],
    attributes: { axes: ints([1]) },
    opset: 11,
    gives: ['float32[a, 1]'],
  },
  { operator: 'Squeeze', inputs: ['float32[a, 1, ?]', ids(-1, 1)], gives: ['float32[a]'] },
  { operator: 'Squeeze', inputs: ['float32[2, 1, 3]'], gives: ['float32[2, 3]'] },
  { operator: 'Squeeze', inputs: ['float32[a, 1]'], gives: ['float32[…]'] },
  { operator: 'Squeeze', inputs: ['float32[a, 2]', ids(1)], gives: /axis 1 of \[a, 2\] is 2, expected 1/ },
  {
    operator: 'Unsqueeze',
    inputs: ['float32[a, b]'],
    attributes: { axes: ints([0, 3]) },
    opset: 11,
    gives: ['float32[1, a, b, 1]'],
  },
  { operator: 'Unsqueeze', inputs: ['float32[a, b]', ids(-1, 1)], gives: ['float32[a, 1, b, 1]'] },
  { operator: 'Unsqueeze', inputs: ['float32[a]', ids(0, -3)], gives: /name axis 0 twice/ },
  { operator: 'Unsqueeze', inputs: ['float32[a]', 'int64[2]'], gives: ['float32[?, ?, ?]'] },
  { operator: 'Transpose', inputs: ['float32[a, b, c]'], gives: ['float32[c, b, a]'] },
  {
    operator: 'Transpose',
    inputs: ['float32[a, b, c]'],
    attributes: { perm: ints([0, 2, 1]) },
    gives: ['float32[a, c, b]'],
  },
  { operator: 'Transpose', inputs: ['float32'], attributes: { perm: ints([0, 2, 1]) }, gives: ['float32[?, ?, ?]'] },
  {
    operator: 'Transpose',
    inputs: ['float32[a, b]'],
    attributes: { perm: ints([0, 0]) },
    gives: /perm \[0, 0\] is no order of the axes of \[a, b\]/,
  },
  { operator: 'Expand', inputs: ['float32[a, 1]', ids(4, 1, 3)], gives: ['float32[4, a, 3]'] },
  { operator: 'Expand', inputs: ['float32[a, 1]', 'int64[3]'], gives: ['float32[?, ?, ?]'] },
  { operator: 'Tile', inputs: ['float32[a, 2]', ids(1, 3)], gives: ['float32[a, 6]'] },
  { operator: 'Tile', inputs: ['float32[a, 2]', ids(1)], gives: /\[a, 2\] needs 2 repeats, got \[1\]/ },

  {
    operator: 'Gather',
    inputs: ['float32[50, 32]', 'int64[batch, sequence]'],
    gives: ['float32[batch, sequence, 32]'],
  },
  {
    operator: 'Gather',
    inputs: ['float32[a, b, c]', scalar(0)],
    attributes: { axis: int(1) },
    gives: ['float32[a, c]'],
  },
  {
    operator: 'Gather',
    inputs: ['float32[a, 3]', scalar(3)],
    attributes: { axis: int(-1) },
    gives: /index 3 is outside of axis 1 of \[a, 3\]/,
  },
  {
    operator: 'GatherElements',
    inputs: ['float32[a, b]', 'int64[a, 1]'],
    attributes: { axis: int(1) },
    gives: ['float32[a, 1]'],
  },
  { operator: 'GatherElements', inputs: ['float32[a, b]', 'int64[a]'], gives: /differ in rank/ },
  { operator: 'GatherND', inputs: ['float32[a, b, c]', 'int64[n, 2]'], gives: ['float32[n, c]'] },
  {
    operator: 'GatherND',
    inputs: ['float32[a, b, c]', 'int64[a, n, 1]'],
    attributes: { batch_dims: int(1) },
    gives: ['float32[a, n, c]'],
  },
  { operator: 'GatherND', inputs: ['float32[a]', 'int64[n, 2]'], gives: /do not fit data \[a\]/ },
  { operator: 'ScatterElements', inputs: ['float32[a, b]', 'int64[n, b]', 'float32[n, b]'], gives: ['float32[a, b]'] },
  { operator: 'ScatterND', inputs: ['float32[a, b]', 'int64[n, 1]', 'float32[n, b]'], gives: ['float32[a, b]'] },
  { operator: 'ScatterND', inputs: ['float32[a]', 'int64[n, 2]', 'float32[n]'], gives: /reach deeper than data \[a\]/ },
  {
    operator: 'Slice',
    inputs: ['float32[a, b]'],
    attributes: { starts: ints([1]), ends: ints([2 ** 31 - 1]), axes: ints([1]) },
    opset: 9,
    gives: ['float32[a, b - 1]'],
  },
  { operator: 'Slice', inputs: ['float32[a, 10]', ids(-3), ids(2 ** 40), ids(1)], gives: ['float32[a, 3]'] },
  { operator: 'Slice', inputs: ['float32[a, 10]', ids(9), ids(-(2 ** 40)), ids(1), ids(-2)], gives: ['float32[a, 5]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', ids(0, 0), ids(1, -1)], gives: ['float32[1, b - 1]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', ids(-1), ids(-(2 ** 40)), ids(1), ids(-1)], gives: ['float32[a, b]'] },
  {
    operator: 'Slice',
    inputs: ['float32[a, b]', ids(0), ids(2 ** 40), ids(1), ids(2)],
    gives: ['float32[a, floor((b + 1)/2)]'],
  },
  // An end before the front: as far as the first element, in dimensions of any size.
  {
    operator: 'Slice',
    inputs: ['float32[a, b]', ids(-1), ids(-100), ids(1), ids(-1)],
    gives: ['float32[a, min(b, 99)]'],
  },
  { operator: 'Slice', inputs: ['float32[a, 5]', ids(-1), ids(-100), ids(1), ids(-1)], gives: ['float32[a, 5]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', ids(0), ids(3), ids(1)], gives: ['float32[a, min(b, 3)]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', 'int64[1]', ids(3), ids(1)], gives: ['float32[a, ?]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', ids(0), ids(3), 'int64[1]'], gives: ['float32[?, ?]'] },
  { operator: 'Slice', inputs: ['float32[a, b]', ids(0), ids(3), ids(1), ids(0)], gives: /step along axis 1 is 0/ },
  {
    operator: 'Split',
    inputs: ['float32[a, 9]'],
    attributes: { axis: int(-1) },
    gives: ['float32[a, 3]', 'float32[a, 3]', 'float32[a, 3]'],
  },
  {
    operator: 'Split',
    inputs: ['float32[a, 9]'],
    attributes: { axis: int(1), split: ints([4, 5]) },
    opset: 11,
    gives: ['float32[a, 4]', 'float32[a, 5]'],
  },
  {
    operator: 'Split',
    inputs: ['float32[a, b]', ids(4, 5)],
    attributes: { axis: int(1) },
    gives: ['float32[a, 4]', 'float32[a, 5]'],
  },
  { operator: 'Split', inputs: ['float32[a*2]'], gives: ['float32[a]', 'float32[a]'] },
  {
    operator: 'Split',
    inputs: ['float32[7]'],
    attributes: { num_outputs: int(3) },
    opset: 18,
    gives: ['float32[3]', 'float32[3]', 'float32[1]'],
  },
  { operator: 'Split', inputs: ['float32[7]', ids(6)], gives: /sizes \[6\] add up to 6, the dimension is 7/ },
  {
    operator: 'Concat',
    inputs: ['float32[batch, past, 8]', 'float32[batch, sequence, 8]'],
    attributes: { axis: int(1) },
    gives: ['float32[batch, past + sequence, 8]'],
  },
  {
    operator: 'Concat',
    inputs: ['float32[?, 2]', 'float32[batch, 3]'],
    attributes: { axis: int(-1) },
    gives: ['float32[batch, 5]'],
  },
  {
    operator: 'Concat',
    inputs: ['float32[3, 2]', 'float32[4, 3]'],
    attributes: { axis: int(1) },
    gives: /dimensions other than axis 1 differ: \[3, 2\] and \[4, 3\]/,
  },
  {
    operator: 'Concat',
    inputs: ['float32[3]', 'float32[4, 3]'],
    attributes: { axis: int(0) },
    gives: /differ in rank/,
  },
  {
    operator: 'Concat',
    inputs: ['float32', 'float32[3, 2]'],
    attributes: { axis: int(0) },
    gives: ['float32[?, 2]'],
  },
  {
    operator: 'Compress',
    inputs: ['float32[a, b]', 'bool[3]'],
    attributes: { axis: int(1) },
    gives: ['float32[a, ?]'],
  },
  { operator: 'Compress', inputs: ['float32[a, b]', tensorFrom('bool', [1, 0, 1])], gives: ['float32[2]'] },
  { operator: 'NonZero', inputs: ['float32[a, b]'], gives: ['int64[2, ?]'] },
  {
    operator: 'OneHot',
    inputs: ['int64[a, b]', scalar(5), 'float32[2]'],
    attributes: { axis: int(1) },
    gives: ['float32[a, 5, b]'],
  },
  { operator: 'OneHot', inputs: ['int64[a]', scalar(5, 'float32'), 'float32[2]'], gives: ['float32[a, 5]'] },
  {
    operator: 'Pad',
    inputs: ['float32[a, 4]'],
    attributes: { pads: ints([1, 0, 2, -1]) },
    opset: 7,
    gives: ['float32[a + 3, 3]'],
  },
  { operator: 'Pad', inputs: ['float32[a, 4]', ids(1, 2), undefined, ids(-1)], opset: 18, gives: ['float32[a, 7]'] },
  { operator: 'Pad', inputs: ['float32[a, 4]', ids(1, 2)], gives: /needs 4 pads, got 2/ },
  { operator: 'TopK', inputs: ['float32[a, b]', ids(3)], gives: ['float32[a, 3]', 'int64[a, 3]'] },
  {
    operator: 'TopK',
    inputs: ['float32[a, b]'],
    attributes: { k: int(2), axis: int(0) },
    opset: 7,
    gives: ['float32[2, b]', 'int64[2, b]'],
  },
  { operator: 'TopK', inputs: ['float32[a, 2]', ids(3)], gives: /k is 3, but axis 1 of \[a, 2\] is 2/ },

  {
    operator: 'Constant',
    inputs: [],
    attributes: { value: tensorAttribute(tensor('float32', [2, 1], new Float32Array(2))) },
    gives: ['float32[2, 1]'],
  },
  { operator: 'Constant', inputs: [], attributes: { value_int: int(3) }, gives: ['int64[]'] },
  { operator: 'Constant', inputs: [], attributes: { value_ints: ints([3, 4]) }, gives: ['int64[2]'] },
  { operator: 'Constant', inputs: [], attributes: { value_float: float(3) }, gives: ['float32[]'] },
  { operator: 'Constant', inputs: [], attributes: { value_floats: floats([3]) }, gives: ['float32[1]'] },
  { operator: 'Constant', inputs: [], attributes: { value_string: string('a') }, gives: ['string[]'] },
  { operator: 'Constant', inputs: [], attributes: { value_strings: strings(['a', 'b']) }, gives: ['string[2]'] },
  { operator: 'ConstantOfShape', inputs: [ids(2, 3)], gives: ['float32[2, 3]'] },
  {
    operator: 'ConstantOfShape',
    inputs: ['int64[2]'],
    attributes: { value: tensorAttribute(ids(1)) },
    gives: ['int64[?, ?]'],
  },
  { operator: 'EyeLike', inputs: ['float32[a, b]'], attributes: { dtype: int(7) }, gives: ['int64[a, b]'] },
  { operator: 'Range', inputs: [scalar(2), scalar(11), scalar(3)], gives: ['int64[3]'] },
  {
    operator: 'Range',
    inputs: [scalar(0, 'float32'), scalar(1, 'float32'), tensorFrom('float32', 0.25)],
    gives: ['float32[4]'],
  },
  { operator: 'Range', inputs: [scalar(0), 'int64[]', scalar(1)], gives: ['int64[?]'] },
  { operator: 'Shape', inputs: ['float32[a, b, 3]'], gives: ['int64[3]'] },
  {
    operator: 'Shape',
    inputs: ['float32[a, b, 3]'],
    attributes: { start: int(-2), end: int(-1) },
    gives: ['int64[1]'],
  },
  { operator: 'Size', inputs: ['float32[a, b, 3]'], gives: ['int64[]'] },
  ...['Celu', 'Mish', 'ThresholdedRelu'].map((operator) => ({
    operator,
    inputs: ['float32[batch, ?, 3]'],
    gives: ['float32[batch, ?, 3]'],
  })),
  { operator: 'PRelu', inputs: ['float32[a, c, h]', 'float32[c, 1]'], gives: ['float32[a, c, h]'] },
  {
    operator: 'DepthToSpace',
    inputs: ['float32[a, 12, h, 5]'],
    attributes: { blocksize: int(2) },
    gives: ['float32[a, 3, h*2, 10]'],
  },
  {
    operator: 'DepthToSpace',
    inputs: ['float32[a, 10, h, 5]'],
    attributes: { blocksize: int(2) },
    gives: /the number of channels 10 is no multiple of 4/,
  },
  {
    operator: 'DepthToSpace',
    inputs: ['float32[a, 4]'],
    attributes: { blocksize: int(2) },
    gives: /needs 4 dimensions/,
  },
  {
    operator: 'SpaceToDepth',
    inputs: ['float32[a, c, h*2, 10]'],
    attributes: { blocksize: int(2) },
    gives: ['float32[a, c*4, h, 5]'],
  },
  { operator: 'SpaceToDepth', inputs: ['float32[a, 1, 4, 4]'], gives: /blocksize is 0/ },
  {
    operator: 'Resize',
    inputs: ['float32[n, 3, h, 6]', undefined, tensorFrom('float32', [1, 1, 2, 0.5])],
    gives: ['float32[n, 3, h*2, 3]'],
  },
  {
    operator: 'Resize',
    inputs: ['float32[n, 3, h, 6]', undefined, undefined, ids(1, 3, 8, 9)],
    gives: ['float32[1, 3, 8, 9]'],
  },
  { operator: 'Resize', inputs: ['float32[n, 3]', undefined, 'float32[2]'], gives: ['float32[?, ?]'] },
  {
    operator: 'Resize',
    inputs: ['float32[n, 3]', tensorFrom('float32', [1])],
    opset: 10,
    gives: /1 scales or sizes for 2 axes/,
  },
  {
    operator: 'Resize',
    inputs: ['float32[n, 3, 4, 8]', undefined, undefined, ids(6, 6)],
    attributes: { axes: ints([2, 3]), keep_aspect_ratio_policy: string('not_larger') },
    opset: 18,
    gives: ['float32[n, 3, 3, 6]'],
  },
  {
    operator: 'Upsample',
    inputs: ['float32[n, 3, h, w]'],
    attributes: { scales: floats([1, 1, 2, 3]) },
    opset: 7,
    gives: ['float32[n, 3, h*2, w*3]'],
  },
  {
    operator: 'GridSample',
    inputs: ['float32[n, 3, h, w]', 'float32[n, 5, w, 2]'],
    gives: ['float32[n, 3, 5, w]'],
  },
  { operator: 'GridSample', inputs: ['float32[n, 3, h, w]', 'float32'], gives: ['float32[?, ?, ?, ?]'] },
  {
    operator: 'GridSample',
    inputs: ['float32[2, 3, h, w]', 'float32[2, 5, 4, 3]'],
    gives: /a grid for \[2, 3, h, w\] is \[2, …, 2\] with 4 dimensions, got \[2, 5, 4, 3\]/,
  },
  {
    operator: 'RoiAlign',
    inputs: ['float32[n, 3, h, w]', 'float32[r, 4]', 'int64[r]'],
    attributes: { output_height: int(7), output_width: int(5) },
    gives: ['float32[r, 3, 7, 5]'],
  },
  { operator: 'RoiAlign', inputs: ['float32[n, 3, h, w]', 'float32', 'int64[6]'], gives: ['float32[6, 3, 1, 1]'] },
  {
    operator: 'RoiAlign',
    inputs: ['float32[n, 3, h, w]', 'float32[r, 5]', 'int64[r]'],
    gives: /regions need 4 coordinates each, got \[r, 5\]/,
  },
  { operator: 'QuantizeLinear', inputs: ['float32[a, 3]', 'float32[]'], gives: ['uint8[a, 3]'] },
  { operator: 'QuantizeLinear', inputs: ['float32[a, 3]', 'float32[3]', 'int8[3]'], gives: ['int8[a, 3]'] },
  {
    operator: 'QuantizeLinear',
    inputs: ['float32[a, 3]', 'float32[2]', 'int8[2]'],
    gives: /axis 1 has 3 places, the scale 2/,
  },
  {
    operator: 'QuantizeLinear',
    inputs: ['float32[a]', 'float32[]'],
    attributes: { output_dtype: int(3) },
    opset: 21,
    gives: ['int8[a]'],
  },
  { operator: 'DequantizeLinear', inputs: ['int8[a, 3]', 'float16[]'], gives: ['float16[a, 3]'] },
  { operator: 'DynamicQuantizeLinear', inputs: ['float32[a, 3]'], gives: ['uint8[a, 3]', 'float32[]', 'uint8[]'] },
  { operator: 'ReduceSum', inputs: ['float32'], attributes: { keepdims: int(0) }, gives: ['float32[]'] },
  { operator: 'ReduceSum', inputs: ['float32'], gives: ['float32[…]'] },
  { operator: 'NegativeLogLikelihoodLoss', inputs: ['float32[n, c, d]', 'int64[n, d]'], gives: ['float32[]'] },
  {
    operator: 'NegativeLogLikelihoodLoss',
    inputs: ['float32[n, c, d]', 'int64[n, d]'],
    attributes: { reduction: string('none') },
    gives: ['float32[n, d]'],
  },
  { operator: 'SoftmaxCrossEntropyLoss', inputs: ['float32[n, c]', 'int64[n]'], gives: ['float32[]', 'float32[n, c]'] },
  {
    operator: 'SoftmaxCrossEntropyLoss',
    inputs: ['float32[3, c]', 'int64[4]'],
    gives: /labels \[4\] do not fit scores \[3, c\]/,
  },
];

describe('shape rules', () => {
  test.each(ROWS)('$operator of $inputs', (row) => {
    const model = modelOf(row);
    const { gives } = row;
    if (gives instanceof RegExp) expect(() => inferTypes(model)).toThrow(gives);
    else {
      const types = inferTypes(model);
      expect(
        model.graph.outputs.map(({ name }) => {
          const value = types.get(name);
          return value === undefined ? 'nothing' : formatType(value.type);
        }),
      ).toEqual(gives);
    }
  });

  test.each([
    [4, -100, -2],
    [-1, -100, -1],
    [-1, -4, -1],
    [10, -3, -3],
    [-2, -300, -2],
    [3, -2, -1],
  ])(
    'a slice from %s to %s by %s of a symbolic dimension that holds its start has the length that numbers have',
    (start, end, step) => {
      const length = sliceLength('n', start, end, step);
      for (let n = Math.max(1, -start); n < 310; n++) {
        const counted = evaluateDimension(length, { n });
        expect(Math.max(0, counted ?? Number.NaN), `n = ${n}: ${length}`).toBe(sliceLength(n, start, end, step));
      }
    },
  );

  test('every operator has a row; If, Loop and Scan have tests of their own', () => {
    const rows = new Set(ROWS.map(({ operator }) => operator));
    expect(OPERATORS.filter((operator) => !rows.has(operator))).toEqual(['If', 'Loop', 'Scan']);
  });
});
