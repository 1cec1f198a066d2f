import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomically, writeFolderAtomically } from './atomic-write.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* failing(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(10);
  throw new Error('stopped half-way');
}

describe('writeFileAtomically', () => {
  it('writes text and chunks', async () => {
    await writeFileAtomically(join(folder, 'new', 'a.txt'), 'text');
    expect(await readFile(join(folder, 'new', 'a.txt'), 'utf8')).toBe('text');
    await writeFileAtomically(join(folder, 'b'), [new Uint8Array([1]), new Uint8Array([2, 3])]);
    expect([...(await readFile(join(folder, 'b')))]).toEqual([1, 2, 3]);
  });

  it('keeps the old content and leaves nothing behind when writing fails', async () => {
    const path = join(folder, 'kept');
    await writeFile(path, 'old');
    await expect(writeFileAtomically(path, failing())).rejects.toThrow('half-way');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['kept']);
  });

  it('says what to do when the path cannot be', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeFileAtomically(join(folder, 'file', 'inside'), '')).rejects.toThrow(/cannot write/);
  });
});

describe('writeFolderAtomically', () => {
  it('replaces a folder only when the new one is complete', async () => {
    const path = join(folder, 'package');
    await mkdir(path);
    await writeFile(join(path, 'old'), '');
    await expect(
      writeFolderAtomically(path, async (inside) => {
        await writeFile(join(inside, 'half'), '');
        throw new Error('stopped half-way');
      }),
    ).rejects.toThrow('half-way');
    expect(await readdir(path)).toEqual(['old']);
    await writeFolderAtomically(path, (inside) => writeFile(join(inside, 'new'), ''));
    expect(await readdir(path)).toEqual(['new']);
    expect(await readdir(folder)).toEqual(['package']);
  });

  it('does not replace a file', async () => {
    const path = join(folder, 'data.csv');
    await writeFile(path, 'text,label');
    const writing = writeFolderAtomically(path, (inside) => writeFile(join(inside, 'new'), ''));
    await expect(writing).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('data.csv') });
    expect(await readFile(path, 'utf8')).toBe('text,label');
    expect(await readdir(folder)).toEqual(['data.csv']);
  });
});
