import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DATA_TYPES } from '../../base/dtype.ts';
import * as fields from './fields.ts';

const source = readFileSync(join(import.meta.dirname, 'onnx.proto'), 'utf8').replace(/\/\/.*$/gm, '');

interface Field {
  readonly name: string;
  readonly tag: number;
  readonly repeatedNumber: boolean;
}

/** The messages of onnx.proto by their full names, and its enums. */
function parse(text: string): { messages: Map<string, Field[]>; enums: Map<string, Record<string, number>> } {
  const messages = new Map<string, Field[]>();
  const enums = new Map<string, Record<string, number>>();
  const path: string[] = [];
  for (const token of text.matchAll(
    /\b(message|enum|oneof)\s+(\w+)\s*\{|\}|(?:(optional|repeated)\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;|(\w+)\s*=\s*(0x[\dA-F]+|\d+);/g,
  )) {
    const [whole, block, name, label, type, field, number, constant, value] = token;
    if (whole === '}') path.pop();
    else if (block !== undefined) path.push(name!);
    else if (constant !== undefined) {
      const key = path.join('.');
      enums.set(key, { ...enums.get(key), [constant]: Number(value) });
    } else if (field !== undefined && type !== 'option') {
      const owner = path.filter((part) => part !== 'value' && part !== 'dim').join('.');
      const wireType = WIRE_TYPES[type!] ?? (type!.endsWith('Type') || type === 'DataLocation' ? 0 : 2);
      const list = messages.get(owner) ?? [];
      messages.set(owner, list);
      list.push({
        name: field,
        tag: (Number(number) << 3) | wireType,
        repeatedNumber: label === 'repeated' && wireType !== 2,
      });
    }
  }
  return { messages, enums };
}

const WIRE_TYPES: Readonly<Record<string, number>> = {
  int32: 0,
  int64: 0,
  uint64: 0,
  double: 1,
  float: 5,
  string: 2,
  bytes: 2,
};

const { messages, enums } = parse(source);
const kept = ['configuration', 'device_configurations'];

const TABLES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ModelProto: fields.MODEL,
  OperatorSetIdProto: fields.OPERATOR_SET,
  GraphProto: fields.GRAPH,
  NodeProto: fields.NODE,
  AttributeProto: fields.ATTRIBUTE,
  TensorProto: fields.TENSOR,
  'TensorProto.Segment': fields.SEGMENT,
  SparseTensorProto: fields.SPARSE_TENSOR,
  ValueInfoProto: fields.VALUE_INFO,
  TypeProto: fields.TYPE,
  'TypeProto.Tensor': fields.TENSOR_TYPE,
  'TypeProto.SparseTensor': fields.TENSOR_TYPE,
  'TypeProto.Sequence': fields.ELEMENT_TYPE,
  'TypeProto.Optional': fields.ELEMENT_TYPE,
  'TypeProto.Map': fields.MAP_TYPE,
  'TypeProto.Opaque': fields.OPAQUE_TYPE,
  TensorShapeProto: fields.SHAPE,
  'TensorShapeProto.Dimension': fields.DIMENSION,
  FunctionProto: fields.FUNCTION,
  TrainingInfoProto: fields.TRAINING_INFO,
  TensorAnnotation: fields.ANNOTATION,
  StringStringEntryProto: fields.ENTRY,
};

describe('the tables of fields', () => {
  it.each(Object.entries(TABLES))('hold what onnx.proto says: %s', (name, table) => {
    const expected = messages
      .get(name)!
      .filter((field) => !kept.includes(field.name))
      .flatMap(({ tag, repeatedNumber }) => (repeatedNumber ? [tag, (tag & ~7) | 2] : [tag]));
    expect(Object.values(table).sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
    const byName = (text: string): string => text.replaceAll('_', '').toLowerCase();
    for (const field of messages.get(name)!) {
      if (kept.includes(field.name)) continue;
      const [key] = Object.entries(table).find(([, tag]) => tag === field.tag)!;
      expect(byName(key)).toBe(byName(field.name));
    }
  });

  it('leave out only messages that are kept as they are', () => {
    const left = [...messages.keys()].filter((name) => !(name in TABLES));
    expect(left.sort()).toEqual([
      'DeviceConfigurationProto',
      'IntIntListEntryProto',
      'NodeDeviceConfigurationProto',
      'ShardedDimProto',
      'ShardingSpecProto',
      'SimpleShardedDimProto',
    ]);
  });

  it('know every type of attribute', () => {
    const { UNDEFINED, ...types } = enums.get('AttributeProto.AttributeType')!;
    expect(UNDEFINED).toBe(0);
    expect(Object.values(fields.ATTRIBUTE_TYPES).sort()).toEqual(Object.values(types).sort());
  });

  it('know every type of element', () => {
    const { UNDEFINED, ...types } = enums.get('TensorProto.DataType')!;
    expect(UNDEFINED).toBe(0);
    const codes = Object.values(DATA_TYPES).map(({ code }) => code);
    expect(codes.sort()).toEqual(Object.values(types).sort());
  });
});
