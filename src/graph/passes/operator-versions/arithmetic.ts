import { int, intOf } from '../../attributes.ts';
import { withInput } from './attributes.ts';
import { first, type History, type Step, same, without } from './step.ts';

/** From the name of an element type to its number. */
const typeNumber: Step = ({ node, refuse }) => {
  const to = node.attributes.get('to');
  if (to?.kind !== 'string') return node;
  const name = new TextDecoder().decode(to.value);
  const code = TYPE_NUMBERS[name];
  if (code === undefined) throw refuse(`to "${name}"`);
  return { ...node, attributes: new Map([...node.attributes, ['to', int(code)]]) };
};

/** Names in TensorProto.DataType. */
const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
};

const transformAxis: Step = (context) => {
  const { node, build } = context;
  return withInput(without('axis')(context), 2, build.scalar(intOf(node, 'axis', 1), 'int64'));
};

/** Products, casts, quantization and transforms. */
export const ARITHMETIC = {
  Cast: { 1: first, 6: typeNumber, 9: same, 13: same, 19: same, 21: same },
  CastLike: { 15: first, 19: same, 21: same },
  ConvInteger: { 10: first },
  DFT: { 17: first, 20: transformAxis },
  DequantizeLinear: { 10: first, 13: same, 19: same, 21: same },
  Det: { 11: first },
  DynamicQuantizeLinear: { 11: first },
  Einsum: { 12: first },
  // The third input broadcast where the attribute said so, to the same shapes as since operator set 7.
  Gemm: { 1: first, 6: same, 7: without('broadcast'), 9: same, 11: same, 13: same },
  MatMul: { 1: first, 9: same, 13: same },
  MatMulInteger: { 10: first },
  QLinearConv: { 10: first },
  QLinearMatMul: { 10: first, 21: same },
  QuantizeLinear: { 10: first, 13: same, 19: same, 21: same },
} satisfies Record<string, History>;
