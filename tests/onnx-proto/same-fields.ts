import { type DescField, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';

/**
 * A message in a form that is the same for two encodings that say the same: decoded by generated code, empty values
 * that might as well be left out removed, and encoded again.
 */
export function canonicalBytes(schema: DescMessage, bytes: Uint8Array): Uint8Array {
  const message = fromBinary(schema, bytes);
  canonicalize(reflect(schema, message));
  return toBinary(schema, message);
}

/** Where Lathe's model cannot tell an empty value from none: names, domains, types and versions that are always there. */
const ALWAYS_THERE: ReadonlySet<string> = new Set([
  'onnx.NodeProto.name',
  'onnx.NodeProto.op_type',
  'onnx.NodeProto.domain',
  'onnx.GraphProto.name',
  'onnx.ValueInfoProto.name',
  'onnx.AttributeProto.name',
  'onnx.AttributeProto.ref_attr_name',
  'onnx.OperatorSetIdProto.domain',
  'onnx.FunctionProto.name',
  'onnx.FunctionProto.domain',
  'onnx.TensorAnnotation.tensor_name',
  'onnx.StringStringEntryProto.key',
  'onnx.StringStringEntryProto.value',
  'onnx.TensorShapeProto.Dimension.denotation',
  'onnx.TypeProto.Tensor.elem_type',
  'onnx.TensorProto.data_type',
  'onnx.AttributeProto.type',
]);

function canonicalize(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (field.fieldKind === 'message' && message.isSet(field)) canonicalize(message.get(field));
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const item of message.get(field)) canonicalize(item as ReflectMessage);
    } else if (isNothing(message, field)) message.clear(field);
  }
}

function isNothing(message: ReflectMessage, field: DescField): boolean {
  if (!ALWAYS_THERE.has(`${field.parent.typeName}.${field.name}`) || !message.isSet(field)) return false;
  const value: unknown = message.get(field);
  return value === '' || value === 0 || (field.name === 'domain' && value === 'ai.onnx');
}
