import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';
import { tensor, tensorFrom } from './tensor.ts';

const join = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const file = (header: string, body = new Uint8Array()) => {
  const json = new TextEncoder().encode(header);
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return join([head, json, body]);
};

describe('safetensors', () => {
  it('gives back what was written, as aligned views', () => {
    const tensors = new Map([
      ['flags', tensorFrom('uint8', [1, 2, 3])],
      ['weight', tensorFrom('float32', [1.5, -2, 3, 4], [2, 2])],
      ['empty', tensorFrom('float32', [], [0, 3])],
      ['ids', tensorFrom('int64', [7, 8])],
      ['half', tensor('float16', [1], new Uint16Array([0x3c00]))],
    ]);
    const bytes = join(encodeSafetensors(tensors, { step: '12' }));
    const read = decodeSafetensors(bytes);
    expect(read.metadata).toEqual({ step: '12' });
    expect(Object.fromEntries(read.tensors)).toEqual(Object.fromEntries(tensors));
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
    const weight = read.tensors.get('weight')!.data as Float32Array;
    expect(weight.buffer).toBe(bytes.buffer);
  });

  it.each([
    ['too short', new Uint8Array(4), /too few/],
    ['a header that lies', new Uint8Array([255, 255, 255, 255, 255, 255, 0, 0, 1]), /claims/],
    ['not JSON', file('{{'), /not JSON/],
    ['not an object', file('[]'), /not a JSON object/],
    [
      'a hole',
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', new Uint8Array(2)),
      /unused or used twice/,
    ],
    [
      'an overlap',
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        new Uint8Array(3),
      ),
      /unused or used twice/,
    ],
    [
      'a shape that lies',
      file('{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}', new Uint8Array(4)),
      /needs 4000000 bytes/,
    ],
    [
      'bytes at the end',
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(2)),
      /follow the last/,
    ],
    ['an unknown type', file('{"a":{"dtype":"Q1","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1)), /type Q1/],
    [
      'offsets past the end',
      file('{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}', new Uint8Array(1)),
      /needs 9 bytes/,
    ],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });
});
