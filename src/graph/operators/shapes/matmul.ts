import type { DataType } from '../../../base/dtype.ts';
import { LatheError } from '../../../base/errors.ts';
import { describeNode, intOf, stringOf } from '../../attributes.ts';
import { broadcastDimensions, broadcastShapes, differentDimensions, formatShape } from '../../dimension.ts';
import type { Dimension, Shape, TensorType } from '../../ir.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import { expectRank, inferredTensor, shapeError } from './inferred.ts';

/** [..., rows, inner] by [..., inner, columns]; a vector is a row on the left, a column on the right. */
const matMul: ShapeRule = (context) => {
  const dtype = context.input(0)?.dtype ?? context.input(1)?.dtype;
  return dtype === undefined ? [undefined] : [product(context, dtype)];
};

/** The same of integers of 8 bits. */
const matMulInteger: ShapeRule = (context) => [product(context, 'int32')];

function product(context: ShapeContext, dtype: DataType): InferredValue {
  const a = context.input(0);
  const b = context.input(1);
  if (a?.shape === undefined || b?.shape === undefined) return inferredTensor(dtype, undefined);
  if (a.shape.length === 0 || b.shape.length === 0) {
    throw shapeError(
      context,
      `inputs need at least 1 dimension, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  if (differentDimensions(left.at(-1)!, right.at(-2)!)) {
    throw shapeError(context, `inner dimensions differ: ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)]);
  if (batch === undefined) {
    throw shapeError(context, `batch dimensions do not broadcast: ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  const rows = a.shape.length === 1 ? [] : [left.at(-2)!];
  const columns = b.shape.length === 1 ? [] : [right.at(-1)!];
  return inferredTensor(dtype, [...batch, ...rows, ...columns]);
}

const gemm: ShapeRule = (context) => {
  const { node, input } = context;
  const a = input(0);
  const b = input(1);
  const c = input(2);
  const dtype = a?.dtype ?? b?.dtype ?? c?.dtype;
  if (dtype === undefined) return [undefined];
  expectRank(context, a, 2, 0);
  expectRank(context, b, 2, 1);
  const [rows, inner] = oriented(a, intOf(node, 'transA', 0) !== 0);
  const [innerOfB, columns] = oriented(b, intOf(node, 'transB', 0) !== 0);
  if (differentDimensions(inner, innerOfB)) {
    const turned = (type: TensorType | undefined, attribute: string): string =>
      `${formatShape(type?.shape)}${intOf(node, attribute, 0) === 0 ? '' : ' transposed'}`;
    throw shapeError(context, `inner dimensions differ: ${turned(a, 'transA')} and ${turned(b, 'transB')}`);
  }
  const shape = [rows, columns];
  if (c?.shape !== undefined && (c.shape.length > 2 || !fitsInto(c.shape, shape))) {
    throw shapeError(
      context,
      `input "${node.inputs[2]}" ${formatShape(c.shape)} does not broadcast to ${formatShape(shape)}`,
    );
  }
  return [inferredTensor(dtype, shape)];
};

function oriented(type: TensorType | undefined, transposed: boolean): readonly [Dimension, Dimension] {
  const [first = null, second = null] = type?.shape ?? [];
  return transposed ? [second, first] : [first, second];
}

function fitsInto(shape: Shape, target: Shape): boolean {
  return shape.every((dim, index) => {
    const other = target[target.length - shape.length + index]!;
    return dim === 1 || !differentDimensions(dim, other);
  });
}

/** Labels of an equation: `...` stands for any number of broadcast axes; without an arrow, labels seen once, sorted. */
const einsum: ShapeRule = (context) => {
  const { node } = context;
  const equation = (stringOf(node, 'equation') ?? '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  if (equation === '' || terms.length !== node.inputs.length) {
    throw new LatheError(
      'invalid-model',
      `${describeNode(node)}: equation "${equation}" has ${terms.length} terms for ${node.inputs.length} inputs`,
    );
  }
  const types = node.inputs.map((_, index) => context.input(index));
  const dtype = types.find((type) => type !== undefined)?.dtype;
  if (dtype === undefined) return [undefined];
  const dims = new Map<string, Dimension>();
  let ellipsis: Shape | undefined = [];
  for (const [index, term] of terms.entries()) {
    const labels = term.replace('...', '');
    const shape = types[index]?.shape;
    if (shape === undefined) {
      if (labels !== term) ellipsis = undefined;
      for (const label of labels) setLabel(context, dims, label, null);
      continue;
    }
    const hidden = labels === term ? 0 : shape.length - labels.length;
    if (hidden < 0 || labels.length + hidden !== shape.length) {
      throw shapeError(
        context,
        `term "${term}" of "${equation}" does not fit input "${node.inputs[index]}" ${formatShape(shape)}`,
      );
    }
    const at = labels === term ? 0 : term.indexOf('...');
    for (const [position, label] of [...labels].entries()) {
      setLabel(context, dims, label, shape[position < at || hidden === 0 ? position : position + hidden]!);
    }
    if (ellipsis !== undefined && labels !== term) {
      const merged = broadcastShapes([ellipsis, shape.slice(at, at + hidden)]);
      if (merged === undefined) throw shapeError(context, `the axes of "..." in "${equation}" do not broadcast`);
      ellipsis = merged;
    }
  }
  const output = right ?? implicitOutput(left);
  const labels = output.replace('...', '');
  const shape: Dimension[] = [];
  for (const label of labels) {
    const dim = dims.get(label);
    if (dim === undefined) {
      throw new LatheError('invalid-model', `${describeNode(node)}: label "${label}" of "${equation}" is in no input`);
    }
    shape.push(dim);
  }
  if (labels === output) return [inferredTensor(dtype, shape)];
  if (ellipsis === undefined) return [inferredTensor(dtype, undefined)];
  shape.splice(output.indexOf('...'), 0, ...ellipsis);
  return [inferredTensor(dtype, shape)];
};

function setLabel(context: ShapeContext, dims: Map<string, Dimension>, label: string, dim: Dimension): void {
  const known = dims.get(label);
  const merged = known === undefined ? dim : broadcastDimensions(known, dim);
  if (merged === undefined) throw shapeError(context, `label "${label}" stands for both ${known} and ${dim}`);
  dims.set(label, merged);
}

function implicitOutput(terms: string): string {
  const counts = new Map<string, number>();
  for (const label of terms.replace(/[.,]/g, '')) counts.set(label, (counts.get(label) ?? 0) + 1);
  const once = [...counts].filter(([, count]) => count === 1).map(([label]) => label);
  return (terms.includes('...') ? '...' : '') + once.sort().join('');
}

export const MATMUL = {
  Einsum: einsum,
  Gemm: gemm,
  MatMul: matMul,
  MatMulInteger: matMulInteger,
} satisfies Record<string, ShapeRule>;
