import { intOf, stringOf } from '../../../graph/index.ts';
import { type AxisRule, input, output } from '../axis-rule.ts';

/** Rows of the first, columns of the second, and what is summed over; the axes in front of matrices broadcast. */
const matMul: AxisRule = ({ inputs, outputs }, ties) => {
  const [a, b] = [inputs[0]!.length, inputs[1]!.length];
  const rank = outputs[0]!.length;
  ties.same(input(0, a - 1), input(1, Math.max(0, b - 2)));
  if (a > 1) ties.same(input(0, a - 2), output(0, rank - (b > 1 ? 2 : 1)));
  if (b > 1) ties.same(input(1, b - 1), output(0, rank - 1));
  const batchEnd = rank - (a > 1 ? 1 : 0) - (b > 1 ? 1 : 0);
  for (const [index, own] of [a, b].entries()) {
    for (let axis = 0; axis < own - 2; axis++) ties.same(input(index, axis), output(0, axis + batchEnd - (own - 2)));
  }
};

const gemm: AxisRule = ({ node, inputs }, ties) => {
  const [rowsOfA, innerOfA] = intOf(node, 'transA', 0) === 1 ? [1, 0] : [0, 1];
  const [innerOfB, columnsOfB] = intOf(node, 'transB', 0) === 1 ? [1, 0] : [0, 1];
  ties.same(input(0, innerOfA), input(1, innerOfB));
  ties.same(input(0, rowsOfA), output(0, 0));
  ties.same(input(1, columnsOfB), output(0, 1));
  const bias = inputs[2];
  for (const axis of bias?.keys() ?? []) ties.same(input(2, axis), output(0, axis + 2 - bias!.length));
};

/** Axes with the same letter are tied; an equation with an ellipsis, or a letter twice in one term, keeps all. */
const einsum: AxisRule = ({ node }, ties) => {
  const equation = stringOf(node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  if (right === undefined || /[^a-zA-Z,>-]/.test(equation)) return;
  if ([...terms, right].some((term) => new Set(term).size !== term.length)) return;
  const places = [
    ...terms.map((term, index) => ({ term, at: (axis: number) => input(index, axis) })),
    { term: right, at: (axis: number) => output(0, axis) },
  ];
  for (const letter of new Set(left.replaceAll(',', ''))) {
    const axes = places.filter(({ term }) => term.includes(letter)).map(({ term, at }) => at(term.indexOf(letter)));
    for (const axis of axes.slice(1)) ties.same(axes[0]!, axis);
    if (axes.length === 1) ties.free(axes[0]!);
  }
};

export const MATRIX = { Einsum: einsum, Gemm: gemm, MatMul: matMul } satisfies Record<string, AxisRule>;
