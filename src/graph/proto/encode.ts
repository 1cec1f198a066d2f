import { DATA_TYPES, type DataType } from '../../base/dtype.ts';
import { LatheError } from '../../base/errors.ts';
import { sizeOf } from '../../base/shape.ts';
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  OperatorSet,
  QuantizationAnnotation,
  SparseTensor,
  StoredTensor,
  TensorContent,
  TrainingInfo,
  Unknown,
  UnknownField,
  ValueInfo,
  ValueType,
} from '../ir.ts';
import {
  ANNOTATION,
  ATTRIBUTE,
  ATTRIBUTE_TYPES,
  DIMENSION,
  ELEMENT_TYPE,
  ENTRY,
  FUNCTION,
  GRAPH,
  MAP_TYPE,
  MODEL,
  NODE,
  OPAQUE_TYPE,
  OPERATOR_SET,
  SEGMENT,
  SHAPE,
  SPARSE_TENSOR,
  TENSOR,
  TENSOR_TYPE,
  TRAINING_INFO,
  TYPE,
  VALUE_INFO,
} from './fields.ts';
import { LARGE, type MessageWriter } from './message-writer.ts';
import { typedFieldOf, typedFromRaw } from './typed-data.ts';

/*
 * Encodes the IR as messages of onnx.proto, fields in the order of their numbers, what has no place in the IR first.
 * Empty names and domains are left out, but for an operator set's domain, which other writers state too.
 */

type Entries = Iterable<readonly [string, string]>;

export function writeModelMessage(writer: MessageWriter, model: Model): void {
  writeUnknown(writer, model);
  writer.int64(MODEL.irVersion, model.irVersion);
  optional(writer, MODEL.producerName, model.producerName);
  optional(writer, MODEL.producerVersion, model.producerVersion);
  optional(writer, MODEL.domain, model.domain);
  if (model.modelVersion !== undefined) writer.int64(MODEL.modelVersion, model.modelVersion);
  optional(writer, MODEL.docString, model.docString);
  writer.messageInPieces(MODEL.graph, (inner) => writeGraph(inner, model.graph));
  for (const set of model.opsets) writer.message(MODEL.opsetImport, (inner) => writeOperatorSet(inner, set));
  writeEntries(writer, MODEL.metadataProps, model.metadata);
  for (const info of model.trainingInfo)
    writer.messageInPieces(MODEL.trainingInfo, (inner) => writeTrainingInfo(inner, info));
  for (const item of model.functions) writer.messageInPieces(MODEL.functions, (inner) => writeFunction(inner, item));
}

export function writeTensorMessage(writer: MessageWriter, tensor: StoredTensor, name = tensor.name): void {
  const where = `tensor "${name ?? ''}"`;
  const { content, dtype } = tensor;
  writeUnknown(writer, tensor);
  for (const dim of tensor.dims) writer.int64(TENSOR.dims, dim);
  if (dtype !== 'undefined') writer.int64(TENSOR.dataType, DATA_TYPES[dtype].code);
  const { segment } = tensor;
  const inSegment = unknownWithin(tensor, 'segment');
  if (segment !== undefined) {
    writer.message(TENSOR.segment, (inner) => {
      writeFields(inner, inSegment);
      inner.int64(SEGMENT.begin, segment.begin);
      inner.int64(SEGMENT.end, segment.end);
    });
  }
  if (content.kind === 'strings') for (const item of content.values) writer.bytes(TENSOR.stringData, item);
  const typed = content.kind === 'bytes' && content.field === 'typed' ? content.bytes : undefined;
  if (typed !== undefined && typed.byteLength > 0) {
    const field = typedFieldOf(dtype);
    if (field === undefined) {
      throw new LatheError('invalid-model', `${where}: ${dtype} elements have no typed field to be written in`);
    }
    writer.bytes((field << 3) | 2, typedFromRaw(dtype as DataType, typed, sizeOf(tensor.dims), where));
  }
  optional(writer, TENSOR.name, name);
  if (content.kind === 'bytes' && typed === undefined) writer.bytes(TENSOR.rawData, content.bytes);
  optional(writer, TENSOR.docString, tensor.docString);
  if (content.kind === 'external') {
    writeEntries(writer, TENSOR.externalData, externalEntries(content));
    writer.int64(TENSOR.dataLocation, 1);
  }
  writeEntries(writer, TENSOR.metadataProps, tensor.metadata);
}

/** What the file said, word by word, as far as it still says the same as the fields. */
function externalEntries(content: Extract<TensorContent, { kind: 'external' }>): Entries {
  const entries = new Map(content.entries);
  if (entries.get('location') !== content.location) entries.set('location', content.location);
  if (Number(entries.get('offset') ?? 0) !== content.offset) entries.set('offset', String(content.offset));
  if (content.length === undefined) entries.delete('length');
  else if (Number(entries.get('length')) !== content.length) entries.set('length', String(content.length));
  return entries;
}

function writeSparseTensor(writer: MessageWriter, tensor: SparseTensor): void {
  writeUnknown(writer, tensor);
  writer.messageInPieces(SPARSE_TENSOR.values, (inner) => writeTensorMessage(inner, tensor.values));
  writer.messageInPieces(SPARSE_TENSOR.indices, (inner) => writeTensorMessage(inner, tensor.indices));
  for (const dim of tensor.dims) writer.int64(SPARSE_TENSOR.dims, dim);
}

function writeOperatorSet(writer: MessageWriter, set: OperatorSet): void {
  writeUnknown(writer, set);
  writer.string(OPERATOR_SET.domain, set.domain);
  writer.int64(OPERATOR_SET.version, set.version);
}

function writeGraph(writer: MessageWriter, graph: Graph): void {
  writeUnknown(writer, graph);
  for (const node of graph.nodes) writeNodeField(writer, GRAPH.node, node);
  nonEmpty(writer, GRAPH.name, graph.name);
  for (const [name, tensor] of graph.initializers) {
    const named = name === '' ? tensor.name : name;
    const write = (inner: MessageWriter): void => writeTensorMessage(inner, tensor, named);
    if (isLarge(tensor)) writer.messageInPieces(GRAPH.initializer, write);
    else writer.message(GRAPH.initializer, write);
  }
  optional(writer, GRAPH.docString, graph.docString);
  for (const info of graph.inputs) writer.message(GRAPH.input, (inner) => writeValueInfo(inner, info));
  for (const info of graph.outputs) writer.message(GRAPH.output, (inner) => writeValueInfo(inner, info));
  for (const info of graph.valueInfo) writer.message(GRAPH.valueInfo, (inner) => writeValueInfo(inner, info));
  for (const annotation of graph.quantizationAnnotations) {
    writer.message(GRAPH.quantizationAnnotation, (inner) => writeAnnotation(inner, annotation));
  }
  for (const tensor of graph.sparseInitializers) {
    writer.messageInPieces(GRAPH.sparseInitializer, (inner) => writeSparseTensor(inner, tensor));
  }
  writeEntries(writer, GRAPH.metadataProps, graph.metadata);
}

function isLarge({ content }: StoredTensor): boolean {
  return content.kind === 'bytes' && content.bytes.byteLength >= LARGE;
}

function writeNodeField(writer: MessageWriter, tag: number, node: Node): void {
  if (holdsTensors(node)) writer.messageInPieces(tag, (inner) => writeNode(inner, node));
  else writer.message(tag, (inner) => writeNode(inner, node));
}

function holdsTensors(node: Node): boolean {
  for (const attribute of node.attributes.values()) {
    if (attribute.kind === 'tensor') {
      if (isLarge(attribute.value)) return true;
    } else if (MAY_HOLD_TENSORS.has(attribute.kind)) return true;
  }
  return false;
}

const MAY_HOLD_TENSORS: ReadonlySet<Attribute['kind']> = new Set([
  'graph',
  'graphs',
  'tensors',
  'sparseTensor',
  'sparseTensors',
]);

function writeNode(writer: MessageWriter, node: Node): void {
  writeUnknown(writer, node);
  for (const name of node.inputs) writer.string(NODE.input, name);
  for (const name of node.outputs) writer.string(NODE.output, name);
  nonEmpty(writer, NODE.name, node.name);
  nonEmpty(writer, NODE.opType, node.opType);
  for (const [name, attribute] of node.attributes) {
    writer.messageInPieces(NODE.attribute, (inner) => writeAttribute(inner, name, attribute));
  }
  optional(writer, NODE.docString, node.docString);
  nonEmpty(writer, NODE.domain, node.domain);
  optional(writer, NODE.overload, node.overload);
  writeEntries(writer, NODE.metadataProps, node.metadata);
}

function writeAttribute(writer: MessageWriter, name: string, attribute: Attribute): void {
  writeUnknown(writer, attribute);
  nonEmpty(writer, ATTRIBUTE.name, name);
  const type = writeContent(writer, attribute);
  optional(writer, ATTRIBUTE.docString, attribute.docString);
  if (type !== 0) writer.int64(ATTRIBUTE.type, type);
  if (attribute.kind === 'reference') writer.string(ATTRIBUTE.refAttrName, attribute.value);
}

/** Returns the number of the content's type. */
function writeContent(writer: MessageWriter, attribute: Attribute): number {
  switch (attribute.kind) {
    case 'undefined':
      return attribute.value;
    case 'reference':
      return attribute.type;
    case 'float':
      writer.float(ATTRIBUTE.f, attribute.value);
      break;
    case 'int':
      writer.int64(ATTRIBUTE.i, attribute.value);
      break;
    case 'string':
      writer.bytes(ATTRIBUTE.s, attribute.value);
      break;
    case 'tensor':
      writer.messageInPieces(ATTRIBUTE.t, (inner) => writeTensorMessage(inner, attribute.value));
      break;
    case 'graph':
      writer.messageInPieces(ATTRIBUTE.g, (inner) => writeGraph(inner, attribute.value));
      break;
    case 'sparseTensor':
      writer.messageInPieces(ATTRIBUTE.sparseTensor, (inner) => writeSparseTensor(inner, attribute.value));
      break;
    case 'type':
      writer.message(ATTRIBUTE.tp, (inner) => writeType(inner, attribute.value));
      break;
    case 'floats':
      for (const value of attribute.value) writer.float(ATTRIBUTE.floats, value);
      break;
    case 'ints':
      for (const value of attribute.value) writer.int64(ATTRIBUTE.ints, value);
      break;
    case 'strings':
      for (const value of attribute.value) writer.bytes(ATTRIBUTE.strings, value);
      break;
    case 'tensors':
      for (const value of attribute.value) {
        writer.messageInPieces(ATTRIBUTE.tensors, (inner) => writeTensorMessage(inner, value));
      }
      break;
    case 'graphs':
      for (const value of attribute.value)
        writer.messageInPieces(ATTRIBUTE.graphs, (inner) => writeGraph(inner, value));
      break;
    case 'sparseTensors':
      for (const value of attribute.value) {
        writer.messageInPieces(ATTRIBUTE.sparseTensors, (inner) => writeSparseTensor(inner, value));
      }
      break;
    case 'types':
      for (const value of attribute.value) writer.message(ATTRIBUTE.typeProtos, (inner) => writeType(inner, value));
      break;
  }
  return ATTRIBUTE_TYPES[attribute.kind];
}

function writeValueInfo(writer: MessageWriter, info: ValueInfo): void {
  const { type } = info;
  writeUnknown(writer, info);
  nonEmpty(writer, VALUE_INFO.name, info.name);
  if (type !== undefined) writer.message(VALUE_INFO.type, (inner) => writeType(inner, type));
  optional(writer, VALUE_INFO.docString, info.docString);
  writeEntries(writer, VALUE_INFO.metadataProps, info.metadata);
}

function writeType(writer: MessageWriter, type: ValueType): void {
  writeUnknown(writer, type);
  const inVariant = unknownWithin(type, 'variant');
  switch (type.kind) {
    case 'tensor':
    case 'sparseTensor':
      writer.message(type.kind === 'tensor' ? TYPE.tensorType : TYPE.sparseTensorType, (inner) => {
        writeFields(inner, inVariant);
        writeElementType(inner, TENSOR_TYPE.elemType, type.dtype);
        if (type.shape !== undefined) inner.message(TENSOR_TYPE.shape, (shape) => writeShape(shape, type));
      });
      break;
    case 'sequence':
    case 'optional':
      writer.message(type.kind === 'sequence' ? TYPE.sequenceType : TYPE.optionalType, (inner) => {
        writeFields(inner, inVariant);
        writeNested(inner, ELEMENT_TYPE.elemType, type.element);
      });
      break;
    case 'map':
      writer.message(TYPE.mapType, (inner) => {
        writeFields(inner, inVariant);
        writeElementType(inner, MAP_TYPE.keyType, type.key);
        writeNested(inner, MAP_TYPE.valueType, type.value);
      });
      break;
    case 'opaque':
      writer.message(TYPE.opaqueType, (inner) => {
        writeFields(inner, inVariant);
        optional(inner, OPAQUE_TYPE.domain, type.domain);
        optional(inner, OPAQUE_TYPE.name, type.name);
      });
      break;
    case 'undefined':
      break;
  }
  optional(writer, TYPE.denotation, type.denotation);
}

function writeElementType(writer: MessageWriter, tag: number, dtype: DataType | 'undefined'): void {
  if (dtype !== 'undefined') writer.int64(tag, DATA_TYPES[dtype].code);
}

function writeNested(writer: MessageWriter, tag: number, type: ValueType): void {
  const empty = type.kind === 'undefined' && type.denotation === undefined && type.unknown === undefined;
  if (!empty) writer.message(tag, (inner) => writeType(inner, type));
}

function writeShape(writer: MessageWriter, type: Extract<ValueType, { kind: 'tensor' | 'sparseTensor' }>): void {
  writeFields(writer, unknownWithin(type, 'shape'));
  for (const [index, dim] of type.shape!.entries()) {
    const denotation = type.dimensionDenotations?.[index] ?? '';
    writer.message(SHAPE.dim, (inner) => {
      writeFields(inner, unknownWithin(type, index));
      if (typeof dim === 'number') inner.int64(DIMENSION.dimValue, dim);
      else if (typeof dim === 'string') inner.string(DIMENSION.dimParam, dim);
      nonEmpty(inner, DIMENSION.denotation, denotation);
    });
  }
}

function writeFunction(writer: MessageWriter, definition: FunctionDefinition): void {
  writeUnknown(writer, definition);
  nonEmpty(writer, FUNCTION.name, definition.name);
  for (const name of definition.inputs) writer.string(FUNCTION.input, name);
  for (const name of definition.outputs) writer.string(FUNCTION.output, name);
  for (const name of definition.attributes) writer.string(FUNCTION.attribute, name);
  for (const node of definition.nodes) writeNodeField(writer, FUNCTION.node, node);
  optional(writer, FUNCTION.docString, definition.docString);
  for (const set of definition.opsets) writer.message(FUNCTION.opsetImport, (inner) => writeOperatorSet(inner, set));
  nonEmpty(writer, FUNCTION.domain, definition.domain);
  for (const [name, attribute] of definition.attributeDefaults) {
    writer.message(FUNCTION.attributeProto, (inner) => writeAttribute(inner, name, attribute));
  }
  for (const info of definition.valueInfo) writer.message(FUNCTION.valueInfo, (inner) => writeValueInfo(inner, info));
  optional(writer, FUNCTION.overload, definition.overload);
  writeEntries(writer, FUNCTION.metadataProps, definition.metadata);
}

function writeTrainingInfo(writer: MessageWriter, info: TrainingInfo): void {
  const { initialization, algorithm } = info;
  writeUnknown(writer, info);
  if (initialization !== undefined) {
    writer.messageInPieces(TRAINING_INFO.initialization, (inner) => writeGraph(inner, initialization));
  }
  if (algorithm !== undefined) writer.messageInPieces(TRAINING_INFO.algorithm, (inner) => writeGraph(inner, algorithm));
  writeEntries(writer, TRAINING_INFO.initializationBinding, info.initializationBinding);
  writeEntries(writer, TRAINING_INFO.updateBinding, info.updateBinding);
}

function writeAnnotation(writer: MessageWriter, annotation: QuantizationAnnotation): void {
  writeUnknown(writer, annotation);
  nonEmpty(writer, ANNOTATION.tensorName, annotation.tensorName);
  writeEntries(writer, ANNOTATION.quantParameterTensorNames, annotation.parameters);
}

function writeEntries(writer: MessageWriter, tag: number, entries: Entries = []): void {
  for (const [key, value] of entries) {
    writer.message(tag, (inner) => {
      inner.string(ENTRY.key, key);
      inner.string(ENTRY.value, value);
    });
  }
}

function optional(writer: MessageWriter, tag: number, value: string | undefined): void {
  if (value !== undefined) writer.string(tag, value);
}

function nonEmpty(writer: MessageWriter, tag: number, value: string): void {
  if (value !== '') writer.string(tag, value);
}

function writeUnknown(writer: MessageWriter, owner: Unknown): void {
  if (owner.unknown !== undefined) writeFields(writer, unknownWithin(owner, undefined));
}

function unknownWithin(owner: Unknown, within: UnknownField['within']): readonly UnknownField[] {
  return owner.unknown?.filter((field) => field.within === within) ?? [];
}

function writeFields(writer: MessageWriter, fields: readonly UnknownField[]): void {
  for (const { number, wireType, bytes } of fields) writer.field((number << 3) | wireType, bytes);
}
