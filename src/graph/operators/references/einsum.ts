import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf, stridesOf } from '../../../base/shape.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required, sameTypes } from './inputs.ts';
import { strided } from './positions.ts';

export const EINSUM = { Einsum: einsum } satisfies Record<string, Reference>;

/** Σ over the labels that the result lacks of the product of all operands, each read through the strides of its labels. */
function einsum(context: ReferenceContext): readonly Tensor[] {
  const values = context.inputs.map((_, index) => required(context, index));
  sameTypes(values);
  const { terms, result } = parseEquation(
    stringOf(context.node, 'equation', ''),
    values.map(({ dims }) => dims.length),
  );
  const sizes = new Map<string, number>();
  values.forEach(({ dims }, operand) => {
    terms[operand]!.forEach((label, axis) => {
      const known = sizes.get(label) ?? 1;
      const dim = dims[axis]!;
      if (known !== 1 && dim !== 1 && known !== dim)
        throw new LatheError('shape', `label "${label}" is ${known} in one place and ${dim} in ${formatDims(dims)}`);
      if (known === 1) sizes.set(label, dim);
    });
  });
  const summed = [...sizes.keys()].filter((label) => !result.includes(label));
  const dims = result.map((label) => sizes.get(label)!);
  // A label that an operand repeats walks its diagonal: the strides add up. A dimension of 1 is repeated.
  const views = values.map((value, operand) => {
    const strides = new Map<string, number>();
    const own = stridesOf(value.dims);
    terms[operand]!.forEach((label, axis) => {
      strides.set(label, (strides.get(label) ?? 0) + (value.dims[axis] === 1 ? 0 : own[axis]!));
    });
    const positions = (labels: readonly string[]): Int32Array =>
      strided(
        labels.map((label) => sizes.get(label)!),
        labels.map((label) => strides.get(label) ?? 0),
      );
    return { starts: positions(result), offsets: positions(summed) };
  });
  const dtype = values[0]!.dtype as Exclude<DataType, 'string'>;
  const size = sizeOf(dims);
  const terminal = sizeOf(summed.map((label) => sizes.get(label)!));
  if (isInteger(dtype)) {
    const lists = values.map(integersOf);
    const out = Array.from({ length: size }, (_, to) => {
      let total = 0n;
      for (let k = 0; k < terminal; k++)
        total += views.reduce(
          (product, { starts, offsets }, operand) => product * lists[operand]![starts[to]! + offsets[k]!]!,
          1n,
        );
      return total;
    });
    return [fromIntegers(dtype, dims, out)];
  }
  const lists = values.map(float64Of);
  const out = new Float64Array(size);
  for (let to = 0; to < size; to++) {
    let total = 0;
    for (let k = 0; k < terminal; k++) {
      let product = 1;
      for (let operand = 0; operand < lists.length; operand++) {
        const { starts, offsets } = views[operand]!;
        product *= lists[operand]![starts[to]! + offsets[k]!]!;
      }
      total += product;
    }
    out[to] = total;
  }
  return [fromFloat64(dtype, dims, out)];
}

export interface Equation {
  /** The labels of each operand, an axis each; the axes of an ellipsis are labelled "0", "1", … counted from the right. */
  readonly terms: readonly (readonly string[])[];
  readonly result: readonly string[];
}

/**
 * Splits an einsum equation ("bij,bjk->bik"), given the ranks of its operands. Without "->" the result has the
 * ellipsis's axes, then the labels that appear once, in alphabetical order.
 */
export function parseEquation(equation: string, ranks: readonly number[]): Equation {
  const wrong = (why: string): LatheError => new LatheError('invalid-model', `equation "${equation}": ${why}`);
  const [left, right, ...more] = equation.replaceAll(/\s/g, '').split('->');
  if (left === undefined || more.length > 0) throw wrong('expected one "->" at most');
  const written = left.split(',');
  if (written.length !== ranks.length) throw wrong(`${written.length} terms for ${ranks.length} operands`);
  let widest = 0;
  const expand = (term: string, rank: number | undefined): string[] => {
    const parts = term.split('...');
    if (parts.length > 2 || !/^[A-Za-z]*$/.test(parts.join(''))) throw wrong(`"${term}" is not a list of letters`);
    const [before, after] = parts as [string, string | undefined];
    if (after === undefined) {
      if (rank !== undefined && before.length !== rank) throw wrong(`"${term}" does not fit ${rank} dimensions`);
      return [...before];
    }
    const hidden = rank === undefined ? widest : rank - before.length - after.length;
    if (hidden < 0) throw wrong(`"${term}" does not fit ${rank} dimensions`);
    widest = Math.max(widest, hidden);
    return [...before, ...Array.from({ length: hidden }, (_, index) => String(hidden - 1 - index)), ...after];
  };
  const terms = written.map((term, operand) => expand(term, ranks[operand]!));
  if (right !== undefined) {
    const result = expand(right, undefined);
    if (widest > 0 && !right.includes('...')) throw wrong('the result leaves out the axes of the ellipsis');
    const known = new Set(terms.flat());
    for (const label of result) if (!known.has(label)) throw wrong(`"${label}" of the result is in no operand`);
    if (new Set(result).size !== result.length) throw wrong('the result repeats a label');
    return { terms, result };
  }
  const counts = new Map<string, number>();
  for (const label of terms.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const hidden = Array.from({ length: widest }, (_, index) => String(widest - 1 - index));
  const single = [...counts].filter(([label, count]) => count === 1 && /[A-Za-z]/.test(label)).map(([label]) => label);
  return { terms, result: [...hidden, ...single.sort()] };
}
