import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row, UnreadableRow } from '../row.ts';
import { connectDuckDB } from './duckdb.ts';
import { readRows } from './index.ts';
import { type SourceInput, sourceSchema } from './source.ts';
import { sourceOf } from './source-of.ts';

const directory = mkdtempSync(join(tmpdir(), 'lathe-sources-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function put(name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), content);
}

interface ReadAll {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** `file:line` of each row. */
  readonly places: readonly string[];
  readonly unreadable: readonly UnreadableRow[];
  readonly notes: readonly string[];
}

async function readAll(source: SourceInput): Promise<ReadAll> {
  const reader = await readRows(sourceSchema.parse(source), { directory });
  const rows: Row[] = [];
  const found: { file: string; number: number }[] = [];
  for await (const batch of reader.batches) {
    for (const [index, row] of batch.rows.entries()) {
      rows.push(row);
      found.push({
        file: typeof batch.file === 'string' ? batch.file : batch.file[index]!,
        number: batch.numbers[index]!,
      });
    }
  }
  const places: string[] = [];
  for (const { file, number } of found) places.push(`${file}:${(await reader.locate(file, [number]))[0]}`);
  const columns = reader.columns.map(({ name, type }) => `${name} ${type}`);
  await reader.close();
  return { columns, rows, places, unreadable: reader.unreadable, notes: reader.notes };
}

const csv = async (content: string | Uint8Array, settings: object = {}): Promise<ReadAll> => {
  put('case.csv', content);
  return readAll({ kind: 'csv', path: 'case.csv', ...settings });
};
const linesOf = (rows: readonly UnreadableRow[]): string[] => rows.map(({ line, reason }) => `${line}: ${reason}`);

describe('CSV', () => {
  it('reads quotes, line breaks in cells, a byte order mark and carriage returns, and knows the lines', async () => {
    const { columns, rows, places } = await csv('\ufefftext,label\r\n"a ""b""\r\nc",x\r\nd,"y,z"\r\n');
    expect(columns).toEqual(['text text', 'label text']);
    expect(rows).toEqual([
      { text: 'a "b"\r\nc', label: 'x' },
      { text: 'd', label: 'y,z' },
    ]);
    expect(places).toEqual(['case.csv:2', 'case.csv:4']);
  });

  it('leaves out records that do not fit and names their lines', async () => {
    const { rows, places, unreadable } = await csv(
      'text,label\n"two\nlines",x\nonly\none,two,three\n"closed"behind,x\ngood,y\n',
    );
    expect(rows.map(({ text }) => text)).toEqual(['two\nlines', 'good']);
    expect(places).toEqual(['case.csv:2', 'case.csv:7']);
    expect(linesOf(unreadable)).toEqual([
      '4: expected 2 cells, got 1',
      '5: expected 2 cells, got 3',
      '6: text behind a closing quote',
    ]);
  });

  it('says that a quote never closes', async () => {
    const { rows, unreadable } = await csv('text,label\na,b\n"open,x\nc,d\ne,f\n');
    expect(rows).toEqual([{ text: 'a', label: 'b' }]);
    expect(linesOf(unreadable)).toEqual(['3: a quote that never closes: 3 lines from here on are lost']);
  });

  it('reports bytes of another encoding, and reads them when told which', async () => {
    const latin = Buffer.from('text,label\ncaf\xe9,x\nplain,y\n', 'latin1');
    const asUtf8 = await csv(latin);
    expect(asUtf8.rows).toEqual([{ text: 'plain', label: 'y' }]);
    expect(asUtf8.places).toEqual(['case.csv:3']);
    expect(linesOf(asUtf8.unreadable)).toEqual(['2: bytes that are not UTF-8']);
    expect((await csv(latin, { encoding: 'latin1' })).rows[0]).toEqual({ text: 'café', label: 'x' });
    await expect(csv(latin, { encoding: 'klingon' })).rejects.toThrow(/encoding: there is none called "klingon"/);
  });

  it('knows UTF-16 by its mark', async () => {
    const { rows, notes } = await csv(Buffer.from('\ufefftext,label\nüber,x\n', 'utf16le'));
    expect(rows).toEqual([{ text: 'über', label: 'x' }]);
    expect(notes).toEqual(['case.csv: read as utf-16le, as its byte order mark says']);
  });

  const small: readonly [what: string, content: string, rows: Row[]][] = [
    ['an empty file', '', []],
    ['only a header', 'text,label\n', []],
    ['one row without a line end', 'text,label\na,b', [{ text: 'a', label: 'b' }]],
    [
      'only carriage returns',
      'text,label\ra,b\rc,d\r',
      [
        { text: 'a', label: 'b' },
        { text: 'c', label: 'd' },
      ],
    ],
    ['empty lines anywhere', '\n\ntext,label\n\na,b\n\n', [{ text: 'a', label: 'b' }]],
    [
      'null and empty cells',
      'text,label\n,x\n"",y\n',
      [
        { text: null, label: 'x' },
        { text: '', label: 'y' },
      ],
    ],
    ['emoji', 'text,label\n👩‍👩‍👧 ok,😀\n', [{ text: '👩‍👩‍👧 ok', label: '😀' }]],
    ['semicolons', 'text;label\n"a,b";c\n', [{ text: 'a,b', label: 'c' }]],
    ['tabs', 'text\tlabel\na b\tc\n', [{ text: 'a b', label: 'c' }]],
    ['one column', 'text\na b\n', [{ text: 'a b' }]],
    ['numbers stay as written', 'text,label\n007,1e3\n', [{ text: '007', label: '1e3' }]],
    ['hostile names', `te"xt,la'bel\na,b\n`, [{ 'te"xt': 'a', "la'bel": 'b' }]],
    [
      'mixed line ends',
      'text,label\r\na,b\n"x\ny",z\r\n',
      [
        { text: 'a', label: 'b' },
        { text: 'x\ny', label: 'z' },
      ],
    ],
  ];
  for (const [what, content, rows] of small) {
    it(`reads ${what}`, async () => expect((await csv(content)).rows).toEqual(rows));
  }

  it('tells columns of the same name apart', async () => {
    const { rows, notes } = await csv('text,text,,TEXT\na,b,c,d\n');
    expect(rows).toEqual([{ text: 'a', text_2: 'b', column3: 'c', TEXT_2: undefined, TEXT_3: 'd' }]);
    expect(notes).toHaveLength(3);
  });

  it('reads files without a header', async () => {
    expect((await csv('a,b\nc,d\n', { header: false })).rows).toEqual([
      { column1: 'a', column2: 'b' },
      { column1: 'c', column2: 'd' },
    ]);
  });

  it('reads a cell of a megabyte, and reports a record beyond 16', async () => {
    const { rows, unreadable, places } = await csv(
      `text,label\n${'x'.repeat(1 << 20)},a\n${'y'.repeat((1 << 24) + 5)},b\nz,c\n`,
    );
    expect(rows.map(({ text }) => (text as string).length)).toEqual([1 << 20, 1]);
    expect(places).toEqual(['case.csv:2', 'case.csv:4']);
    expect(linesOf(unreadable)).toEqual(['3: a record of more than 16777216 bytes']);
  });

  it('reads packed files, patterns and lists, in order', async () => {
    put('many/b.csv', 'text,label\nb,1\n');
    put('many/a.csv.gz', gzipSync('text,label\na,1\nbroken\n'));
    const { rows, places, unreadable } = await readAll({ kind: 'csv', path: 'many/*' });
    expect(rows.map(({ text }) => text)).toEqual(['a', 'b']);
    expect(places).toEqual(['many/a.csv.gz:2', 'many/b.csv:2']);
    expect(unreadable.map(({ file, line }) => `${file}:${line}`)).toEqual(['many/a.csv.gz:3']);
    expect((await readAll({ kind: 'csv', path: ['many/b.csv', 'many/a.csv.gz'] })).rows[0]).toEqual({
      text: 'b',
      label: '1',
    });
  });
});

describe('JSON', () => {
  it('reads an object a line and names the lines that are none', async () => {
    put(
      'case.jsonl',
      Buffer.concat([
        Buffer.from('\ufeff{"text":"a\u2028b","n":1}\r\n\n{"text":"c" "n":2}\n[1]\nnull\n'),
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d, 0x0a]),
        Buffer.from('{"text":"d","n":2.5,"more":[1]}'),
      ]),
    );
    const { columns, rows, places, unreadable } = await readAll({ kind: 'jsonl', path: 'case.jsonl' });
    expect(columns).toEqual(['text text', 'n number', 'more json']);
    expect(rows).toEqual([
      { text: 'a\u2028b', n: 1 },
      { text: 'd', n: 2.5, more: [1] },
    ]);
    expect(places).toEqual(['case.jsonl:1', 'case.jsonl:7']);
    expect(unreadable.map(({ line }) => line)).toEqual([3, 4, 5, 6]);
    expect(unreadable[1]!.reason).toBe('expected an object, got a list');
    expect(unreadable[3]!.reason).toBe('bytes that are not UTF-8');
  });

  it('reads packed lines, and names broken packing', async () => {
    put('case.jsonl.gz', gzipSync('{"text":"a"}\n'));
    expect((await readAll({ kind: 'jsonl', path: 'case.jsonl.gz' })).rows).toEqual([{ text: 'a' }]);
    put('broken.jsonl.gz', 'not gzip');
    await expect(readAll({ kind: 'jsonl', path: 'broken.jsonl.gz' })).rejects.toThrow(/broken gzip data/);
  });

  it('reads an array, and lines that are called .json', async () => {
    put('array.json', '[{"text":"a","n":1},\n {"text":"b","tags":["x",null]}, 5]');
    const { columns, rows, unreadable } = await readAll({ kind: 'json', path: 'array.json' });
    expect(columns).toEqual(['text text', 'n integer', 'tags json']);
    expect(rows).toEqual([
      { text: 'a', n: 1 },
      { text: 'b', tags: ['x', null] },
    ]);
    expect(linesOf(unreadable)).toEqual(['3: expected an object, got a number']);
    put('lines.json', '{"text":"a"}\n{"text":"b"}\n');
    expect((await readAll({ kind: 'json', path: 'lines.json' })).rows).toHaveLength(2);
    put('empty.json', '');
    expect((await readAll({ kind: 'json', path: 'empty.json' })).rows).toEqual([]);
    put('broken.json', '[{"text":"a"},{"text" "b"}]');
    await expect(readAll({ kind: 'json', path: 'broken.json' })).rejects.toThrow(/broken\.json: Malformed JSON/);
  });
});

describe('Parquet and SQL', () => {
  beforeAll(async () => {
    const connection = await connectDuckDB();
    await connection.run(`copy (
      select 'a' as text, 1 as n, 9007199254740993 as big, 1.25::decimal(9,2) as price, date '2024-02-29' as day,
             [1, 2] as list, {'k': 'v'} as record, true as flag, encode('é') as bytes, null::varchar as nothing,
             'nan'::double as strange
      union all select 'b', 2, 3, 0.5, null, [], null, false, '\\xFF'::blob, 'x', 1.5
    ) to '${join(directory, 'case.parquet')}' (format parquet)`);
    connection.closeSync();
  });

  it('reads every type of Parquet as JSON says it', async () => {
    const { columns, rows, places } = await readAll({ kind: 'parquet', path: 'case.parquet' });
    expect(columns).toEqual([
      'text text',
      'n integer',
      'big integer',
      'price number',
      'day time',
      'list json',
      'record json',
      'flag boolean',
      'bytes text',
      'nothing text',
      'strange number',
    ]);
    expect(rows).toEqual([
      {
        text: 'a',
        n: 1,
        big: '9007199254740993',
        price: 1.25,
        day: '2024-02-29',
        list: [1, 2],
        record: { k: 'v' },
        flag: true,
        bytes: 'é',
        nothing: null,
        strange: null,
      },
      {
        text: 'b',
        n: 2,
        big: 3,
        price: 0.5,
        day: null,
        list: [],
        record: null,
        flag: false,
        bytes: null,
        nothing: 'x',
        strange: 1.5,
      },
    ]);
    expect(places).toEqual(['case.parquet:1', 'case.parquet:2']);
  });

  it('refuses a file that is no Parquet', async () => {
    put('broken.parquet', 'PAR1 this is not');
    await expect(readAll({ kind: 'parquet', path: 'broken.parquet' })).rejects.toThrow(/broken\.parquet: /);
  });

  it('reads a query over files by relative paths, in its order', async () => {
    put('q.csv', 'text,stars\na,5\nb,3\nc,1\n');
    const query = `select text, case when stars > 3 then 'good' else 'bad' end as label, text from 'q.csv' where stars <> 3 order by text desc;`;
    const { columns, rows } = await readAll({ kind: 'sql', query });
    expect(columns).toEqual(['text text', 'label text', 'text_2 text']);
    expect(rows).toEqual([
      { text: 'c', label: 'bad', text_2: 'c' },
      { text: 'a', label: 'good', text_2: 'a' },
    ]);
  });

  it('refuses queries that write, and broken ones', async () => {
    const refused = [
      "copy (select 1) to 'x.csv'",
      'create table t as select 1',
      'select 1; select 2',
      'install httpfs',
    ];
    for (const query of refused) {
      await expect(readAll({ kind: 'sql', query })).rejects.toThrow(/expected one SELECT/);
    }
    await expect(readAll({ kind: 'sql', query: 'select nonsense' })).rejects.toThrow(/SQL query: .*nonsense/);
  });

  it('never goes to the network', async () => {
    await expect(readAll({ kind: 'sql', query: "select * from 'https://example.invalid/x.csv'" })).rejects.toThrow(
      /httpfs/,
    );
  });
});

describe('folders', () => {
  it('reads split/label/file', async () => {
    put('f1/train/good/1.txt', 'one');
    put('f1/dev/bad/2.txt', '\ufefftwo');
    put('f1/train/bad/x.bin', Uint8Array.from([0xff, 0xfe]));
    put('f1/.hidden/bad/x.txt', 'x');
    const { rows, unreadable } = await readAll({ kind: 'folder', path: 'f1' });
    expect(rows).toEqual([
      { text: 'two', label: 'bad', split: 'validation', file: 'dev/bad/2.txt' },
      { text: 'one', label: 'good', split: 'train', file: 'train/good/1.txt' },
    ]);
    expect(unreadable).toEqual([
      { file: 'f1/train/bad/x.bin', line: 0, reason: 'bytes that are not UTF-8', excerpt: '' },
    ]);
  });

  it('reads label/file', async () => {
    put('f2/good/1.txt', 'one');
    put('f2/bad/2.txt', 'two');
    expect((await readAll({ kind: 'folder', path: 'f2' })).rows.map(({ label }) => label)).toEqual(['bad', 'good']);
  });

  it('reads files that a metadata table names, and none outside', async () => {
    put('f3/metadata.csv', 'file_name,label\n1.txt,good\n../f2/bad/2.txt,bad\n../f30/2.txt,bad\nnone.txt,bad\n');
    put('f30/2.txt', 'two');
    put('f3/1.txt', 'one');
    const { rows, unreadable } = await readAll({ kind: 'folder', path: 'f3' });
    expect(rows).toEqual([{ text: 'one', label: 'good', file: '1.txt' }]);
    expect(unreadable.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it('leaves out what a metadata table says of a file that the file itself says', async () => {
    put('f6/metadata.csv', 'file_name,text,label\n1.txt,a caption,good\n');
    put('f6/1.txt', 'one');
    const { rows, columns, notes } = await readAll({ kind: 'folder', path: 'f6' });
    expect(rows).toEqual([{ text: 'one', label: 'good', file: '1.txt' }]);
    expect(columns).toEqual(['text text', 'label text', 'file text']);
    expect(notes).toEqual([expect.stringMatching(/column "text" of the metadata is left out/)]);

    put('f7/metadata.csv', 'file_name,image,width\n1.png,a picture,7\n');
    put(
      'f7/1.png',
      await sharp({ create: { width: 3, height: 2, channels: 3, background: '#f00' } })
        .png()
        .toBuffer(),
    );
    const images = await readAll({ kind: 'folder', path: 'f7' });
    expect(images.rows).toMatchObject([{ image: '1.png', width: 3 }]);
    expect(images.columns.slice(0, 3)).toEqual(['image text', 'width integer', 'height integer']);
  });

  it('reads tables that are named for splits', async () => {
    put('f4/train.csv', 'text,label\na,x\n');
    put('f4/eval.jsonl', '{"text":"b","label":"y"}\nbroken\n');
    const { rows, places, unreadable } = await readAll({ kind: 'folder', path: 'f4' });
    expect(rows).toEqual([
      { text: 'b', label: 'y', split: 'test' },
      { text: 'a', label: 'x', split: 'train' },
    ]);
    expect(places).toEqual(['f4/eval.jsonl:1', 'f4/train.csv:2']);
    expect(unreadable.map(({ file, line }) => `${file}:${line}`)).toEqual(['f4/eval.jsonl:2']);
  });

  it('refuses a folder of no known layout, and a file', async () => {
    put('f5/a/b/c/d.txt', 'x');
    await expect(readAll({ kind: 'folder', path: 'f5' })).rejects.toThrow(/no layout that is known/);
    await expect(readAll({ kind: 'folder', path: 'f2/good/1.txt' })).rejects.toThrow(/expected a folder, got a file/);
  });
});

describe('mail', () => {
  it('reads folders of mails', async () => {
    put('m/ham/1.eml', 'From: A <a@b.c>\nSubject: s\n\nbody');
    put('m/spam/2', 'Subject: t\n\nbuy');
    const { rows } = await readAll({ kind: 'mail', path: 'm' });
    expect(rows).toEqual([
      {
        text: 'From: A <a@b.c>\nSubject: s\n\nbody',
        label: 'ham',
        from: 'A <a@b.c>',
        subject: 's',
        body: 'body',
        file: 'ham/1.eml',
      },
      { text: 'From: \nSubject: t\n\nbuy', label: 'spam', from: '', subject: 't', body: 'buy', file: 'spam/2' },
    ]);
  });

  it('reads mails in JSON, with the bytes of the mail where they lie beside', async () => {
    put('j/spam-1/1.json', JSON.stringify({ id: '1', group: 'spam-1', text: 'Subject: s\n\ncaf\ufffd' }));
    put('j/spam-1/1.txt', Buffer.from('Subject: s\nContent-Type: text/plain; charset=latin1\n\ncaf\xe9', 'latin1'));
    put('j/spam-1/2.json', '{"id":"2"}');
    put('j/spam-1/3.json', '{');
    const { rows, unreadable } = await readAll({ kind: 'mail-json', path: 'j' });
    expect(rows.map(({ text, label }) => [text, label])).toEqual([['From: \nSubject: s\n\ncafé', 'spam-1']]);
    expect(unreadable.map(({ file }) => file)).toEqual(['spam-1/2.json', 'spam-1/3.json']);
  });
});

describe('paths', () => {
  it('says what is there instead of a missing file', async () => {
    put('here/reviews.csv', 'text\na\n');
    await expect(readAll({ kind: 'csv', path: 'here/review.csv' })).rejects.toThrow(
      /no such file\n {2}In here: reviews\.csv/,
    );
    await expect(readAll({ kind: 'csv', path: 'nowhere/x.csv' })).rejects.toThrow(
      /folder nowhere does not exist either/,
    );
    await expect(readAll({ kind: 'csv', path: 'here/*.tsv' })).rejects.toThrow(/no files/);
    await expect(readAll({ kind: 'parquet', path: 'here' })).rejects.toThrow(/expected a file, got a folder/);
  });

  it('knows the kind of a source by its words', () => {
    put('kinds/x.csv', '');
    expect(sourceOf('a/*.csv')).toEqual({ kind: 'csv', path: 'a/*.csv' });
    expect(sourceOf(['a.jsonl', 'b.ndjson.gz'])).toEqual({ kind: 'jsonl', path: ['a.jsonl', 'b.ndjson.gz'] });
    expect(sourceOf('sql:select 1')).toEqual({ kind: 'sql', query: 'select 1' });
    expect(sourceOf('kinds', directory)).toEqual({ kind: 'folder', path: 'kinds' });
    expect(() => sourceOf(['a.csv', 'b.parquet'])).toThrow(/files of different kinds/);
    expect(() => sourceOf('none', directory)).toThrow(/no such file/);
    put('kinds/x.xyz', '');
    expect(() => sourceOf('kinds/x.xyz', directory)).toThrow(/no kind that is known/);
  });
});
