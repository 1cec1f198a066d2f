import { string, stringOf, type Value } from '../../graph/index.ts';
import { sumTo } from '../broadcast.ts';
import { type GradientContext, rule } from '../rule.ts';
import { shapeValue } from '../shapes.ts';

/**
 * The gradient of an operand is the sum of products of the output's gradient with the other operands, down to the
 * labels of that operand. Labels that only this operand has were summed over: the gradient repeats along them.
 */
export const einsum = rule((context) => {
  const { build, node } = context;
  const equation = stringOf(node, 'equation', '').replaceAll(' ', '');
  if (equation.includes('...')) {
    throw context.unsupported('the equation has an ellipsis', 'Write its axes as labels.');
  }
  const [operands, output] = split(equation);
  return node.inputs.map((input, index) => {
    if (!context.needs(index)) return undefined;
    const labels = operands[index]!;
    if (new Set(labels).size !== labels.length) {
      throw context.unsupported(`the operand "${labels}" repeats a label`, 'Take the diagonal with another operator.');
    }
    const others = operands.filter((_, other) => other !== index);
    const present = [...labels].filter((label) => output.includes(label) || others.some((o) => o.includes(label)));
    const summed = build.op(
      'Einsum',
      [context.outputGradient(0), ...node.inputs.filter((_, other) => other !== index)],
      { equation: string(`${[output, ...others].join(',')}->${present.join('')}`) },
    );
    return restoreAxes(context, summed, labels, present, input);
  });
});

function restoreAxes(
  context: GradientContext,
  summed: Value,
  labels: string,
  present: readonly string[],
  input: Value,
): Value {
  const { build } = context;
  const absent = [...labels].flatMap((label, axis) => (present.includes(label) ? [] : [axis]));
  if (absent.length > 0) {
    return build.expand(build.unsqueeze(summed, absent), shapeValue(context, input));
  }
  // An axis of one element broadcasts against the same label elsewhere.
  const shape = context.shapeOf(input);
  if (!shape.includes(1)) return summed;
  const repeated = shape.map((dim) => (dim === 1 ? null : dim));
  return sumTo(context, summed, { value: summed, shape: repeated }, { value: input, shape });
}

function split(equation: string): readonly [readonly string[], string] {
  const [left, right] = equation.split('->');
  const operands = left!.split(',');
  if (right !== undefined) return [operands, right];
  // Without an arrow, the output has the labels that occur once, in alphabetical order.
  const all = [...operands.join('')];
  const once = all.filter((label) => all.indexOf(label) === all.lastIndexOf(label));
  return [operands, once.sort().join('')];
}
