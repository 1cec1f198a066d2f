import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { codesOf, float64Of, isLongInteger } from '../base/elements.ts';
import { LatheError } from '../base/errors.ts';
import { tensorFrom } from '../base/tensor.ts';
import { float, int } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import { decodeModel, decodeTensor, encodeModel, encodeTensor } from './encoding.ts';
import type { Model, StoredTensor } from './ir.ts';
import { mapTensors } from './map-tensors.ts';
import { stored, tensorOf } from './stored.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const everything = new Uint8Array(readFileSync(join(FIXTURES, 'everything.onnx')));

type Field = readonly [number, string | Uint8Array | number];

/** A message by hand: `[number, value]` fields, strings and bytes delimited, numbers as varints. */
function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === 'number') writer.tag(number, 0).int64(value);
    else if (typeof value === 'string') writer.tag(number, 2).string(value);
    else writer.tag(number, 2).bytes(value);
  }
  return writer.finish();
}

function modelWith(...graphFields: readonly Field[]): Uint8Array {
  return message([1, 8], [8, message([1, ''], [2, 17])], [7, message([2, 'g'], ...graphFields)]);
}

describe('decoding', () => {
  const model = decodeModel(everything);

  it('gives elements of every type as ONNX reads them', () => {
    const expected = JSON.parse(readFileSync(join(FIXTURES, 'everything.json'), 'utf8')) as Record<
      string,
      (number | string)[]
    >;
    expect(Object.keys(expected).length).toBeGreaterThan(50);
    for (const [name, values] of Object.entries(expected)) {
      const tensor = tensorOf(model.graph.initializers.get(name)!);
      const found = isLongInteger(tensor.dtype)
        ? Array.from(tensor.data as BigInt64Array, String)
        : tensor.dtype.startsWith('complex')
          ? Array.from(tensor.data as Float64Array)
          : Array.from(float64Of(tensor), (value) => (Number.isNaN(value) ? 'nan' : value));
      expect([name, found]).toEqual([name, values]);
    }
  });

  it('keeps raw weights and lists of floats as views of the file', () => {
    for (const name of ['raw_float', 'raw_int4', 'typed_float', 'typed_complex128']) {
      const { content } = model.graph.initializers.get(name)!;
      if (content.kind !== 'bytes') throw new Error('expected bytes');
      expect(content.bytes.buffer).toBe(everything.buffer);
    }
  });

  it('never hands out views that are Buffers, whose slice() does not copy', () => {
    const { content } = decodeModel(Buffer.from(everything)).graph.initializers.get('raw_float')!;
    expect(content.kind === 'bytes' && Object.getPrototypeOf(content.bytes)).toBe(Uint8Array.prototype);
  });

  it('knows which list a tensor was in, so that it is written there again', () => {
    const fieldOf = (name: string): string | undefined => {
      const { content } = model.graph.initializers.get(name)!;
      return content.kind === 'bytes' ? content.field : content.kind;
    };
    expect([fieldOf('raw_int8'), fieldOf('typed_int8'), fieldOf('string'), fieldOf('outside')]).toEqual([
      undefined,
      'typed',
      'strings',
      'external',
    ]);
  });

  it('reads what the fixture says', () => {
    expect(model).toMatchObject({ irVersion: 14, producerName: 'fixture', modelVersion: 9007199254740993n });
    expect(model.metadata).toEqual(
      new Map([
        ['license', 'Apache-2.0'],
        ['empty', ''],
      ]),
    );
    expect(model.graph.inputs[0]).toEqual({
      name: 'x',
      docString: 'an input',
      metadata: new Map([['key', 'of a value']]),
      type: {
        kind: 'tensor',
        dtype: 'float32',
        shape: ['N', 3, null, 4],
        denotation: 'IMAGE',
        dimensionDenotations: ['DATA_BATCH', 'DATA_CHANNEL', '', 'DATA_FEATURE'],
      },
    });
    expect(model.graph.inputs[4]!.type).toEqual({
      kind: 'optional',
      element: { kind: 'sequence', element: { kind: 'tensor', dtype: 'int64', shape: [] } },
    });
    expect(model.graph.initializers.get('annotated')).toMatchObject({ segment: { begin: 3, end: 2n ** 60n } });
    expect(model.graph.initializers.get('outside')!.content).toEqual({
      kind: 'external',
      location: 'weights.bin',
      offset: 4096,
      length: 16,
      entries: [
        ['location', 'weights.bin'],
        ['offset', '0004096'],
        ['length', '16'],
        ['checksum', '0'.repeat(40)],
      ],
    });
    const [node] = model.graph.nodes;
    expect(node!.inputs).toEqual(['x', '', 'raw_float']);
    expect(node!.attributes.get('ints')).toEqual({
      kind: 'ints',
      value: [0, -1, 2 ** 31, 2n ** 53n + 1n, 2n ** 63n - 1n],
      docString: 'kind ints',
    });
    expect(node!.attributes.get('int')).toMatchObject({ value: -(2n ** 63n) });
    expect(node!.attributes.get('no_graphs')).toEqual({ kind: 'graphs', value: [] });
    expect(model.functions.map(({ overload }) => overload)).toEqual([undefined, 'twice']);
    expect(model.functions[1]!.nodes[0]!.attributes.get('value_float')).toEqual({
      kind: 'reference',
      value: 'by',
      type: 1,
    });
    expect(model.trainingInfo).toHaveLength(2);
    expect(model.graph.sparseInitializers[1]!.indices.dims).toEqual([3, 2]);
  });

  it("calls the domain 'ai.onnx' by its other name, ''", () => {
    const bytes = message(
      [1, 8],
      [8, message([1, 'ai.onnx'], [2, 17])],
      [7, message([1, message([4, 'Relu'], [7, 'ai.onnx'])])],
    );
    const { opsets, graph } = decodeModel(bytes);
    expect([opsets[0]!.domain, graph.nodes[0]!.domain]).toEqual(['', '']);
  });

  it('merges a message that comes in pieces, as protobuf asks', () => {
    const node = (type: string): Uint8Array => message([1, message([4, type])]);
    const bytes = message([1, 8], [7, node('Relu')], [7, message([2, 'name'])], [7, node('Neg')]);
    const { graph } = decodeModel(bytes);
    expect([graph.name, ...graph.nodes.map((item) => item.opType)]).toEqual(['name', 'Relu', 'Neg']);
  });

  it('reads lists of numbers packed or not', () => {
    const unpacked = message([1, 'a'], [8, 1], [8, 300], [20, 7]);
    const packed = message([1, 'b'], [8, new Uint8Array([1, 0xac, 2])], [20, 7]);
    const { graph } = decodeModel(modelWith([1, message([4, 'X'], [5, unpacked], [5, packed])]));
    const { attributes } = graph.nodes[0]!;
    expect([attributes.get('a'), attributes.get('b')]).toEqual([
      { kind: 'ints', value: [1, 300] },
      { kind: 'ints', value: [1, 300] },
    ]);
  });

  it('takes the kind of an attribute from its content where there is no type, as in IR version 1', () => {
    const { graph } = decodeModel(modelWith([1, message([4, 'X'], [5, message([1, 'a'], [3, 5])])]));
    expect(graph.nodes[0]!.attributes.get('a')).toEqual({ kind: 'int', value: 5 });
  });
});

describe('what the IR has no place for', () => {
  const rows: Record<string, Uint8Array> = {
    'an unknown field of the model': message([1, 8], [7, message([2, 'g'])], [999, 'later'], [1000, 7]),
    'an unknown field of a node': modelWith([1, message([4, 'X'], [99, 'later'])]),
    'a group': new Uint8Array([...modelWith(), 0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06]),
    'an unknown data type': modelWith([5, message([2, 99], [8, 'w'], [9, 'raw'])]),
    'an unknown type of attribute': modelWith([1, message([5, message([1, 'a'], [20, 15], [30, 'later'])])]),
    'two contents of an attribute': modelWith([1, message([5, message([1, 'a'], [3, 5], [4, 's'], [20, 3])])]),
    'two contents of a tensor': modelWith([5, message([1, 1], [2, 3], [5, new Uint8Array([1])], [8, 'w'], [9, 'r'])]),
    'a list of another type': modelWith([5, message([2, 1], [7, new Uint8Array([1])], [8, 'w'])]),
    'external data without the location to be external': modelWith([
      5,
      message([2, 1], [8, 'w'], [13, message([1, 'k'], [2, 'v'])], [14, 0]),
    ]),
    'a key of metadata that comes twice': modelWith(
      [16, message([1, 'k'], [2, 'first'])],
      [16, message([1, 'k'], [2, 'second'])],
    ),
    'unknown fields within a type': modelWith([
      11,
      message(
        [1, 'x'],
        [
          2,
          message([1, message([1, 1], [2, message([1, message([1, 3], [9, 'dimension'])], [9, 'shape'])], [9, 'v'])]),
        ],
      ),
    ]),
    'an unknown element type': modelWith([11, message([1, 'x'], [2, message([1, message([1, 77])])])]),
    'unknown fields within a segment': modelWith([
      5,
      message([2, 1], [3, message([1, 2], [2, 5], [9, 'later'])], [8, 'w']),
    ]),
    'unknown fields within an entry': modelWith([16, message([1, 'k'], [2, 'v'], [3, 'later'])]),
  };
  for (const [name, bytes] of Object.entries(rows)) {
    it(`is written again: ${name}`, () => {
      const model = decodeModel(bytes);
      const written = encodeModel(model);
      expect(decodeModel(written)).toEqual(model);
      // The same bytes but for the order of the fields.
      expect(Buffer.from(written).sort()).toEqual(Buffer.from(bytes).sort());
    });
  }

  it('gives way to what is set anew', () => {
    const [tensor] = decodeModel(modelWith([5, message([2, 99], [8, 'w'])])).graph.initializers.values();
    const typed: StoredTensor = { ...tensor!, dtype: 'float32' };
    expect(decodeTensor(encodeTensor(typed)).dtype).toBe('float32');
  });
});

describe('encoding', () => {
  it('gives the fixture back, field by field', () => {
    expect(decodeModel(encodeModel(decodeModel(everything)))).toEqual(decodeModel(everything));
    expect(encodeModel(decodeModel(everything)).byteLength).toBe(everything.byteLength);
  });

  it('writes what a builder made', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['N', 2]);
    const w = builder.initializer('w', tensorFrom('float32', [1, 2, 3, 4], [2, 2]));
    builder.output(builder.matMul(x, w), { dtype: 'float32', shape: ['N', 2] });
    const model = builder.build();
    const read = decodeModel(encodeModel(model));
    expect(tensorOf(read.graph.initializers.get('w')!)).toEqual(tensorFrom('float32', [1, 2, 3, 4], [2, 2]));
    expect(read.graph.nodes).toEqual(model.graph.nodes);
  });

  it('keeps the elements of every type when a raw tensor becomes a typed one', () => {
    const { initializers } = decodeModel(everything).graph;
    for (const [name, tensor] of initializers) {
      if (!name.startsWith('raw_') || tensor.content.kind !== 'bytes') continue;
      const typed: StoredTensor = { ...tensor, content: { ...tensor.content, field: 'typed' } };
      const read = decodeTensor(encodeTensor(typed));
      expect(read.content.kind === 'bytes' && read.content.field).toBe('typed');
      expect([name, codesOf(tensorOf(read))]).toEqual([name, codesOf(tensorOf(tensor))]);
    }
  });

  it.each([
    ['a float beyond float32', float(1e300), /cannot be written as ONNX: invalid float32: 1e\+300/],
    ['a fraction for an integer', int(0.5), /cannot be written as ONNX/],
    ['an integer beyond 64 bits', { kind: 'int', value: 2n ** 63n }, /cannot be written as ONNX/],
  ] as const)('says what cannot be written: %s', (_, attribute, expected) => {
    const builder = new GraphBuilder();
    builder.op('Custom', [], { attribute });
    expect(() => encodeModel(builder.build())).toThrow(expected);
    expect(() => encodeModel(builder.build())).toThrow(LatheError);
  });

  it('refuses more than protobuf holds, without allocating it', () => {
    const weights = new Uint8Array(1 << 20);
    const initializers = new Map(
      Array.from({ length: 2100 }, (_, index) => [
        `w${index}`,
        { dtype: 'uint8' as const, dims: [weights.byteLength], content: { kind: 'bytes' as const, bytes: weights } },
      ]),
    );
    const { graph, ...rest } = new GraphBuilder().build();
    const before = process.memoryUsage().arrayBuffers;
    expect(() => encodeModel({ ...rest, graph: { ...graph, initializers } })).toThrow(
      /the model takes 2202\d+ bytes: an ONNX file holds at most 2147483647/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
  });
});

describe('bad files', () => {
  const minusOne = [...new Array<number>(9).fill(0xff), 0x01];
  const deep = (depth: number): Uint8Array => {
    let graph = message([2, 'inner']);
    for (let level = 0; level < depth; level++) {
      graph = message([1, message([4, 'If'], [5, message([1, 'g'], [6, graph], [20, 5])])], [2, 'g']);
    }
    return message([1, 8], [7, graph]);
  };
  const deepType = (depth: number): Uint8Array => {
    let type = message([1, message([1, 1])]);
    for (let level = 0; level < depth; level++) type = message([4, message([1, type])]);
    return modelWith([11, message([1, 'x'], [2, type])]);
  };
  const initializer = (...fields: readonly Field[]): Uint8Array => modelWith([5, message(...fields)]);
  const rows: Record<string, readonly [Uint8Array, RegExp]> = {
    'an empty file': [new Uint8Array(0), /the file is empty/],
    'a picture': [new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1]), /not an ONNX model/],
    'a text': [new TextEncoder().encode('<html>404 Not Found</html>'), /not an ONNX model/],
    zeros: [new Uint8Array(64), /not an ONNX model.*number 0/],
    'a model without a graph': [message([1, 8], [8, message([2, 17])]), /holds no graph/],
    'a length beyond the file': [new Uint8Array([0x08, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x07]), /not an ONNX model/],
    'a varint without an end': [new Uint8Array([0x08, ...new Array(20).fill(0xff)]), /not an ONNX model/],
    'a node longer than its graph': [
      new Uint8Array([0x08, 8, 0x3a, 2, 0x0a, 9, ...new Array(9).fill(0)]),
      /not an ONNX/,
    ],
    'a name longer than its node': [
      new Uint8Array([0x08, 8, 0x3a, 12, 0x0a, 3, 0x1a, 6, ...new TextEncoder().encode('abcdefgh')]),
      /not an ONNX model.*a field ends after its message/,
    ],
    'a list longer than its file': [new Uint8Array([0x08, 8, 0x3a, 4, 0x2a, 2, 0x0a, 0x7f]), /not an ONNX model/],
    'a name that is not UTF-8': [modelWith([1, message([3, new Uint8Array([0xff, 0xfe])])]), /not an ONNX model/],
    'graphs nested without end': [deep(60), /nests messages deeper than 100/],
    'types nested without end': [deepType(200), /nests messages deeper than 100/],
    'two initializers of one name': [
      modelWith([5, message([8, 'w'])], [5, message([8, 'w'])]),
      /graph "g": two initializers are named "w"/,
    ],
    'two attributes of one name': [
      modelWith([1, message([3, 'n'], [5, message([1, 'a'], [3, 1])], [5, message([1, 'a'], [3, 2])])]),
      /node "n": two attributes are named "a"/,
    ],
    'a dimension beyond 2^53': [
      message([7, message([11, message([2, message([1, message([2, message([1, int64Dimension()])])])])])]),
      /a dimension is 9223372036854775807/,
    ],
    'an offset that is no number': [
      initializer([2, 1], [8, 'w'], [13, message([1, 'offset'], [2, '-5'])], [14, 1]),
      /tensor "w": external data has the offset "-5"/,
    ],
    'a list that ends within a number': [
      initializer([2, 7], [8, 'w'], [7, new Uint8Array([1, 0x80])]),
      /not an ONNX model/,
    ],
    'floats that end within a number': [initializer([2, 1], [4, 'abcde'], [8, 'w']), /tensor "w": its list of numbers/],
  };
  for (const [name, [bytes, expected]] of Object.entries(rows)) {
    it(`end in a clear error: ${name}`, () => {
      expect(() => decodeModel(bytes)).toThrow(expected);
      expect(() => decodeModel(bytes)).toThrow(LatheError);
    });
  }

  it('end in a clear error wherever they are cut', () => {
    const graphEnd = everything.byteLength;
    let decoded = 0;
    for (let length = 1; length < graphEnd; length++) {
      try {
        decodeModel(everything.subarray(0, length));
        decoded++;
      } catch (error) {
        expect(error).toBeInstanceOf(LatheError);
      }
    }
    // Between two fields after the graph, a cut file is a whole model: nothing in the format tells.
    expect(decoded).toBeLessThan(20);
  });

  it('cost no more than they hold: tensors and lists that claim what is not there', () => {
    const huge = initializer([1, 2 ** 50], [1, 2 ** 50], [2, 1], [8, 'w'], [9, 'four']);
    const before = process.memoryUsage().arrayBuffers;
    const { initializers } = decodeModel(huge).graph;
    expect(initializers.get('w')).toMatchObject({ dims: [2 ** 50, 2 ** 50] });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    expect(() => tensorOf(initializers.get('w')!)).toThrow(/needs .* bytes, got 4/);
  });

  it('give no tensor of negative dimensions', () => {
    const tensor = decodeTensor(message([1, new Uint8Array([...minusOne, ...minusOne])], [2, 2], [9, 'a']));
    expect(tensor.dims).toEqual([-1, -1]);
    expect(() => tensorOf(tensor)).toThrow(/negative dimension: \[-1, -1\]/);
  });

  function int64Dimension(): Uint8Array {
    return new Uint8Array([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  }
});

describe('mapTensors', () => {
  const model: Model = decodeModel(everything);

  it('visits tensors wherever they are', () => {
    const names: (string | undefined)[] = [];
    mapTensors(model, (tensor) => {
      names.push(tensor.name);
      return tensor;
    });
    for (const name of ['typed_int2', 'sparse_rows', 'sparse_rows_indices', 't2', 's1', 't'])
      expect(names).toContain(name);
    expect(names.filter((name) => name === 't')).toHaveLength(8);
  });

  it('keeps whatever does not change', () => {
    expect(mapTensors(model, (tensor) => tensor)).toBe(model);
    const replaced = mapTensors(model, (tensor) =>
      tensor.name === 't2' ? stored(tensorFrom('int8', 1), 't2') : tensor,
    );
    expect(replaced).not.toBe(model);
    expect(replaced.functions).toBe(model.functions);
    expect(replaced.graph.initializers).toBe(model.graph.initializers);
    expect(replaced.graph.nodes[1]).toBe(model.graph.nodes[1]);
  });
});
