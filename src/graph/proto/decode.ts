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
import { ByteList, rawFromTyped, typedFieldOf } from './typed-data.ts';
import {
  bytesField,
  concatenated,
  decodeFields,
  type Entry,
  EntryMap,
  eachPacked,
  encodeEntry,
  exact,
  int64,
  Once,
  pushEntry,
  type Take,
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

export function decodeModelMessage(bytes: Uint8Array): Model {
  const opsets: OperatorSet[] = [];
  const functions: FunctionDefinition[] = [];
  const trainingInfo: TrainingInfo[] = [];
  const metadata = new EntryMap();
  const graph = new Once();
  const rest: Partial<Mutable<Model>> = {};
  let irVersion = 0;
  const unknown = decodeFields(bytes, (tag, reader) => {
    switch (tag) {
      case MODEL.irVersion:
        irVersion = exact(reader, 'the IR version');
        return true;
      case MODEL.opsetImport:
        opsets.push(decodeOperatorSet(reader.bytes()));
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
        return metadata.take(reader);
      case MODEL.trainingInfo:
        trainingInfo.push(decodeTrainingInfo(reader.bytes(), 1));
        return true;
      case MODEL.functions:
        functions.push(decodeFunction(reader.bytes(), 1));
        return true;
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(MODEL.metadataProps));
  if (graph.bytes === undefined) {
    throw new LatheError('invalid-model', 'the file is not an ONNX model: it holds no graph', {
      hint: 'Check that the path names an .onnx file, and that its download is complete.',
    });
  }
  return {
    irVersion,
    opsets,
    ...rest,
    graph: decodeGraph(graph.bytes, 1),
    functions,
    trainingInfo,
    ...metadata.property(),
    ...unknownProperty(unknown),
  };
}

export function decodeTensorMessage(bytes: Uint8Array): StoredTensor {
  const dims: number[] = [];
  const metadata = new EntryMap();
  const segment = new Once();
  const typed = new Map<number, ByteList>();
  const strings: Uint8Array[] = [];
  const external: Entry[] = [];
  const rest: Partial<Mutable<StoredTensor>> = {};
  let code = 0;
  let raw: Uint8Array | undefined;
  let location: number | undefined;
  const collect = (tag: number, piece: Uint8Array): true => {
    const number = tag >>> 3;
    const list = typed.get(number);
    if (list === undefined) typed.set(number, new ByteList(piece));
    else list.append(piece);
    return true;
  };
  const unknown = decodeFields(bytes, (tag, reader) => {
    switch (tag) {
      case TENSOR.dims:
        dims.push(exact(reader, 'a dimension of a tensor'));
        return true;
      case TENSOR.packedDims:
        eachPacked(reader, (packed) => dims.push(exact(packed, 'a dimension of a tensor')));
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
        return pushEntry(external, reader);
      case TENSOR.dataLocation:
        location = reader.int32();
        return true;
      case TENSOR.metadataProps:
        return metadata.take(reader);
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(TENSOR.metadataProps));
  const dtype = dataTypeOf(code) ?? 'undefined';
  if (dtype === 'undefined' && code !== 0) unknown.push(varintField(TENSOR.dataType, code));
  if (segment.bytes !== undefined) {
    let begin: Int = 0;
    let end: Int = 0;
    const inner = decodeFields(segment.bytes, (tag, reader) => {
      if (tag === SEGMENT.begin) begin = int64(reader);
      else if (tag === SEGMENT.end) end = int64(reader);
      else return false;
      return true;
    });
    rest.segment = { begin, end };
    for (const field of inner) unknown.push({ ...field, within: 'segment' });
  }

  const where = `tensor "${rest.name ?? ''}"`;
  const typedField = typedFieldOf(dtype);
  let content: StoredTensor['content'];
  const placed = new Set<unknown>();
  if (location === 1) {
    content = externalContent(external, where);
    placed.add(external);
  } else if (raw !== undefined) {
    content = { kind: 'bytes', bytes: raw };
    placed.add(raw);
  } else if (dtype === 'string') {
    content = { kind: 'strings', values: strings };
    placed.add(strings);
  } else {
    const list = typedField === undefined ? undefined : typed.get(typedField);
    const held = list?.bytes ?? NO_BYTES;
    content = {
      kind: 'bytes',
      bytes: dtype === 'undefined' ? held : rawFromTyped(dtype, held, where),
      field: 'typed',
    };
    placed.add(list);
  }
  // What a tensor holds beside its content, against the specification, is kept all the same.
  if (location !== undefined && location !== 1) unknown.push(varintField(TENSOR.dataLocation, location));
  if (raw !== undefined && !placed.has(raw)) unknown.push(bytesField(TENSOR.rawData, raw));
  if (!placed.has(strings)) for (const item of strings) unknown.push(bytesField(TENSOR.stringData, item));
  if (!placed.has(external)) {
    for (const [key, value] of external) unknown.push(bytesField(TENSOR.externalData, encodeEntry(key, value)));
  }
  for (const [number, list] of typed) {
    if (!placed.has(list)) unknown.push(bytesField(number << 3, list.bytes));
  }
  return { ...rest, dtype, dims, content, ...metadata.property(), ...unknownProperty(unknown) };
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

function decodeSparseTensor(bytes: Uint8Array): SparseTensor {
  const values = new Once();
  const indices = new Once();
  const dims: number[] = [];
  const unknown = decodeFields(bytes, (tag, reader) => {
    switch (tag) {
      case SPARSE_TENSOR.values:
        return values.take(reader);
      case SPARSE_TENSOR.indices:
        return indices.take(reader);
      case SPARSE_TENSOR.dims:
        dims.push(exact(reader, 'a dimension of a sparse tensor'));
        return true;
      case SPARSE_TENSOR.packedDims:
        eachPacked(reader, (packed) => dims.push(exact(packed, 'a dimension of a sparse tensor')));
        return true;
      default:
        return false;
    }
  });
  return {
    values: decodeTensorMessage(values.bytes ?? NO_BYTES),
    indices: decodeTensorMessage(indices.bytes ?? NO_BYTES),
    dims,
    ...unknownProperty(unknown),
  };
}

function decodeOperatorSet(bytes: Uint8Array): OperatorSet {
  let domain = '';
  let version = 0;
  const unknown = decodeFields(bytes, (tag, reader) => {
    if (tag === OPERATOR_SET.domain) domain = decodeDomain(reader);
    else if (tag === OPERATOR_SET.version) version = exact(reader, 'the version of an operator set');
    else return false;
    return true;
  });
  return { domain, version, ...unknownProperty(unknown) };
}

function decodeGraph(bytes: Uint8Array, depth: number): Graph {
  notTooDeep(depth);
  let name = '';
  const nodes: Node[] = [];
  const initializers = new Map<string, StoredTensor>();
  const sparseInitializers: SparseTensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  const quantizationAnnotations: QuantizationAnnotation[] = [];
  const metadata = new EntryMap();
  const rest: { docString?: string } = {};
  const unknown = decodeFields(bytes, (tag, reader) => {
    switch (tag) {
      case GRAPH.node:
        nodes.push(decodeNode(reader.bytes(), depth + 1));
        return true;
      case GRAPH.name:
        name = reader.string(true);
        return true;
      case GRAPH.initializer: {
        const tensor = decodeTensorMessage(reader.bytes());
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
        inputs.push(decodeValueInfo(reader.bytes(), depth + 1));
        return true;
      case GRAPH.output:
        outputs.push(decodeValueInfo(reader.bytes(), depth + 1));
        return true;
      case GRAPH.valueInfo:
        valueInfo.push(decodeValueInfo(reader.bytes(), depth + 1));
        return true;
      case GRAPH.quantizationAnnotation:
        quantizationAnnotations.push(decodeAnnotation(reader.bytes()));
        return true;
      case GRAPH.sparseInitializer:
        sparseInitializers.push(decodeSparseTensor(reader.bytes()));
        return true;
      case GRAPH.metadataProps:
        return metadata.take(reader);
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(GRAPH.metadataProps));
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
    ...metadata.property(),
    ...unknownProperty(unknown),
  };
}

function decodeNode(bytes: Uint8Array, depth: number): Node {
  notTooDeep(depth);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  const metadata = new EntryMap();
  const node: Mutable<Node> = { opType: '', domain: '', name: '', inputs, outputs, attributes };
  const unknown = decodeFields(bytes, (tag, reader) => {
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
        setAttribute(attributes, reader.bytes(), depth + 1, () => `node "${node.name || (outputs[0] ?? '')}"`);
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
        return metadata.take(reader);
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(NODE.metadataProps));
  return Object.assign(node, metadata.property(), unknownProperty(unknown));
}

function setAttribute(into: Map<string, Attribute>, bytes: Uint8Array, depth: number, owner: () => string): void {
  const { name, attribute } = decodeAttribute(bytes, depth);
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

function decodeAttribute(bytes: Uint8Array, depth: number): { name: string; attribute: Attribute } {
  notTooDeep(depth);
  let name = '';
  let code = 0;
  let reference: string | undefined;
  const rest: { docString?: string } = {};
  // Which content counts is known at the end only, when the type is: the fields are read twice, cheaply.
  const content: { tag: number; bytes: Uint8Array }[] = [];
  const unknown = decodeFields(bytes, (tag, reader) => {
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
        rest.docString = reader.string(true);
        return true;
      default:
        if (CONTENT_KINDS[tag] === undefined) return false;
        content.push({ tag, bytes: reader.skip(tag & 7, tag >>> 3) });
        return true;
    }
  });
  const isReference = reference !== undefined && reference !== '';
  const kind = isReference
    ? undefined
    : code === 0 && content.length > 0 // before IR version 2 attributes had no type
      ? CONTENT_KINDS[content[0]!.tag]
      : ATTRIBUTE_KINDS.get(code);
  const held = content.filter(({ tag }) => CONTENT_KINDS[tag] === kind);
  for (const { tag, bytes } of content) {
    if (CONTENT_KINDS[tag] !== kind) unknown.push({ number: tag >>> 3, wireType: tag & 7, bytes });
  }
  const value: Attribute = isReference
    ? { kind: 'reference', value: reference!, type: code }
    : kind === undefined
      ? { kind: 'undefined', value: code }
      : decodeContent(kind, held, depth);
  return { name, attribute: { ...value, ...rest, ...unknownProperty(unknown) } };
}

function decodeContent(
  kind: AttributeContentKind,
  held: readonly { tag: number; bytes: Uint8Array }[],
  depth: number,
): Attribute {
  const messages = (): Uint8Array[] => held.map(({ bytes }) => new BinaryReader(bytes).bytes());
  const merged = (): Uint8Array => concatenated(messages());
  const last = (): BinaryReader | undefined => (held.length === 0 ? undefined : new BinaryReader(held.at(-1)!.bytes));
  switch (kind) {
    case 'float':
      return { kind, value: last()?.float() ?? 0 };
    case 'int': {
      const reader = last();
      return { kind, value: reader === undefined ? 0 : int64(reader) };
    }
    case 'string':
      return { kind, value: last()?.bytes() ?? NO_BYTES };
    case 'tensor':
      return { kind, value: decodeTensorMessage(merged()) };
    case 'graph':
      return { kind, value: decodeGraph(merged(), depth + 1) };
    case 'sparseTensor':
      return { kind, value: decodeSparseTensor(merged()) };
    case 'type':
      return { kind, value: decodeType(merged(), depth + 1) };
    case 'floats': {
      const value: number[] = [];
      for (const { tag, bytes } of held) {
        const reader = new BinaryReader(bytes);
        if (tag === ATTRIBUTE.floats) value.push(reader.float());
        else eachPacked(reader, (packed) => value.push(packed.float()));
      }
      return { kind, value };
    }
    case 'ints': {
      const value: Int[] = [];
      for (const { tag, bytes } of held) {
        const reader = new BinaryReader(bytes);
        if (tag === ATTRIBUTE.ints) value.push(int64(reader));
        else eachPacked(reader, (packed) => value.push(int64(packed)));
      }
      return { kind, value };
    }
    case 'strings':
      return { kind, value: messages() };
    case 'tensors':
      return { kind, value: messages().map(decodeTensorMessage) };
    case 'graphs':
      return { kind, value: messages().map((message) => decodeGraph(message, depth + 1)) };
    case 'sparseTensors':
      return { kind, value: messages().map(decodeSparseTensor) };
    case 'types':
      return { kind, value: messages().map((message) => decodeType(message, depth + 1)) };
  }
}

function decodeValueInfo(bytes: Uint8Array, depth: number): ValueInfo {
  const type = new Once();
  const metadata = new EntryMap();
  const info: Mutable<ValueInfo> = { name: '' };
  const unknown = decodeFields(bytes, (tag, reader) => {
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
        return metadata.take(reader);
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(VALUE_INFO.metadataProps));
  if (type.bytes !== undefined) info.type = decodeType(type.bytes, depth + 1);
  return Object.assign(info, metadata.property(), unknownProperty(unknown));
}

function decodeType(bytes: Uint8Array, depth: number): ValueType {
  notTooDeep(depth);
  const rest: { denotation?: string } = {};
  // A oneof: the last variant wins, and its own occurrences are merged.
  let variant: { tag: number; message: Once } | undefined;
  const unknown = decodeFields(bytes, (tag, reader) => {
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
  const value = variant === undefined ? ({ kind: 'undefined' } as const) : decodeVariant(variant, unknown, depth);
  return { ...value, ...rest, ...unknownProperty(unknown) };
}

function decodeVariant(
  { tag, message }: { tag: number; message: Once },
  unknown: UnknownField[],
  depth: number,
): ValueType {
  const bytes = message.bytes ?? NO_BYTES;
  const decode = (take: Take): void => {
    for (const field of decodeFields(bytes, take)) unknown.push({ ...field, within: 'variant' });
  };
  const element = new Once();
  let code = 0;
  let inner: ValueType;
  switch (tag) {
    case TYPE.sequenceType:
    case TYPE.optionalType:
      decode((field, reader) => field === ELEMENT_TYPE.elemType && element.take(reader));
      inner = decodeType(element.bytes ?? NO_BYTES, depth + 1);
      return { kind: tag === TYPE.sequenceType ? 'sequence' : 'optional', element: inner };
    case TYPE.mapType:
      decode((field, reader) => {
        if (field === MAP_TYPE.valueType) return element.take(reader);
        if (field !== MAP_TYPE.keyType) return false;
        code = reader.int32();
        return true;
      });
      inner = decodeType(element.bytes ?? NO_BYTES, depth + 1);
      return { kind: 'map', key: knownType(code, MAP_TYPE.keyType, unknown), value: inner };
    case TYPE.opaqueType: {
      const opaque: { domain?: string; name?: string } = {};
      decode((field, reader) => {
        if (field === OPAQUE_TYPE.domain) opaque.domain = reader.string(true);
        else if (field === OPAQUE_TYPE.name) opaque.name = reader.string(true);
        else return false;
        return true;
      });
      return { kind: 'opaque', ...opaque };
    }
    default: {
      decode((field, reader) => {
        if (field === TENSOR_TYPE.shape) return element.take(reader);
        if (field !== TENSOR_TYPE.elemType) return false;
        code = reader.int32();
        return true;
      });
      const dtype = knownType(code, TENSOR_TYPE.elemType, unknown);
      return {
        kind: tag === TYPE.tensorType ? 'tensor' : 'sparseTensor',
        dtype,
        ...(element.bytes !== undefined && decodeShape(element.bytes, unknown)),
      };
    }
  }
}

function knownType(code: number, tag: number, unknown: UnknownField[]): DataType | 'undefined' {
  const dtype = dataTypeOf(code) ?? 'undefined';
  if (dtype === 'undefined' && code !== 0) unknown.push({ ...varintField(tag, code), within: 'variant' });
  return dtype;
}

function decodeShape(
  bytes: Uint8Array,
  unknown: UnknownField[],
): { shape: Dimension[]; dimensionDenotations?: string[] } {
  const shape: Dimension[] = [];
  const denotations: string[] = [];
  const outer = decodeFields(bytes, (tag, reader) => {
    if (tag !== SHAPE.dim) return false;
    let value: Dimension = null;
    const index = shape.length;
    const inner = decodeFields(reader.bytes(), (field, dimension) => {
      if (field === DIMENSION.dimValue) value = exact(dimension, 'a dimension');
      else if (field === DIMENSION.dimParam) value = dimension.string(true);
      else if (field === DIMENSION.denotation) denotations[index] = dimension.string(true);
      else return false;
      return true;
    });
    shape.push(value);
    for (const field of inner) unknown.push({ ...field, within: index });
    return true;
  });
  for (const field of outer) unknown.push({ ...field, within: 'shape' });
  if (denotations.length === 0) return { shape };
  return { shape, dimensionDenotations: Array.from(shape, (_, index) => denotations[index] ?? '') };
}

function decodeFunction(bytes: Uint8Array, depth: number): FunctionDefinition {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  const nodes: Node[] = [];
  const opsets: OperatorSet[] = [];
  const valueInfo: ValueInfo[] = [];
  const metadata = new EntryMap();
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
  const unknown = decodeFields(bytes, (tag, reader) => {
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
        setAttribute(attributeDefaults, reader.bytes(), depth + 1, () => `function "${definition.name}"`);
        return true;
      case FUNCTION.node:
        nodes.push(decodeNode(reader.bytes(), depth + 1));
        return true;
      case FUNCTION.docString:
        definition.docString = reader.string(true);
        return true;
      case FUNCTION.opsetImport:
        opsets.push(decodeOperatorSet(reader.bytes()));
        return true;
      case FUNCTION.domain:
        definition.domain = decodeDomain(reader);
        return true;
      case FUNCTION.overload:
        definition.overload = reader.string(true);
        return true;
      case FUNCTION.valueInfo:
        valueInfo.push(decodeValueInfo(reader.bytes(), depth + 1));
        return true;
      case FUNCTION.metadataProps:
        return metadata.take(reader);
      default:
        return false;
    }
  });
  unknown.push(...metadata.unplaced(FUNCTION.metadataProps));
  return Object.assign(definition, metadata.property(), unknownProperty(unknown));
}

function decodeTrainingInfo(bytes: Uint8Array, depth: number): TrainingInfo {
  const initialization = new Once();
  const algorithm = new Once();
  const initializationBinding: Entry[] = [];
  const updateBinding: Entry[] = [];
  const unknown = decodeFields(bytes, (tag, reader) => {
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
  return {
    ...(initialization.bytes !== undefined && { initialization: decodeGraph(initialization.bytes, depth + 1) }),
    ...(algorithm.bytes !== undefined && { algorithm: decodeGraph(algorithm.bytes, depth + 1) }),
    initializationBinding,
    updateBinding,
    ...unknownProperty(unknown),
  };
}

function decodeAnnotation(bytes: Uint8Array): QuantizationAnnotation {
  let tensorName = '';
  const parameters: Entry[] = [];
  const unknown = decodeFields(bytes, (tag, reader) => {
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
