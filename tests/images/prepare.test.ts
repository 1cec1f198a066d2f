import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectData, openDataset, prepareDataset, type Row } from '../../src/data/index.ts';
import { digitPixels, pngOf, writeDigits } from './digits.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lathe-images-'));
  folder = join(root, 'photos');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const prepare = (more: Partial<Parameters<typeof prepareDataset>[0]> = {}) =>
  prepareDataset({ source: { kind: 'folder', path: 'photos' }, directory: root, out: join(root, 'data'), ...more });
const rowsOf = async (dataset: Awaited<ReturnType<typeof prepare>>): Promise<(Row & { split: string })[]> =>
  (
    await Promise.all(
      (['train', 'validation', 'test'] as const).map(async (split) =>
        (await dataset.readSplit(split)).map((row) => ({ ...row, split })),
      ),
    )
  ).flat();
const put = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), bytes);
};

describe('a folder of images by label', () => {
  it('becomes rows with their paths, sizes and hashes, and the folder that they are in', async () => {
    await writeDigits(folder, { each: 12, digits: [3, 7] });
    const { facts } = await prepare();
    expect(facts.columns).toEqual({
      image: 'image',
      label: 'label',
      all: ['image', 'label', 'width', 'height', 'channels', 'sha256'],
    });
    expect(facts).toMatchObject({ target: 'class', labels: ['3', '7'], imageFolder: '../photos' });
    expect(facts.rows).toEqual({ read: 24, unusable: 0, dropped: 0, kept: 24 });
    const rows = await rowsOf(
      await openDataset(join(root, 'data')).then((opened) => ({ ...opened, report: undefined as never })),
    );
    expect(new Set(rows.map(({ image }) => image)).size).toBe(24);
    expect(rows.find(({ image }) => image === '3/0000.png')).toMatchObject({
      label: '3',
      width: 28,
      height: 28,
      channels: 1,
    });
    expect(String(rows[0]!.sha256)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is split by what the images are, not by their names', async () => {
    await writeDigits(folder, { each: 20, digits: [3, 7] });
    const before = await rowsOf(await prepare());
    await rename(join(folder, '3', '0004.png'), join(folder, '3', 'renamed.png'));
    const after = await rowsOf(await prepare());
    const splitOf = (rows: typeof before) =>
      Object.fromEntries(rows.map(({ sha256, split }) => [String(sha256), split]));
    expect(splitOf(after)).toEqual(splitOf(before));
  });

  it('reports what cannot be read by its name, and goes on', async () => {
    await writeDigits(folder, { each: 6, digits: [1, 2] });
    await put('1/empty.png', '');
    await put('1/text.jpg', 'this is no image');
    await put('2/cut.png', (await readFile(join(folder, '2', '0000.png'))).subarray(0, 60));
    await put('2/notes.txt', 'hello');
    const { facts, report } = await prepare();
    expect(facts.rows).toMatchObject({ read: 16, unusable: 4, kept: 12 });
    const reasons = Object.fromEntries(report.unusable.examples.map(({ file, reason }) => [file, reason]));
    expect(reasons['photos/1/empty.png']).toBe('an empty file');
    for (const file of ['photos/1/text.jpg', 'photos/2/cut.png', 'photos/2/notes.txt']) {
      expect(reasons[file], file).toMatch(/^cannot be read as an image/);
    }
  });

  it('drops exact copies, and both where their labels differ', async () => {
    await writeDigits(folder, { each: 8, digits: [1, 2] });
    await copyFile(join(folder, '1', '0000.png'), join(folder, '1', 'copy.png'));
    await copyFile(join(folder, '1', '0001.png'), join(folder, '2', 'other.png'));
    const { facts, report } = await prepare();
    expect(facts.rows).toMatchObject({ read: 18, dropped: 3, kept: 15 });
    expect(report.duplicates).toMatchObject({ exactDropped: 3, conflicts: 1 });
  });

  it('keeps near-duplicates in one split', async () => {
    await writeDigits(folder, { each: 30, digits: [1, 2] });
    const together: [string, string][] = [];
    for (const label of ['1', '2']) {
      for (let index = 0; index < 15; index++) {
        const name = `${label}/00${String(index).padStart(2, '0')}`;
        const brighter = await sharp(join(folder, `${name}.png`))
          .linear(0.95, 2)
          .png()
          .toBuffer();
        await put(`${name}-again.png`, brighter);
        together.push([`${name}.png`, `${name}-again.png`]);
      }
    }
    const dataset = await prepare();
    const rows = await rowsOf(dataset);
    const splitOf = (name: string): string => rows.find(({ image }) => image === name)!.split;
    for (const [one, other] of together) expect(splitOf(other), other).toBe(splitOf(one));
    expect(new Set(together.map(([one]) => splitOf(one))).size).toBe(3);
    expect(dataset.report.duplicates).toMatchObject({ exactDropped: 0, nearKept: 30 });
  });

  it('has a page with sizes and pictures, and no more of them than a page can bear', async () => {
    await writeDigits(folder, { each: 14, digits: [3, 7] });
    const { report } = await prepare();
    expect(report.lengths).toBeUndefined();
    expect(report.images).toMatchObject({ width: { min: 28, max: 28 }, height: { median: 28 } });
    const page = await readFile(join(root, 'data', 'report.html'), 'utf8');
    expect(page.match(/<img src="data:image\/jpeg;base64,/g)).toHaveLength(20);
    expect(page).toContain('Width in pixels');
  });
});

describe('images that came in splits', () => {
  const digits = async (split: string, from: number): Promise<void> => {
    for (const label of [4, 5]) {
      for (const [index, pixels] of (await digitPixels(label, from + 6)).slice(from).entries()) {
        await put(`${split}/${label}/${index}.png`, await pngOf(pixels));
      }
    }
  };

  it('stay in them', async () => {
    await digits('train', 0);
    await digits('val', 6);
    await digits('test', 12);
    const { facts } = await prepare();
    expect(facts.splits).toEqual({ train: 12, validation: 12, test: 12 });
  });

  it('fail where one is on both sides, exactly or nearly', async () => {
    await digits('train', 0);
    await digits('test', 12);
    await copyFile(join(folder, 'train', '4', '0.png'), join(folder, 'test', '4', 'copy.png'));
    await expect(prepare()).rejects.toThrow(/1 row is on both sides of a split: .*test\/4\/copy\.png|train\/4\/0\.png/);
    await rm(join(folder, 'test', '4', 'copy.png'));
    await put(
      'test/4/near.png',
      await sharp(join(folder, 'train', '4', '0.png'))
        .linear(0.95, 2)
        .png()
        .toBuffer(),
    );
    await expect(prepare()).rejects.toMatchObject({ code: 'leak' });
    const { splits } = (await prepare({ leaks: 'drop-from-train' })).facts;
    expect([splits.train + splits.validation, splits.test]).toEqual([11, 13]);
  });
});

describe('images that a table names', () => {
  it('have its columns', async () => {
    const lines = ['file_name,label,camera'];
    for (const label of [0, 8]) {
      for (const [index, pixels] of (await digitPixels(label, 8)).entries()) {
        await put(`images/${label}-${index}.png`, await pngOf(pixels));
        lines.push(`images/${label}-${index}.png,${label === 0 ? 'zero' : 'eight'},a${index % 2}`);
      }
    }
    lines.push('images/none.png,zero,a0');
    await put('metadata.csv', `${lines.join('\n')}\n`);
    const { facts, report } = await prepare();
    expect(facts.labels).toEqual(['eight', 'zero']);
    expect(facts.columns.all).toEqual(['image', 'label', 'camera', 'width', 'height', 'channels', 'sha256']);
    expect(report.unusable.examples).toEqual([
      { file: 'photos/metadata.csv', line: 18, reason: 'file_name names no file there', excerpt: 'images/none.png' },
    ]);
    const rows = await rowsOf(await prepare());
    expect(rows.map(({ image }) => image)).toContain('images/0-3.png');
  });
});

it('a folder of texts is one of texts', async () => {
  for (const label of ['a', 'b'])
    for (let index = 0; index < 9; index++) await put(`${label}/${index}.txt`, `text ${label} ${index}`);
  await put('a/picture.png', await pngOf(new Uint8Array(784)));
  const report = await inspectData({ source: { kind: 'folder', path: 'photos' }, directory: root, cleaning: [] });
  expect(report.images).toBeUndefined();
  expect(report.rows).toMatchObject({ read: 19, unusable: 1 });
});
