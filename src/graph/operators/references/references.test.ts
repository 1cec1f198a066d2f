import { describe, expect, test } from 'vitest';
import { type Tensor, tensor, tensorFrom } from '../../../base/tensor.ts';
import { float, int, ints, string } from '../../attributes.ts';
import type { Attribute } from '../../ir.ts';
import { OPERATORS } from '../names.ts';
import { REFERENCES, runReference } from '../references.ts';
import { parseEquation } from './einsum.ts';
import { erf, erfc } from './error-function.ts';

const vector = (...values: number[]): Tensor => tensorFrom('float32', values);
const longs = (...values: number[]): Tensor => tensorFrom('int64', values);
const square = tensorFrom('float32', [1, 2, 3, 4], [2, 2]);

function run(
  opType: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Readonly<Record<string, Attribute>> = {},
  opset = 17,
): readonly Tensor[] {
  const names = inputs.map((value, index) => (value === undefined ? '' : `in${index}`));
  const node = {
    opType,
    domain: '',
    name: 'n',
    inputs: names,
    outputs: ['out'],
    attributes: new Map(Object.entries(attributes)),
  };
  return runReference({
    node,
    opset,
    inputs,
    evaluate: () => {
      throw new Error('no subgraph here');
    },
  });
}

test('there is a reference for every operator, and for nothing else', () => {
  expect(Object.keys(REFERENCES).sort()).toEqual([...OPERATORS].sort());
});

describe('refusals name the node and say what is wrong', () => {
  test.each<[string, string, readonly (Tensor | undefined)[], Readonly<Record<string, Attribute>>, string]>([
    ['random numbers', 'Dropout', [vector(1), vector(0.5), tensorFrom('bool', 1)], {}, 'training mode with ratio 0.5'],
    ['division by zero', 'Div', [longs(1), longs(0)], {}, 'integer division by zero'],
    ['remainder of zero', 'Mod', [longs(1), longs(0)], {}, 'integer division by zero'],
    ['0 to a negative power', 'Pow', [longs(0), longs(-1)], {}, '0 to a negative power'],
    ['mod of floats', 'Mod', [vector(1), vector(2)], {}, 'float32 needs attribute "fmod" = 1, got 0'],
    ['types that differ', 'Add', [vector(1), longs(1)], {}, 'expected inputs of one data type, got float32 and int64'],
    ['a type out of place', 'Exp', [longs(1)], {}, 'the operator is not defined for int64'],
    [
      'strings in arithmetic',
      'Neg',
      [tensor('string', [1], ['a'])],
      {},
      'expected a tensor of real numbers, got string',
    ],
    ['numbers in logic', 'And', [vector(1), vector(1)], {}, 'expected inputs of type bool, got float32'],
    ['a condition of numbers', 'Where', [vector(1), vector(1), vector(1)], {}, 'condition: expected bool, got float32'],
    ['shapes that do not broadcast', 'Add', [vector(1, 2), vector(1, 2, 3)], {}, 'do not broadcast: [2] and [3]'],
    ['matrices that do not fit', 'MatMul', [square, vector(1, 2, 3)], {}, 'do not multiply: [2, 2] and [3]'],
    ['a scalar in a product', 'MatMul', [square, tensorFrom('float32', 1)], {}, 'do not multiply: [2, 2] and []'],
    [
      'C that is too large',
      'Gemm',
      [square, square, tensorFrom('float32', [1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2])],
      {},
      'C [2, 2, 2] does not broadcast to [2, 2]',
    ],
    ['an axis outside', 'ReduceSum', [square, longs(2)], {}, 'expected an axis in [-2, 2), got 2'],
    ['the largest of nothing', 'ArgMax', [tensorFrom('float32', [], [2, 0])], { axis: int(1) }, 'axis 1 is empty'],
    [
      'the largest integer of nothing',
      'ReduceMax',
      [tensorFrom('int64', [], [1, 0])],
      {},
      'no result for an empty reduction',
    ],
    ['a shape that does not fit', 'Reshape', [square, longs(3, -1)], {}, '[2, 2] does not reshape to [3, -1]'],
    ['a copied dimension that is not there', 'Reshape', [square, longs(4, 1, 0)], {}, '0 at axis 2 copies nothing'],
    ['two open dimensions', 'Reshape', [square, longs(-1, -1)], {}, 'does not reshape'],
    [
      'an open dimension beside 0',
      'Reshape',
      [tensorFrom('float32', [], [0, 2]), longs(0, -1)],
      {},
      'does not reshape',
    ],
    ['a squeeze of more than 1', 'Squeeze', [square, longs(0)], {}, 'axis 0 of [2, 2] is not 1'],
    ['an axis twice', 'Unsqueeze', [square, longs(0, 0)], {}, 'axes [0, 0] name an axis twice'],
    ['a step of 0', 'Slice', [vector(1), longs(0), longs(1), longs(0), longs(0)], {}, 'axis 0: the step is 0'],
    [
      'parts that do not add up',
      'Split',
      [vector(1, 2, 3), longs(1, 1)],
      {},
      'split [1, 1] does not add up to dimension 3',
    ],
    [
      'inputs that differ beside the axis',
      'Concat',
      [square, tensorFrom('float32', [1], [1, 1])],
      { axis: int(1) },
      'inputs differ beside axis 1: [2, 2] and [1, 1]',
    ],
    ['a permutation that repeats', 'Transpose', [square], { perm: ints([0, 0]) }, 'perm [0, 0] does not fit [2, 2]'],
    ['pads that do not fit', 'Pad', [square, longs(1, 1)], {}, 'expected 4 pads, got 2'],
    ['pads that remove too much', 'Pad', [square, longs(-3, 0, 0, 0)], {}, 'remove more than [2, 2] has'],
    ['a mode that is not there', 'Pad', [vector(1), longs(1, 1)], { mode: string('mirror') }, 'mode "mirror"'],
    ['an index outside', 'Gather', [vector(1, 2), longs(2)], {}, 'index 2 is outside [-2, 2)'],
    [
      'updates that do not fit',
      'ScatterElements',
      [vector(1, 2), longs(0, 1), vector(1)],
      {},
      'updates [1] and indices [2] differ',
    ],
    [
      'a reduction that is not there',
      'ScatterND',
      [vector(1), tensorFrom('int64', [0], [1, 1]), vector(1)],
      { reduction: string('sum') },
      'attribute "reduction" is "sum"',
    ],
    ['more than there is', 'TopK', [vector(1), longs(2)], {}, 'k = 2 is more than axis 0 of [1] has'],
    ['a label outside', 'NegativeLogLikelihoodLoss', [square, longs(0, 2)], {}, 'label 2 is outside [0, 2)'],
    [
      'a target that does not fit',
      'SoftmaxCrossEntropyLoss',
      [square, longs(0)],
      {},
      'scores [2, 2] and target [1] do not fit',
    ],
    [
      'weights that do not fit',
      'SoftmaxCrossEntropyLoss',
      [square, longs(0, 1), vector(1)],
      {},
      'expected 2 weights, got 1',
    ],
    ['text that is no number', 'Cast', [tensor('string', [1], ['ten'])], { to: int(1) }, '"ten" is not a number'],
    [
      'complex numbers',
      'Cast',
      [tensor('complex64', [1], new Float32Array(2))],
      { to: int(1) },
      'no cast from complex64 to float32',
    ],
    ['no data type', 'Cast', [vector(1)], { to: int(99) }, 'attribute "to" names no data type'],
    ['a step of 0 in a range', 'Range', [longs(0), longs(1), longs(0)], {}, 'delta is 0'],
    [
      'an attribute of another kind',
      'Elu',
      [vector(1)],
      { alpha: int(1) },
      'attribute "alpha" should be float, got int',
    ],
    [
      'an approximation that is not there',
      'Gelu',
      [vector(1)],
      { approximate: string('fast') },
      'expected "none" or "tanh", got "fast"',
    ],
  ])('%s', (_, opType, inputs, attributes, message) => {
    expect(() => run(opType, inputs, attributes)).toThrow(message);
    expect(() => run(opType, inputs, attributes)).toThrow(`${opType} "n": `);
  });
});

test('operator sets before 7 said how operands broadcast', () => {
  const column = run('Add', [square, vector(10, 20)], { broadcast: int(1), axis: int(0) }, 6);
  expect(column).toEqual([tensorFrom('float32', [11, 12, 23, 24], [2, 2])]);
  expect(run('Add', [square, vector(10, 20)], { broadcast: int(1) }, 6)[0]!.data).toEqual(
    Float32Array.of(11, 22, 13, 24),
  );
});

test('float32 results are rounded once, from float64', () => {
  // In float32 throughout, 1e8 + 1 is 1e8 already after the first step.
  expect(run('ReduceSum', [vector(1e8, 1, -1e8)])).toEqual([tensorFrom('float32', [1], [1])]);
  expect(run('Elu', [vector(-1)], { alpha: float(1) })[0]!.data).toEqual(Float32Array.of(Math.expm1(-1)));
});

test('labels that are ignored need not be labels; a mean over none is not a number', () => {
  const ignored = { ignore_index: int(-100) };
  expect(run('NegativeLogLikelihoodLoss', [square, longs(-100, 1)], ignored)).toEqual([tensorFrom('float32', -4)]);
  expect(run('NegativeLogLikelihoodLoss', [square, longs(-100, -100)], ignored)).toEqual([tensorFrom('float32', NaN)]);
});

describe('einsum equations', () => {
  test('the axes of an ellipsis are counted from the right, so that they broadcast', () => {
    expect(parseEquation('...ij,...jk->...ik', [4, 3])).toEqual({
      terms: [
        ['1', '0', 'i', 'j'],
        ['0', 'j', 'k'],
      ],
      result: ['1', '0', 'i', 'k'],
    });
  });

  test('without a result: the ellipsis, then what appears once, in order', () => {
    expect(parseEquation('b...a,ca', [3, 2]).result).toEqual(['0', 'b', 'c']);
  });

  test.each([
    ['ij->i->j', [2], 'expected one "->" at most'],
    ['ij,jk', [2], '2 terms for 1 operands'],
    ['ij', [3], '"ij" does not fit 3 dimensions'],
    ['i...jk', [2], '"i...jk" does not fit 2 dimensions'],
    ['i1->i', [2], '"i1" is not a list of letters'],
    ['ij->ik', [2], '"k" of the result is in no operand'],
    ['ij->ii', [2], 'the result repeats a label'],
    ['...i->i', [2], 'the result leaves out the axes of the ellipsis'],
  ])('%s of ranks %s', (equation, ranks, message) => {
    expect(() => parseEquation(equation, ranks)).toThrow(message);
  });

  test('sizes that differ name the label', () => {
    expect(() =>
      run('Einsum', [square, tensorFrom('float32', [1, 2, 3], [3, 1])], { equation: string('ij,jk') }),
    ).toThrow('label "j" is 2 in one place and 3 in [3, 1]');
  });
});

test.each([
  // math.erf and math.erfc of Python (glibc)
  [0.1, 0.1124629160182849, 0.8875370839817152],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1, 0.8427007929497149, 0.15729920705028513],
  [2, 0.9953222650189527, 0.004677734981047265],
  [2.49, 0.9995707121322661, 0.000429287867733913],
  [3, 0.9999779095030014, 2.2090496998585438e-5],
  [6, 1, 2.1519736712498916e-17],
  [10, 1, 2.088487583762545e-45],
])('erf(%s)', (x, value, complement) => {
  expect(Math.abs(erf(x) / value - 1)).toBeLessThanOrEqual(4e-16);
  expect(erf(-x)).toBe(-erf(x));
  // Below 2.5 the complement is a difference from 1.
  expect(Math.abs(erfc(x) - complement)).toBeLessThanOrEqual(x < 2.5 ? 4e-16 : 1e-15 * complement);
  expect(erfc(-x)).toBe(1 + erf(x));
});

test('erf at its ends', () => {
  expect([erf(Infinity), erf(-Infinity), erfc(30), erfc(-30)]).toEqual([1, -1, 0, 2]);
  expect(erf(NaN)).toBeNaN();
  expect(erf(-0)).toBe(-0);
});

test('several operands are summed in float64, and rounded at the end', () => {
  expect(run('Sum', [vector(1e8), vector(1), vector(-1e8)])).toEqual([vector(1)]);
  expect(run('Mean', [vector(1e8), vector(1), vector(-1e8)])).toEqual([vector(1 / 3)]);
});

test('the mask of Dropout has the type of the data before operator set 10', () => {
  expect(run('Dropout', [vector(3, 4)], {}, 7)).toEqual([vector(3, 4), vector(1, 1)]);
  expect(run('Dropout', [vector(3, 4)], {}, 10)[1]).toEqual(tensorFrom('bool', [1, 1]));
});

test('the logarithm of a sum of exponentials is as large as its largest term', () => {
  expect(run('ReduceLogSumExp', [vector(Infinity, 1)])).toEqual([vector(Infinity)]);
  expect(run('ReduceLogSumExp', [vector(-Infinity, -Infinity)])).toEqual([vector(-Infinity)]);
  expect(run('ReduceLogSumExp', [vector(NaN, 1)])).toEqual([vector(NaN)]);
});

test('64-bit integers are rounded once on their way to float32', () => {
  const values = [2n ** 60n + 2n ** 36n + 1n, 2n ** 60n + 2n ** 36n, -(2n ** 60n) - 2n ** 36n - 1n, 2n ** 53n + 1n];
  const cast = run('Cast', [tensor('int64', [4], BigInt64Array.from(values))], { to: int(1) })[0]!;
  expect(Array.from(cast.data as Float32Array)).toEqual([2 ** 60 + 2 ** 37, 2 ** 60, -(2 ** 60) - 2 ** 37, 2 ** 53]);
});
