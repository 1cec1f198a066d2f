import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { crc32c, encodeRecord, encodeScalarEvent, maskedCrc32c, TensorBoardWriter } from './tensorboard.ts';

const ascii = (text: string) => Buffer.from(text, 'ascii');
const range = (from: number, step: number) => Uint8Array.from({ length: 32 }, (_, index) => from + step * index);

describe('CRC-32C', () => {
  it.each<[string, Uint8Array, number]>([
    ['RFC 3720: 32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['RFC 3720: 32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['RFC 3720: 0 to 31', range(0, 1), 0x46dd794e],
    ['RFC 3720: 31 to 0', range(31, -1), 0x113fdb5c],
    ['the check value of the CRC catalogue', ascii('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
  ])('%s', (_, data, expected) => {
    expect(crc32c(data)).toBe(expected);
  });

  it('is masked by a rotation and a constant', () => {
    expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
    // 0xe3069283 rotated right by 15 bits is 0x2507c60d.
    expect(maskedCrc32c(ascii('123456789'))).toBe((0x2507c60d + 0xa282ead8) >>> 0);
  });
});

/** The events of a file, decoded apart from the writer: lengths, both checksums, then the fields. */
function decode(file: Buffer) {
  const events: { seconds: number; step: number; version?: string; scalars: [string, number][] }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    const event: (typeof events)[number] = { seconds: 0, step: 0, scalars: [] };
    for (const { field, number, bytes } of fields(data)) {
      if (field === 1) event.seconds = number;
      if (field === 2) event.step = number;
      if (field === 3) event.version = bytes.toString();
      if (field !== 5) continue;
      for (const value of fields(bytes)) {
        const parts = [...fields(value.bytes)];
        event.scalars.push([parts[0]!.bytes.toString(), parts[1]!.number]);
      }
    }
    events.push(event);
    at += 16 + length;
  }
  return events;
}

function* fields(data: Buffer): Generator<{ field: number; number: number; bytes: Buffer }> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = data[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = varint();
    const nothing = Buffer.alloc(0);
    const wire = key & 7;
    if (wire === 0) yield { field: key >> 3, number: varint(), bytes: nothing };
    else {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : varint();
      const bytes = data.subarray(at, at + length);
      at += length;
      const number = wire === 1 ? bytes.readDoubleLE() : wire === 5 ? bytes.readFloatLE() : 0;
      yield { field: key >> 3, number, bytes };
    }
  }
}

describe('TensorBoard event file', () => {
  const folders: string[] = [];
  const folder = async () => {
    folders.push(await mkdtemp(join(tmpdir(), 'lathe-tensorboard-')));
    return folders.at(-1)!;
  };
  afterEach(async () => {
    await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
  });

  it('begins with its version and holds the scalars of every step', async () => {
    const writer = await TensorBoardWriter.create(await folder(), 1_700_000_000_500);
    await writer.write(0, [{ tag: 'train/loss', value: 0.5 }], 1_700_000_001_000);
    await writer.write(
      300,
      [
        { tag: 'validation/f1', value: 0.25 },
        { tag: 'größe', value: Number.NaN },
      ],
      1_700_000_002_000,
    );
    await writer.write(2 ** 40, [], 1_700_000_003_000);
    await writer.close();
    expect(writer.path).toMatch(/events\.out\.tfevents\.1700000000\.lathe$/);
    expect(decode(await readFile(writer.path))).toEqual([
      { seconds: 1_700_000_000.5, step: 0, version: 'brain.Event:2', scalars: [] },
      { seconds: 1_700_000_001, step: 0, scalars: [['train/loss', 0.5]] },
      {
        seconds: 1_700_000_002,
        step: 300,
        scalars: [
          ['validation/f1', 0.25],
          ['größe', Number.NaN],
        ],
      },
      { seconds: 1_700_000_003, step: 2 ** 40, scalars: [] },
    ]);
  });

  it('frames each record with its length and two checksums', () => {
    const record = Buffer.from(encodeRecord(ascii('123456789')));
    expect(record.length).toBe(25);
    expect(record.readBigUInt64LE(0)).toBe(9n);
    expect(record.subarray(12, 21).toString()).toBe('123456789');
    expect(record.readUInt32LE(21)).toBe((0x2507c60d + 0xa282ead8) >>> 0);
  });

  it('does not write over another file, and refuses a step that is none', async () => {
    const path = await folder();
    await (await TensorBoardWriter.create(path, 5000)).close();
    await expect(TensorBoardWriter.create(path, 5000)).rejects.toThrow(/cannot create .*EEXIST/);
    await expect(TensorBoardWriter.create(join(path, 'missing'), 0)).rejects.toThrow(/cannot create .*ENOENT/);
    expect(() => encodeScalarEvent(1.5, [], 0)).toThrow(/integer from 0, got 1.5/);
  });
});
