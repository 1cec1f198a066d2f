import { type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor, tensor, tensorFrom } from '../../../base/tensor.ts';
import { floatOf, floatsOf, intOf, stringOf, stringsOf, tensorValueOf } from '../../attributes.ts';
import { denseOf } from '../../sparse.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required, sameTypes } from './inputs.ts';
import { take } from './take.ts';

type NumericType = Exclude<DataType, 'string'>;

export const GENERATOR = {
  Constant: constant,
  ConstantOfShape: (context) => {
    const dims = numbersOf(required(context, 0));
    const value = tensorValueOf(context.node, 'value') ?? tensorFrom('float32', [0]);
    return [take(value, new Int32Array(sizeOf(dims)), dims)];
  },
  EyeLike: eyeLike,
  Range: range,
} satisfies Record<string, Reference>;

function constant({ node }: ReferenceContext): readonly Tensor[] {
  const [name, attribute] = [...node.attributes][0] ?? [];
  if (attribute === undefined) throw new LatheError('invalid-model', 'the value is missing');
  switch (attribute.kind) {
    case 'tensor':
      return [tensorValueOf(node, name!)!];
    case 'float':
      return [tensorFrom('float32', floatOf(node, name!, 0))];
    case 'floats':
      return [tensorFrom('float32', floatsOf(node, name!)!)];
    case 'int':
      return [fromIntegers('int64', [], [BigInt(attribute.value)])];
    case 'ints':
      return [fromIntegers('int64', [attribute.value.length], attribute.value.map(BigInt))];
    case 'string':
      return [tensor('string', [], [stringOf(node, name!, '')])];
    case 'strings':
      return [tensor('string', [attribute.value.length], stringsOf(node, name!)!)];
    case 'sparseTensor':
      return [denseOf(attribute.value)];
    default:
      throw new LatheError('unsupported', `attribute "${name}" is of kind ${attribute.kind}`);
  }
}

function eyeLike(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const [rows, columns] = x.dims;
  if (x.dims.length !== 2) throw new LatheError('shape', `expected a matrix, got ${formatDims(x.dims)}`);
  const code = intOf(context.node, 'dtype');
  const dtype = code === undefined ? x.dtype : dataTypeOf(code);
  if (dtype === undefined || dtype === 'string') throw new LatheError('unsupported', `a matrix of type ${code}`);
  const diagonal = intOf(context.node, 'k', 0);
  const out = new Float64Array(rows! * columns!);
  for (let row = Math.max(0, -diagonal); row < rows! && row + diagonal < columns!; row++)
    out[row * columns! + row + diagonal] = 1;
  return [fromFloat64(dtype, x.dims, out)];
}

/** max(0, ⌈(limit − start) / delta⌉) numbers. */
function range(context: ReferenceContext): readonly Tensor[] {
  const bounds = [required(context, 0), required(context, 1), required(context, 2)];
  sameTypes(bounds);
  const dtype = bounds[0]!.dtype as NumericType;
  if (isInteger(dtype)) {
    const [start, limit, delta] = bounds.map((bound) => integersOf(bound)[0]!) as [bigint, bigint, bigint];
    if (delta === 0n) throw new LatheError('invalid-data', 'delta is 0');
    const out: bigint[] = [];
    for (let value = start; delta > 0n ? value < limit : value > limit; value += delta) out.push(value);
    return [fromIntegers(dtype, [out.length], out)];
  }
  const [start, limit, delta] = bounds.map((bound) => float64Of(bound)[0]!) as [number, number, number];
  if (delta === 0) throw new LatheError('invalid-data', 'delta is 0');
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  const out = Float64Array.from({ length: count }, (_, index) => start + index * delta);
  return [fromFloat64(dtype, [count], out)];
}
