import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type DataType, dataTypeOf } from '../../base/dtype.ts';
import { LatheError } from '../../base/errors.ts';
import type {
  Attribute,
  Dimension,
  FunctionDefinition,
  Graph,
  Int,
  Model,
  Node,
  OperatorSet,
  QuantizationAnnotation,
  SparseTensor,
  StoredTensor,
  TrainingInfo,
  UnknownField,
  ValueInfo,
  ValueType,
} from '../ir.ts';
import {
  ANNOTATION,
  ATTRIBUTE,
  ATTRIBUTE_TYPES,
  type AttributeContentKind,
  DIMENSION,
  ELEMENT_TYPE,
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
import { ByteList, rawFromTyped, typedFieldOf } from './typed-data.ts';
import {
  annotations,
  bytesField,
  type Decode,
  decodeFields,
  type Entry,
  EntryMap,
  eachPacked,
  encodeEntry,
  exact,
  int64,
  nested,
  Once,
  pushEntry,
  skip,
  unknownProperty,
  varintField,
} from './wire.ts';

/*
 * Decodes messages of onnx.proto into the IR, directly over the wire format: raw and float data stay views of the file,
 * typed lists never pass through arrays of JavaScript numbers, and no allocation is larger than a small multiple of the
 * bytes that are really there. Where a message sets a field of message type twice, both are merged, as protobuf asks.
 *
 * What the IR cannot tell, and the writer settles: whether an empty name, domain, type or version was present or left
 * out; whether a list of numbers was packed; the order of fields within a message; values of `int32_data` beyond the
 * range of the tensor's type, which wrap.
 */

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** As deep as protobuf's own readers go. */
const DEEPEST = 100;
const NO_BYTES = new Uint8Array(0);
const NO_ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map();

export function decodeModelMessage(bytes: Uint8Array): Model {
  const reader = new BinaryReader(bytes);
  const opsets: OperatorSet[] = [];
  const functions: FunctionDefinition[] = [];
  const trainingInfo: TrainingInfo[] = [];
  let metadata: EntryMap | undefined;
  const graph = new Once();
  const rest: Partial<Mutable<Model>> = {};
  let irVersion = 0;
  const unknown = decodeFields(reader, reader.len, (tag) => {
    switch (tag) {
      case MODEL.irVersion:
        irVersion = exact(reader, 'the IR version');
        return true;
      case MODEL.opsetImport:
        opsets.push(nested(reader, decodeOperatorSet));
        return true;
      case MODEL.producerName:
        rest.producerName = reader.string(true);
        return true;
      case MODEL.producerVersion:
        rest.producerVersion = reader.string(true);
        return true;
      case MODEL.domain:
        rest.domain = reader.string(true);
        return true;
      case MODEL.modelVersion:
        rest.modelVersion = int64(reader);
        return true;
      case MODEL.docString:
        rest.docString = reader.string(true);
        return true;
      case MODEL.graph:
        return graph.take(reader);
      case MODEL.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      case MODEL.trainingInfo:
        trainingInfo.push(nested(reader, decodeTrainingInfo, 1));
        return true;
      case MODEL.functions:
        functions.push(nested(reader, decodeFunction, 1));
        return true;
      default:
        return false;
    }
  });
  const held = graph.decode(decodeGraph, 1);
  if (held === undefined) {
    throw new LatheError('invalid-model', 'the file is not an ONNX model: it holds no graph', {
      hint: 'Check that the path names an .onnx file, and that its download is complete.',
    });
  }
  return {
    irVersion,
    opsets,
    ...rest,
    graph: held,
    functions,
    trainingInfo,
    ...annotations(metadata, MODEL.metadataProps, unknown),
  };
}

export function decodeTensorMessage(bytes: Uint8Array): StoredTensor {
  return decodeTensor(new BinaryReader(bytes), bytes.byteLength);
}

function decodeTensor(reader: BinaryReader, end: number): StoredTensor {
  const dims: number[] = [];
  let metadata: EntryMap | undefined;
  const segment = new Once();
  let typed: Map<number, ByteList> | undefined;
  let strings: Uint8Array[] | undefined;
  let external: Entry[] | undefined;
  const rest: Partial<Mutable<StoredTensor>> = {};
  let code = 0;
  let raw: Uint8Array | undefined;
  let location: number | undefined;
  const collect = (tag: number, piece: Uint8Array): true => {
    const number = tag >>> 3;
    typed ??= new Map();
    const list = typed.get(number);
    if (list === undefined) typed.set(number, new ByteList(piece));
    else list.append(piece);
    return true;
  };
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case TENSOR.dims:
        dims.push(exact(reader, 'a dimension of a tensor'));
        return true;
      case TENSOR.packedDims:
        eachPacked(reader, () => dims.push(exact(reader, 'a dimension of a tensor')));
        return true;
      case TENSOR.dataType:
        code = reader.int32();
        return true;
      case TENSOR.segment:
        return segment.take(reader);
      case TENSOR.packedFloatData:
      case TENSOR.packedInt32Data:
      case TENSOR.packedInt64Data:
      case TENSOR.packedDoubleData:
      case TENSOR.packedUint64Data:
        return collect(tag, reader.bytes());
      case TENSOR.floatData:
      case TENSOR.int32Data:
      case TENSOR.int64Data:
      case TENSOR.doubleData:
      case TENSOR.uint64Data:
        return collect(tag, reader.skip(tag & 7));
      case TENSOR.stringData:
        strings ??= [];
        strings.push(reader.bytes());
        return true;
      case TENSOR.name:
        rest.name = reader.string(true);
        return true;
      case TENSOR.docString:
        rest.docString = reader.string(true);
        return true;
      case TENSOR.rawData:
        raw = reader.bytes();
        return true;
      case TENSOR.externalData:
        external ??= [];
        return pushEntry(external, reader);
      case TENSOR.dataLocation:
        location = reader.int32();
        return true;
      case TENSOR.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      default:
        return false;
    }
  });
  const dtype = dataTypeOf(code) ?? 'undefined';
  const where = `tensor "${rest.name ?? ''}"`;
  let content: StoredTensor['content'];
  // What counts is taken away, so that what is left is what the tensor holds beside it, against the specification.
  if (location === 1) {
    content = externalContent(external ?? [], where);
    external = undefined;
    location = undefined;
  } else if (raw !== undefined) {
    content = { kind: 'bytes', bytes: raw };
    raw = undefined;
  } else if (dtype === 'string') {
    content = { kind: 'strings', values: strings ?? [] };
    strings = undefined;
  } else {
    const field = typedFieldOf(dtype);
    const list = field === undefined ? undefined : typed?.get(field);
    const bytes = dtype === 'undefined' || list === undefined ? NO_BYTES : rawFromTyped(dtype, list.bytes, where);
    content = { kind: 'bytes', bytes, field: 'typed' };
    if (field !== undefined) typed?.delete(field);
  }
  const left: UnknownField[] = [];
  if (dtype === 'undefined' && code !== 0) left.push(varintField(TENSOR.dataType, code));
  const part = segment.decode(decodeSegment);
  if (part !== undefined) {
    rest.segment = part.segment;
    for (const field of part.unknown) left.push({ ...field, within: 'segment' });
  }
  if (location !== undefined) left.push(varintField(TENSOR.dataLocation, location));
  if (raw !== undefined) left.push(bytesField(TENSOR.rawData, raw));
  for (const item of strings ?? []) left.push(bytesField(TENSOR.stringData, item));
  for (const [key, value] of external ?? []) left.push(bytesField(TENSOR.externalData, encodeEntry(key, value)));
  for (const [number, list] of typed ?? []) left.push(bytesField(number << 3, list.bytes));
  const all = left.length === 0 ? unknown : [...unknown, ...left];
  return Object.assign(rest, { dtype, dims, content }, annotations(metadata, TENSOR.metadataProps, all));
}

function decodeSegment(
  reader: BinaryReader,
  end: number,
): { segment: { begin: Int; end: Int }; unknown: readonly UnknownField[] } {
  const segment: { begin: Int; end: Int } = { begin: 0, end: 0 };
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === SEGMENT.begin) segment.begin = int64(reader);
    else if (tag === SEGMENT.end) segment.end = int64(reader);
    else return false;
    return true;
  });
  return { segment, unknown };
}

function externalContent(entries: readonly Entry[], where: string): StoredTensor['content'] {
  const value = (key: string): string | undefined => entries.findLast(([name]) => name === key)?.[1];
  const count = (key: string): number | undefined => {
    const text = value(key);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
      throw new LatheError(
        'invalid-model',
        `${where}: external data has the ${key} "${text}", expected a whole number of bytes`,
      );
    }
    return number;
  };
  const length = count('length');
  return {
    kind: 'external',
    location: value('location') ?? '',
    offset: count('offset') ?? 0,
    ...(length !== undefined && { length }),
    entries,
  };
}

function decodeSparseTensor(reader: BinaryReader, end: number): SparseTensor {
  const values = new Once();
  const indices = new Once();
  const dims: number[] = [];
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case SPARSE_TENSOR.values:
        return values.take(reader);
      case SPARSE_TENSOR.indices:
        return indices.take(reader);
      case SPARSE_TENSOR.dims:
        dims.push(exact(reader, 'a dimension of a sparse tensor'));
        return true;
      case SPARSE_TENSOR.packedDims:
        eachPacked(reader, () => dims.push(exact(reader, 'a dimension of a sparse tensor')));
        return true;
      default:
        return false;
    }
  });
  return {
    values: values.decodeOrEmpty(decodeTensor),
    indices: indices.decodeOrEmpty(decodeTensor),
    dims,
    ...unknownProperty(unknown),
  };
}

function decodeOperatorSet(reader: BinaryReader, end: number): OperatorSet {
  let domain = '';
  let version = 0;
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === OPERATOR_SET.domain) domain = decodeDomain(reader);
    else if (tag === OPERATOR_SET.version) version = exact(reader, 'the version of an operator set');
    else return false;
    return true;
  });
  return { domain, version, ...unknownProperty(unknown) };
}

function decodeGraph(reader: BinaryReader, end: number, depth: number): Graph {
  notTooDeep(depth);
  let name = '';
  const nodes: Node[] = [];
  const initializers = new Map<string, StoredTensor>();
  const sparseInitializers: SparseTensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  const quantizationAnnotations: QuantizationAnnotation[] = [];
  let metadata: EntryMap | undefined;
  const rest: { docString?: string } = {};
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case GRAPH.node:
        nodes.push(nested(reader, decodeNode, depth + 1));
        return true;
      case GRAPH.name:
        name = reader.string(true);
        return true;
      case GRAPH.initializer: {
        const tensor = nested(reader, decodeTensor);
        const key = tensor.name ?? '';
        if (initializers.has(key)) {
          throw new LatheError('invalid-model', `graph "${name}": two initializers are named "${key}", expected one`);
        }
        initializers.set(key, tensor);
        return true;
      }
      case GRAPH.docString:
        rest.docString = reader.string(true);
        return true;
      case GRAPH.input:
        inputs.push(nested(reader, decodeValueInfo, depth + 1));
        return true;
      case GRAPH.output:
        outputs.push(nested(reader, decodeValueInfo, depth + 1));
        return true;
      case GRAPH.valueInfo:
        valueInfo.push(nested(reader, decodeValueInfo, depth + 1));
        return true;
      case GRAPH.quantizationAnnotation:
        quantizationAnnotations.push(nested(reader, decodeAnnotation));
        return true;
      case GRAPH.sparseInitializer:
        sparseInitializers.push(nested(reader, decodeSparseTensor));
        return true;
      case GRAPH.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      default:
        return false;
    }
  });
  return {
    name,
    nodes,
    initializers,
    sparseInitializers,
    inputs,
    outputs,
    valueInfo,
    quantizationAnnotations,
    ...rest,
    ...annotations(metadata, GRAPH.metadataProps, unknown),
  };
}

function decodeNode(reader: BinaryReader, end: number, depth: number): Node {
  notTooDeep(depth);
  const inputs: string[] = [];
  const outputs: string[] = [];
  let attributes: Map<string, Attribute> | undefined;
  let metadata: EntryMap | undefined;
  const node: Mutable<Node> = { opType: '', domain: '', name: '', inputs, outputs, attributes: NO_ATTRIBUTES };
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case NODE.input:
        inputs.push(reader.string(true));
        return true;
      case NODE.output:
        outputs.push(reader.string(true));
        return true;
      case NODE.name:
        node.name = reader.string(true);
        return true;
      case NODE.opType:
        node.opType = reader.string(true);
        return true;
      case NODE.attribute:
        if (attributes === undefined) {
          attributes = new Map();
          node.attributes = attributes;
        }
        setAttribute(
          attributes,
          nested(reader, decodeAttribute, depth + 1),
          () => `node "${node.name || (outputs[0] ?? '')}"`,
        );
        return true;
      case NODE.docString:
        node.docString = reader.string(true);
        return true;
      case NODE.domain:
        node.domain = decodeDomain(reader);
        return true;
      case NODE.overload:
        node.overload = reader.string(true);
        return true;
      case NODE.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      default:
        return false;
    }
  });
  return Object.assign(node, annotations(metadata, NODE.metadataProps, unknown));
}

type NamedAttribute = { readonly name: string; readonly attribute: Attribute };

function setAttribute(into: Map<string, Attribute>, { name, attribute }: NamedAttribute, owner: () => string): void {
  if (into.has(name)) {
    throw new LatheError('invalid-model', `${owner()}: two attributes are named "${name}", expected one`);
  }
  into.set(name, attribute);
}

/** The kind of content that each field of an attribute holds. */
const CONTENT_KINDS: Readonly<Record<number, AttributeContentKind>> = {
  [ATTRIBUTE.f]: 'float',
  [ATTRIBUTE.i]: 'int',
  [ATTRIBUTE.s]: 'string',
  [ATTRIBUTE.t]: 'tensor',
  [ATTRIBUTE.g]: 'graph',
  [ATTRIBUTE.floats]: 'floats',
  [ATTRIBUTE.packedFloats]: 'floats',
  [ATTRIBUTE.ints]: 'ints',
  [ATTRIBUTE.packedInts]: 'ints',
  [ATTRIBUTE.strings]: 'strings',
  [ATTRIBUTE.tensors]: 'tensors',
  [ATTRIBUTE.graphs]: 'graphs',
  [ATTRIBUTE.tp]: 'type',
  [ATTRIBUTE.typeProtos]: 'types',
  [ATTRIBUTE.sparseTensor]: 'sparseTensor',
  [ATTRIBUTE.sparseTensors]: 'sparseTensors',
};

const ATTRIBUTE_KINDS: ReadonlyMap<number, AttributeContentKind> = new Map(
  (Object.keys(ATTRIBUTE_TYPES) as AttributeContentKind[]).map((kind) => [ATTRIBUTE_TYPES[kind], kind]),
);

function decodeAttribute(reader: BinaryReader, end: number, depth: number): NamedAttribute {
  notTooDeep(depth);
  let name = '';
  let code = 0;
  let reference: string | undefined;
  let docString: string | undefined;
  // Which content counts is known at the end only, when the type is: until then, where each one stands.
  let content: Content[] = [];
  let unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case ATTRIBUTE.name:
        name = reader.string(true);
        return true;
      case ATTRIBUTE.type:
        code = reader.int32();
        return true;
      case ATTRIBUTE.refAttrName:
        reference = reader.string(true);
        return true;
      case ATTRIBUTE.docString:
        docString = reader.string(true);
        return true;
      default: {
        const kind = CONTENT_KINDS[tag];
        if (kind === undefined) return false;
        content.push({ kind, tag, start: reader.pos });
        skip(reader, tag & 7, tag >>> 3);
        return true;
      }
    }
  });
  const isReference = reference !== undefined && reference !== '';
  const kind = isReference
    ? undefined
    : code === 0 // before IR version 2 attributes had no type
      ? content[0]?.kind
      : ATTRIBUTE_KINDS.get(code);
  if (content.some((item) => item.kind !== kind)) {
    const others = content.filter((item) => item.kind !== kind);
    unknown = [
      ...unknown,
      ...others.map(({ tag, start }) => {
        reader.pos = start;
        return { number: tag >>> 3, wireType: tag & 7, bytes: reader.skip(tag & 7, tag >>> 3) };
      }),
    ];
    content = content.filter((item) => item.kind === kind);
  }
  const value: Mutable<Attribute> = isReference
    ? { kind: 'reference', value: reference!, type: code }
    : kind === undefined
      ? { kind: 'undefined', value: code }
      : decodeContent(kind, content, reader, depth);
  if (docString !== undefined) value.docString = docString;
  return { name, attribute: Object.assign(value, unknownProperty(unknown)) };
}

/** A field that holds content of an attribute: where its value begins. */
interface Content {
  readonly kind: AttributeContentKind;
  readonly tag: number;
  readonly start: number;
}

function decodeContent(
  kind: AttributeContentKind,
  held: readonly Content[],
  reader: BinaryReader,
  depth: number,
): Attribute {
  switch (kind) {
    case 'float':
      return { kind, value: held.length === 0 ? 0 : at(reader, held.at(-1)!).float() };
    case 'int':
      return { kind, value: held.length === 0 ? 0 : int64(at(reader, held.at(-1)!)) };
    case 'string':
      return { kind, value: held.length === 0 ? NO_BYTES : at(reader, held.at(-1)!).bytes() };
    case 'tensor':
      return { kind, value: merged(held, reader, decodeTensor) };
    case 'graph':
      return { kind, value: merged(held, reader, decodeGraph, depth + 1) };
    case 'sparseTensor':
      return { kind, value: merged(held, reader, decodeSparseTensor) };
    case 'type':
      return { kind, value: merged(held, reader, decodeType, depth + 1) };
    case 'floats':
      return { kind, value: numbers(held, reader, () => reader.float(), ATTRIBUTE.packedFloats) };
    case 'ints':
      return { kind, value: numbers(held, reader, () => int64(reader), ATTRIBUTE.packedInts) };
    case 'strings':
      return { kind, value: held.map((item) => at(reader, item).bytes()) };
    case 'tensors':
      return { kind, value: held.map((item) => nested(at(reader, item), decodeTensor)) };
    case 'graphs':
      return { kind, value: held.map((item) => nested(at(reader, item), decodeGraph, depth + 1)) };
    case 'sparseTensors':
      return { kind, value: held.map((item) => nested(at(reader, item), decodeSparseTensor)) };
    case 'types':
      return { kind, value: held.map((item) => nested(at(reader, item), decodeType, depth + 1)) };
  }
}

function at(reader: BinaryReader, { start }: Content): BinaryReader {
  reader.pos = start;
  return reader;
}

function merged<T>(held: readonly Content[], reader: BinaryReader, decode: Decode<T>, depth = 0): T {
  const once = new Once();
  for (const item of held) once.take(at(reader, item));
  return once.decodeOrEmpty(decode, depth);
}

function numbers<T>(held: readonly Content[], reader: BinaryReader, read: () => T, packedTag: number): T[] {
  const values: T[] = [];
  for (const item of held) {
    reader.pos = item.start;
    if (item.tag === packedTag) eachPacked(reader, () => values.push(read()));
    else values.push(read());
  }
  return values;
}

function decodeValueInfo(reader: BinaryReader, end: number, depth: number): ValueInfo {
  const type = new Once();
  let metadata: EntryMap | undefined;
  const info: Mutable<ValueInfo> = { name: '' };
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case VALUE_INFO.name:
        info.name = reader.string(true);
        return true;
      case VALUE_INFO.type:
        return type.take(reader);
      case VALUE_INFO.docString:
        info.docString = reader.string(true);
        return true;
      case VALUE_INFO.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      default:
        return false;
    }
  });
  const held = type.decode(decodeType, depth + 1);
  if (held !== undefined) info.type = held;
  return Object.assign(info, annotations(metadata, VALUE_INFO.metadataProps, unknown));
}

function decodeType(reader: BinaryReader, end: number, depth: number): ValueType {
  notTooDeep(depth);
  const rest: { denotation?: string } = {};
  // A oneof: the last variant wins, and its own occurrences are merged.
  let variant: { tag: number; message: Once } | undefined;
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case TYPE.tensorType:
      case TYPE.sparseTensorType:
      case TYPE.sequenceType:
      case TYPE.optionalType:
      case TYPE.mapType:
      case TYPE.opaqueType:
        if (variant?.tag !== tag) variant = { tag, message: new Once() };
        return variant.message.take(reader);
      case TYPE.denotation:
        rest.denotation = reader.string(true);
        return true;
      default:
        return false;
    }
  });
  if (variant === undefined) return { kind: 'undefined', ...rest, ...unknownProperty(unknown) };
  const { tag, message } = variant;
  const { type, unknown: inner } = message.decodeOrEmpty(VARIANTS[tag]!, depth);
  const all = inner.length === 0 ? unknown : [...unknown, ...inner];
  return Object.assign(type, rest, unknownProperty(all));
}

type Variant = { readonly type: ValueType; readonly unknown: readonly UnknownField[] };

const VARIANTS: Readonly<Record<number, Decode<Variant>>> = {
  [TYPE.tensorType]: decodeTensorType('tensor'),
  [TYPE.sparseTensorType]: decodeTensorType('sparseTensor'),
  [TYPE.sequenceType]: decodeElementType('sequence'),
  [TYPE.optionalType]: decodeElementType('optional'),
  [TYPE.mapType]: decodeMapType,
  [TYPE.opaqueType]: decodeOpaqueType,
};

function decodeTensorType(kind: 'tensor' | 'sparseTensor'): Decode<Variant> {
  return (reader, end) => {
    const shape = new Once();
    let code = 0;
    const unknown = decodeFields(reader, end, (tag) => {
      if (tag === TENSOR_TYPE.shape) return shape.take(reader);
      if (tag !== TENSOR_TYPE.elemType) return false;
      code = reader.int32();
      return true;
    }).map(inVariant);
    const type: Mutable<Extract<ValueType, { kind: 'tensor' | 'sparseTensor' }>> = {
      kind,
      dtype: knownType(code, TENSOR_TYPE.elemType, unknown),
    };
    const held = shape.decode(decodeShape);
    if (held !== undefined) {
      type.shape = held.shape;
      if (held.denotations.length > 0) {
        type.dimensionDenotations = Array.from(held.shape, (_, index) => held.denotations[index] ?? '');
      }
      unknown.push(...held.unknown);
    }
    return { type, unknown };
  };
}

function decodeElementType(kind: 'sequence' | 'optional'): Decode<Variant> {
  return (reader, end, depth) => {
    const element = new Once();
    const unknown = decodeFields(reader, end, (tag) => tag === ELEMENT_TYPE.elemType && element.take(reader));
    return { type: { kind, element: element.decodeOrEmpty(decodeType, depth + 1) }, unknown: unknown.map(inVariant) };
  };
}

function decodeMapType(reader: BinaryReader, end: number, depth: number): Variant {
  const value = new Once();
  let code = 0;
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === MAP_TYPE.valueType) return value.take(reader);
    if (tag !== MAP_TYPE.keyType) return false;
    code = reader.int32();
    return true;
  }).map(inVariant);
  const key = knownType(code, MAP_TYPE.keyType, unknown);
  return { type: { kind: 'map', key, value: value.decodeOrEmpty(decodeType, depth + 1) }, unknown };
}

function decodeOpaqueType(reader: BinaryReader, end: number): Variant {
  const type: Mutable<Extract<ValueType, { kind: 'opaque' }>> = { kind: 'opaque' };
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === OPAQUE_TYPE.domain) type.domain = reader.string(true);
    else if (tag === OPAQUE_TYPE.name) type.name = reader.string(true);
    else return false;
    return true;
  });
  return { type, unknown: unknown.map(inVariant) };
}

function inVariant(field: UnknownField): UnknownField {
  return { ...field, within: 'variant' };
}

function knownType(code: number, tag: number, unknown: UnknownField[]): DataType | 'undefined' {
  const dtype = dataTypeOf(code) ?? 'undefined';
  if (dtype === 'undefined' && code !== 0) unknown.push(inVariant(varintField(tag, code)));
  return dtype;
}

function decodeShape(
  reader: BinaryReader,
  end: number,
): { shape: Dimension[]; denotations: string[]; unknown: UnknownField[] } {
  const shape: Dimension[] = [];
  const denotations: string[] = [];
  const inDimensions: UnknownField[] = [];
  const decodeDimension: Decode<void> = (_, dimensionEnd) => {
    let value: Dimension = null;
    const index = shape.length;
    const unknown = decodeFields(reader, dimensionEnd, (tag) => {
      if (tag === DIMENSION.dimValue) value = exact(reader, 'a dimension');
      else if (tag === DIMENSION.dimParam) value = reader.string(true);
      else if (tag === DIMENSION.denotation) denotations[index] = reader.string(true);
      else return false;
      return true;
    });
    shape.push(value);
    for (const field of unknown) inDimensions.push({ ...field, within: index });
  };
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag !== SHAPE.dim) return false;
    nested(reader, decodeDimension);
    return true;
  });
  return {
    shape,
    denotations,
    unknown: [...unknown.map((field) => ({ ...field, within: 'shape' as const })), ...inDimensions],
  };
}

function decodeFunction(reader: BinaryReader, end: number, depth: number): FunctionDefinition {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  const nodes: Node[] = [];
  const opsets: OperatorSet[] = [];
  const valueInfo: ValueInfo[] = [];
  let metadata: EntryMap | undefined;
  const definition: Mutable<FunctionDefinition> = {
    name: '',
    domain: '',
    inputs,
    outputs,
    attributes,
    attributeDefaults,
    nodes,
    opsets,
    valueInfo,
  };
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case FUNCTION.name:
        definition.name = reader.string(true);
        return true;
      case FUNCTION.input:
        inputs.push(reader.string(true));
        return true;
      case FUNCTION.output:
        outputs.push(reader.string(true));
        return true;
      case FUNCTION.attribute:
        attributes.push(reader.string(true));
        return true;
      case FUNCTION.attributeProto:
        setAttribute(
          attributeDefaults,
          nested(reader, decodeAttribute, depth + 1),
          () => `function "${definition.name}"`,
        );
        return true;
      case FUNCTION.node:
        nodes.push(nested(reader, decodeNode, depth + 1));
        return true;
      case FUNCTION.docString:
        definition.docString = reader.string(true);
        return true;
      case FUNCTION.opsetImport:
        opsets.push(nested(reader, decodeOperatorSet));
        return true;
      case FUNCTION.domain:
        definition.domain = decodeDomain(reader);
        return true;
      case FUNCTION.overload:
        definition.overload = reader.string(true);
        return true;
      case FUNCTION.valueInfo:
        valueInfo.push(nested(reader, decodeValueInfo, depth + 1));
        return true;
      case FUNCTION.metadataProps:
        metadata ??= new EntryMap();
        return metadata.take(reader);
      default:
        return false;
    }
  });
  return Object.assign(definition, annotations(metadata, FUNCTION.metadataProps, unknown));
}

function decodeTrainingInfo(reader: BinaryReader, end: number, depth: number): TrainingInfo {
  const initialization = new Once();
  const algorithm = new Once();
  const initializationBinding: Entry[] = [];
  const updateBinding: Entry[] = [];
  const unknown = decodeFields(reader, end, (tag) => {
    switch (tag) {
      case TRAINING_INFO.initialization:
        return initialization.take(reader);
      case TRAINING_INFO.algorithm:
        return algorithm.take(reader);
      case TRAINING_INFO.initializationBinding:
        return pushEntry(initializationBinding, reader);
      case TRAINING_INFO.updateBinding:
        return pushEntry(updateBinding, reader);
      default:
        return false;
    }
  });
  const initial = initialization.decode(decodeGraph, depth + 1);
  const step = algorithm.decode(decodeGraph, depth + 1);
  return {
    ...(initial !== undefined && { initialization: initial }),
    ...(step !== undefined && { algorithm: step }),
    initializationBinding,
    updateBinding,
    ...unknownProperty(unknown),
  };
}

function decodeAnnotation(reader: BinaryReader, end: number): QuantizationAnnotation {
  let tensorName = '';
  const parameters: Entry[] = [];
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === ANNOTATION.quantParameterTensorNames) return pushEntry(parameters, reader);
    if (tag !== ANNOTATION.tensorName) return false;
    tensorName = reader.string(true);
    return true;
  });
  return { tensorName, parameters, ...unknownProperty(unknown) };
}

/** 'ai.onnx' is another name of the standard domain: the one thing that reading normalizes. */
function decodeDomain(reader: BinaryReader): string {
  const domain = reader.string(true);
  return domain === 'ai.onnx' ? '' : domain;
}

function notTooDeep(depth: number): void {
  if (depth > DEEPEST) {
    throw new LatheError('invalid-model', `the model nests messages deeper than ${DEEPEST}, which no reader accepts`);
  }
}
