/**
 * The fields of onnx.proto, as protobuf tags (number and wire type), a table a message. `proto/onnx.proto` is the
 * source; a test holds these tables to it.
 */
const varint = (number: number): number => number << 3;
const fixed64 = (number: number): number => (number << 3) | 1;
/** Strings, bytes, messages, and numbers in packed form. */
const delimited = (number: number): number => (number << 3) | 2;
const fixed32 = (number: number): number => (number << 3) | 5;

/** `configuration` (devices, field 26) is kept as it is, among the unknown fields. */
export const MODEL = {
  irVersion: varint(1),
  producerName: delimited(2),
  producerVersion: delimited(3),
  domain: delimited(4),
  modelVersion: varint(5),
  docString: delimited(6),
  graph: delimited(7),
  opsetImport: delimited(8),
  metadataProps: delimited(14),
  trainingInfo: delimited(20),
  functions: delimited(25),
} as const;

export const OPERATOR_SET = { domain: delimited(1), version: varint(2) } as const;

export const GRAPH = {
  node: delimited(1),
  name: delimited(2),
  initializer: delimited(5),
  docString: delimited(10),
  input: delimited(11),
  output: delimited(12),
  valueInfo: delimited(13),
  quantizationAnnotation: delimited(14),
  sparseInitializer: delimited(15),
  metadataProps: delimited(16),
} as const;

/** `device_configurations` (field 10) is kept as it is, among the unknown fields. */
export const NODE = {
  input: delimited(1),
  output: delimited(2),
  name: delimited(3),
  opType: delimited(4),
  attribute: delimited(5),
  docString: delimited(6),
  domain: delimited(7),
  overload: delimited(8),
  metadataProps: delimited(9),
} as const;

export const ATTRIBUTE = {
  name: delimited(1),
  f: fixed32(2),
  i: varint(3),
  s: delimited(4),
  t: delimited(5),
  g: delimited(6),
  floats: fixed32(7),
  packedFloats: delimited(7),
  ints: varint(8),
  packedInts: delimited(8),
  strings: delimited(9),
  tensors: delimited(10),
  graphs: delimited(11),
  docString: delimited(13),
  tp: delimited(14),
  typeProtos: delimited(15),
  type: varint(20),
  refAttrName: delimited(21),
  sparseTensor: delimited(22),
  sparseTensors: delimited(23),
} as const;

export const TENSOR = {
  dims: varint(1),
  packedDims: delimited(1),
  dataType: varint(2),
  segment: delimited(3),
  floatData: fixed32(4),
  packedFloatData: delimited(4),
  int32Data: varint(5),
  packedInt32Data: delimited(5),
  stringData: delimited(6),
  int64Data: varint(7),
  packedInt64Data: delimited(7),
  name: delimited(8),
  rawData: delimited(9),
  doubleData: fixed64(10),
  packedDoubleData: delimited(10),
  uint64Data: varint(11),
  packedUint64Data: delimited(11),
  docString: delimited(12),
  externalData: delimited(13),
  dataLocation: varint(14),
  metadataProps: delimited(16),
} as const;

export const SEGMENT = { begin: varint(1), end: varint(2) } as const;

export const SPARSE_TENSOR = {
  values: delimited(1),
  indices: delimited(2),
  dims: varint(3),
  packedDims: delimited(3),
} as const;

export const VALUE_INFO = {
  name: delimited(1),
  type: delimited(2),
  docString: delimited(3),
  metadataProps: delimited(4),
} as const;

export const TYPE = {
  tensorType: delimited(1),
  sequenceType: delimited(4),
  mapType: delimited(5),
  denotation: delimited(6),
  opaqueType: delimited(7),
  sparseTensorType: delimited(8),
  optionalType: delimited(9),
} as const;

/** TypeProto.Tensor and TypeProto.SparseTensor. */
export const TENSOR_TYPE = { elemType: varint(1), shape: delimited(2) } as const;
/** TypeProto.Sequence and TypeProto.Optional. */
export const ELEMENT_TYPE = { elemType: delimited(1) } as const;
export const MAP_TYPE = { keyType: varint(1), valueType: delimited(2) } as const;
export const OPAQUE_TYPE = { domain: delimited(1), name: delimited(2) } as const;
export const SHAPE = { dim: delimited(1) } as const;
export const DIMENSION = { dimValue: varint(1), dimParam: delimited(2), denotation: delimited(3) } as const;

export const FUNCTION = {
  name: delimited(1),
  input: delimited(4),
  output: delimited(5),
  attribute: delimited(6),
  node: delimited(7),
  docString: delimited(8),
  opsetImport: delimited(9),
  domain: delimited(10),
  attributeProto: delimited(11),
  valueInfo: delimited(12),
  overload: delimited(13),
  metadataProps: delimited(14),
} as const;

export const TRAINING_INFO = {
  initialization: delimited(1),
  algorithm: delimited(2),
  initializationBinding: delimited(3),
  updateBinding: delimited(4),
} as const;

export const ANNOTATION = { tensorName: delimited(1), quantParameterTensorNames: delimited(2) } as const;
export const ENTRY = { key: delimited(1), value: delimited(2) } as const;

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  type: 13,
  types: 14,
} as const;

export type AttributeContentKind = keyof typeof ATTRIBUTE_TYPES;
