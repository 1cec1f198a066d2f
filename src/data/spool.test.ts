import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Row } from './row.ts';
import { spool } from './spool.ts';

const directory = mkdtempSync(join(tmpdir(), 'lathe-spool-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('spool', () => {
  const rows: readonly Row[] = Array.from({ length: 3000 }, (_, index) => ({
    text: `line\u2028${'x'.repeat(index)} 😀\r\n"quoted"`,
    label: index % 2 === 0 ? null : index,
    list: [index, { deep: true }],
  }));
  const fill = async (inMemory: number) => {
    const all = spool(directory, inMemory);
    for (const row of rows) await all.push(row);
    return all;
  };
  const read = async (from: AsyncIterable<Row>): Promise<Row[]> => {
    const out: Row[] = [];
    for await (const row of from) out.push(row);
    return out;
  };

  for (const [where, inMemory] of [
    ['memory', 1 << 30],
    ['a file from the first row', 0],
    ['a file once there are many', 50_000],
  ] as const) {
    it(`gives rows back from ${where}, again and again, and cleans up`, async () => {
      const all = await fill(inMemory);
      expect(all.length).toBe(rows.length);
      expect(await read(all.rows())).toEqual(rows);
      expect(await read(all.rows())).toEqual(rows);
      expect(readdirSync(directory)).toHaveLength(where === 'memory' ? 0 : 1);
      await all.close();
      expect(readdirSync(directory)).toEqual([]);
    });
  }
});
