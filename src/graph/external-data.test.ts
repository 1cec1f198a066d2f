import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LatheError } from '../base/errors.ts';
import { tensorFrom } from '../base/tensor.ts';
import { tensorAttribute } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import { check } from './check.ts';
import { decodeModel, encodeModel } from './encoding.ts';
import { loadExternalData, loadExternalTensor, problemWithLocation } from './external-data.ts';
import type { Model, StoredTensor } from './ir.ts';
import { readModel } from './read.ts';
import { stored, tensorOf } from './stored.ts';
import { writeModel } from './write.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const counting = (length: number): number[] => Array.from({ length }, (_, index) => index + 0.5);

/** y = x · a + b + c, with c an attribute, small and large. */
function example(): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['N', 16]);
  const a = builder.initializer('a', tensorFrom('float32', counting(16 * 32), [16, 32]));
  const b = builder.initializer('b', tensorFrom('float32', counting(32), [32]));
  const c = builder.op('Constant', [], { value: tensorAttribute(tensorFrom('float32', counting(1024), [32, 32])) });
  builder.output(builder.add(builder.add(builder.matMul(x, a), b), c), { dtype: 'float32', shape: [null, 32] }, 'y');
  return builder.build();
}

function withExternal(content: Partial<Extract<StoredTensor['content'], { kind: 'external' }>>, dims = [4]): Model {
  const model = example();
  const tensor: StoredTensor = {
    name: 'a',
    dtype: 'float32',
    dims,
    content: { kind: 'external', location: 'data', offset: 0, entries: [], ...content },
  };
  return { ...model, graph: { ...model.graph, initializers: new Map([['a', tensor]]) } };
}

describe('a model with its weights in another file', () => {
  it('reads back as it was', async () => {
    const path = join(folder, 'model.onnx');
    const model = example();
    await writeModel(model, path, { externalData: {} });
    expect((await readdir(folder)).sort()).toEqual(['model.onnx', 'model.onnx_data']);
    const read = await readModel(path);
    expect(tensorOf(read.graph.initializers.get('a')!)).toEqual(tensorOf(model.graph.initializers.get('a')!));
    const constant = read.graph.nodes.find(({ opType }) => opType === 'Constant')!.attributes.get('value')!;
    expect(constant.kind === 'tensor' && tensorOf(constant.value)).toEqual(
      tensorFrom('float32', counting(1024), [32, 32]),
    );
    check(read);
  });

  it('keeps small weights in the model file, and begins large ones at pages', async () => {
    const path = join(folder, 'model.onnx');
    await writeModel(example(), path, { externalData: { threshold: 1024, location: 'weights.bin' } });
    const read = await readModel(path, { loadExternalData: false });
    const { initializers } = read.graph;
    expect(initializers.get('b')!.content.kind).toBe('bytes');
    const large = { location: 'weights.bin', folder };
    expect(initializers.get('a')!.content).toMatchObject({ ...large, offset: 0, length: 2048 });
    const constant = read.graph.nodes.find(({ opType }) => opType === 'Constant')!.attributes.get('value');
    expect(constant).toMatchObject({ value: { content: { ...large, offset: 4096, length: 4096 } } });
    expect((await stat(join(folder, 'weights.bin'))).size).toBe(8192);
    check(read);
    expect(() => tensorOf(initializers.get('a')!)).toThrow(/not loaded/);
  });

  it('is the same again when it is written again in its place, or elsewhere', async () => {
    const path = join(folder, 'model.onnx');
    await writeModel(example(), path, { externalData: {} });
    const [model, data] = [await readFile(path), await readFile(`${path}_data`)];
    const unloaded = await readModel(path, { loadExternalData: false });
    await writeModel(unloaded, path);
    expect(await readFile(path)).toEqual(model);
    const elsewhere = join(folder, 'copy', 'model.onnx');
    await expect(writeModel(unloaded, elsewhere)).rejects.toThrow(/Load it first .*, or write with `externalData`/);
    await writeModel(unloaded, elsewhere, { externalData: {} });
    const copy = await readModel(elsewhere);
    await writeModel(unloaded, path, { externalData: {} });
    expect((await readFile(`${path}_data`)).byteLength).toBe(data.byteLength);
    expect(encodeModel(await readModel(path))).toEqual(encodeModel(copy));
    expect(tensorOf(copy.graph.initializers.get('a')!)).toEqual(tensorFrom('float32', counting(512), [16, 32]));
  });

  it('keeps what the file says of a tensor word by word', async () => {
    const entries = [
      ['location', 'data'],
      ['offset', '0000'],
      ['checksum', 'abc'],
    ] as const;
    const written = decodeModel(encodeModel(withExternal({ entries })));
    expect(written.graph.initializers.get('a')!.content).toMatchObject({ entries });
    const moved = decodeModel(encodeModel(withExternal({ entries, offset: 64, length: 16 })));
    expect(moved.graph.initializers.get('a')!.content).toMatchObject({
      entries: [
        ['location', 'data'],
        ['offset', '64'],
        ['checksum', 'abc'],
        ['length', '16'],
      ],
    });
  });

  it('may be over 2 GiB: only the weights that are asked for are read', async () => {
    const path = join(folder, 'model.onnx');
    const beyond = 5 * 2 ** 30;
    const tensors: Record<string, StoredTensor> = {
      huge: {
        dtype: 'float32',
        dims: [1250, 2 ** 20],
        content: { kind: 'external', location: 'data', offset: 0, length: 5000 * 2 ** 20, entries: [] },
      },
      last: {
        dtype: 'float32',
        dims: [4],
        content: { kind: 'external', location: 'data', offset: beyond, length: 16, entries: [] },
      },
    };
    const model = example();
    await writeModel(
      {
        ...model,
        graph: { ...model.graph, initializers: new Map([...model.graph.initializers, ...Object.entries(tensors)]) },
      },
      path,
    );
    const data = await open(join(folder, 'data'), 'w');
    await data.write(new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer), 0, 16, beyond);
    await data.close();
    const before = process.memoryUsage().arrayBuffers;
    const read = await readModel(path, { loadExternalData: false });
    check(read);
    const last = await loadExternalTensor(read.graph.initializers.get('last')!);
    expect(tensorOf(last)).toEqual(tensorFrom('float32', [1, 2, 3, 4]));
    await writeModel(read, join(folder, 'again.onnx'));
    expect(await readFile(join(folder, 'again.onnx'))).toEqual(await readFile(path));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });
});

describe('external data that cannot be', () => {
  it.each([
    ['../secret', /leads out of the model's folder/],
    ['sub/../../secret', /leads out of the model's folder/],
    ['sub\\..\\..\\secret', /leads out of the model's folder/],
    ['/etc/passwd', /absolute path "\/etc\/passwd"/],
    ['C:\\secret', /absolute path/],
    ['\\\\server\\share', /absolute path/],
    ['', /has no location/],
    ['a\0b', /zero byte/],
  ])('is refused by its path alone: %j', async (location, expected) => {
    await writeFile(join(folder, 'secret'), new Uint8Array(16));
    const inner = join(folder, 'inner');
    await mkdir(inner);
    await writeModel(withExternal({ location }), join(inner, 'model.onnx'));
    await expect(readModel(join(inner, 'model.onnx'))).rejects.toThrow(expected);
    await expect(readModel(join(inner, 'model.onnx'))).rejects.toThrow(LatheError);
  });

  it.each(['data', 'sub/data', '..data', 'a..b', './data'])('is not refused for nothing: %s', (location) => {
    expect(problemWithLocation(location)).toBeUndefined();
  });

  it('is refused where a link leads out of the folder, but not within it', async () => {
    await writeFile(join(folder, 'secret'), new Uint8Array(16));
    const inner = join(folder, 'inner');
    await mkdir(inner);
    await writeModel(withExternal({}), join(inner, 'model.onnx'));
    await symlink(join(folder, 'secret'), join(inner, 'data'));
    await expect(readModel(join(inner, 'model.onnx'))).rejects.toThrow(/symbolic link that leads out/);
    await rm(join(inner, 'data'));
    await writeFile(join(inner, 'real'), new Uint8Array(16));
    await symlink('real', join(inner, 'data'));
    expect((await readModel(join(inner, 'model.onnx'))).graph.initializers.get('a')!.content.kind).toBe('bytes');
    await mkdir(join(folder, 'out'));
    await symlink(join(folder, 'out'), join(inner, 'sub'));
    await writeFile(join(folder, 'out', 'data'), new Uint8Array(16));
    await writeModel(withExternal({ location: 'sub/data' }), join(inner, 'model.onnx'));
    await expect(readModel(join(inner, 'model.onnx'))).rejects.toThrow(/symbolic link that leads out/);
  });

  it('is found where model and data are links into one folder, as in the Hugging Face cache', async () => {
    await mkdir(join(folder, 'blobs'));
    await mkdir(join(folder, 'snapshot'));
    await writeModel(withExternal({}), join(folder, 'blobs', '1234'));
    await writeFile(join(folder, 'blobs', '5678'), new Uint8Array(16));
    await symlink('../blobs/1234', join(folder, 'snapshot', 'model.onnx'));
    await symlink('../blobs/5678', join(folder, 'snapshot', 'data'));
    const model = await readModel(join(folder, 'snapshot', 'model.onnx'), { loadExternalData: false });
    const loaded = await loadExternalData(model);
    expect(loaded.graph.initializers.get('a')!.content).toMatchObject({ kind: 'bytes' });
  });

  it.each([
    ['ends before it', { offset: 4 }, 16, /begins at byte 4, but ".*data" has 16 bytes/],
    [
      'ends before it, by its length',
      { offset: 8, length: 16 },
      20,
      /begins at byte 8 and takes 16, but .* has 20 bytes/,
    ],
    ['begins after the end', { offset: 2 ** 52, length: 16 }, 16, /begins at byte 4503599627370496/],
    ['is of another size than the tensor', { length: 12 }, 16, /needs 16 bytes, but its external data has 12/],
  ] as const)('is refused where the file %s', async (_, content, size, expected) => {
    await writeModel(withExternal(content), join(folder, 'model.onnx'));
    await writeFile(join(folder, 'data'), new Uint8Array(size));
    await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(expected);
  });

  it('is refused before anything of its claimed size is allocated', async () => {
    await writeModel(withExternal({ length: 2 ** 42 }, [2 ** 40]), join(folder, 'model.onnx'));
    await writeFile(join(folder, 'data'), new Uint8Array(16));
    await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(/takes 4398046511104, but .* has 16 bytes/);
    await truncate(join(folder, 'data'), 2 ** 42);
    await writeModel(withExternal({ offset: 16, length: 2 ** 42 }, [2 ** 40]), join(folder, 'later.onnx'));
    await expect(readModel(join(folder, 'later.onnx'))).rejects.toThrow(/begins at byte 16 and takes 4398046511104/);
    await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(/no memory for its 4398046511104 bytes/);
  });

  it('is refused where tensors overlap, but not where they are the same', async () => {
    const tensors = (offsets: readonly number[]): Model => {
      const [tensor] = withExternal({}).graph.initializers.values();
      const list = offsets.map((offset, index): [string, StoredTensor] => [
        `w${index}`,
        {
          ...tensor!,
          name: `w${index}`,
          content: { kind: 'external', location: 'data', offset, length: 16, entries: [] },
        },
      ]);
      const { graph, ...rest } = example();
      return { ...rest, graph: { ...graph, initializers: new Map(list) } };
    };
    const path = join(folder, 'model.onnx');
    await writeFile(join(folder, 'data'), new Uint8Array(24));
    await writeModel(tensors([0, 0, 0]), path);
    const contents = [...(await readModel(path)).graph.initializers.values()].map(({ content }) => content);
    const [first, ...others] = contents.map((content) => content.kind === 'bytes' && content.bytes);
    for (const other of others) expect(other).toBe(first);
    await writeModel(tensors([0, 4, 8]), path);
    await expect(readModel(path)).rejects.toThrow(/the tensors in ".*data" overlap: together they take 32 bytes of 24/);
  });

  it('is refused where it is missing or no file', async () => {
    await writeModel(withExternal({}), join(folder, 'model.onnx'));
    await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(/"data" cannot be read \(ENOENT\)/);
    await mkdir(join(folder, 'data'));
    await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(/no regular file/);
  });

  it('is refused for a model that did not come from a file', async () => {
    await expect(loadExternalData(withExternal({}))).rejects.toThrow(/Read the model with readModel/);
  });
});

describe('reading and writing', () => {
  it('says what is wrong with a path', async () => {
    await expect(readModel(join(folder, 'nothing.onnx'))).rejects.toThrow(/there is no model file ".*nothing.onnx"/);
    await expect(readModel(folder)).rejects.toThrow(LatheError);
    await writeFile(join(folder, 'empty.onnx'), '');
    await expect(readModel(join(folder, 'empty.onnx'))).rejects.toThrow(/empty.onnx": the file is empty/);
    await writeFile(join(folder, 'large.onnx'), '');
    await truncate(join(folder, 'large.onnx'), 2 ** 31);
    await expect(readModel(join(folder, 'large.onnx'))).rejects.toThrow(/2147483648 bytes: an ONNX file holds at most/);
  });

  it.each(['../data', '/tmp/data', 'model.onnx'])('refuses to write the data file to %s', async (location) => {
    const path = join(folder, 'model.onnx');
    await expect(writeModel(example(), path, { externalData: { location } })).rejects.toThrow(/the data file/);
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves the old model and nothing else where a new one cannot be written', async () => {
    const path = join(folder, 'model.onnx');
    await writeModel(example(), path);
    const before = await readFile(path);
    const broken = withExternal({ folder, location: 'missing' });
    await expect(writeModel(broken, path, { externalData: {} })).rejects.toThrow(/"missing" cannot be read/);
    const content: StoredTensor['content'] = { kind: 'bytes', bytes: new Uint8Array(3), field: 'typed' };
    const odd: StoredTensor = { ...stored(tensorFrom('int16', [1])), content };
    const model = { ...broken, graph: { ...broken.graph, initializers: new Map([['a', odd]]) } };
    await expect(writeModel(model, path)).rejects.toThrow(/3 bytes are no whole number of int16/);
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(['model.onnx']);
  });
});
