import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, jsonOf, lathe, listed, temporaryFolder, writeMessages } from './lathe.ts';

const folder = temporaryFolder();
const PREPARED = ['dataset.json', 'report.html', 'test.jsonl', 'train.jsonl', 'validation.jsonl'];

interface Evaluation {
  readonly task: string;
  readonly examples: number;
  readonly positive: string;
  readonly metrics: Readonly<Record<'accuracy' | 'precision' | 'recall' | 'f1', number>>;
  readonly perClass: Readonly<Record<string, { precision: number; recall: number; f1: number; support: number }>>;
  readonly dataHash: string;
}

interface Predictions {
  readonly predictions: readonly { label: string; score: number; scores: Readonly<Record<string, number>> }[];
}

let prepared: Ended;
let trained: Ended;

beforeAll(async () => {
  writeMessages(join(folder, 'messages.csv'));
  prepared = await lathe(folder, ['data', 'prepare', 'messages.csv', '--out', 'data', '--json']);
  trained = await lathe(
    folder,
    'train --data data --arch linear --no-baseline --epochs 3 --out model --json --quiet'.split(' '),
  );
});

describe('data prepare', () => {
  it('writes the splits, the facts and a report', () => {
    expect(prepared.code, prepared.stderr).toBe(0);
    expect(listed(join(folder, 'data'))).toEqual(PREPARED);
    const result = jsonOf<{ splits: Record<string, number>; labels: string[]; dataHash: string }>(prepared);
    const { train, validation, test } = result.splits;
    expect([train! + validation! + test!, result.labels]).toEqual([200, ['ham', 'spam']]);
    const lines = readFileSync(join(folder, 'data', 'train.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(train!);
    expect(result.dataHash).toMatch(/^[0-9a-f]{64}$/);
    expect(prepared.stderr).toContain('200 rows read: 200 kept');
  });

  it('refuses a leak and writes nothing, unless it is told to go on or to drop it', async () => {
    writeMessages(join(folder, 'base.csv'), 30);
    const [, ...rows] = readFileSync(join(folder, 'base.csv'), 'utf8').trimEnd().split('\n');
    const split = rows.map((row, index) => `${row},${['train', 'train', 'test', 'train', 'validation'][index % 5]}`);
    writeFileSync(join(folder, 'leaking.csv'), `text,label,split\n${split.join('\n')}\n${rows[0]},test\n`);
    const before = listed(folder);
    const args = ['data', 'prepare', 'leaking.csv', '--clean', '[]', '--out', 'leaking'];
    const refused = await lathe(folder, [...args, '--json']);
    expect([refused.code, jsonOf(refused).error]).toEqual([1, expect.objectContaining({ code: 'leak' })]);
    expect(refused.stderr).toMatch(/leaking\.csv:32 \(test\) says the same as leaking\.csv:2 \(train\)/);
    expect(listed(folder)).toEqual(before);

    const allowed = await lathe(folder, [...args, '--allow-leaks']);
    expect(allowed.code, allowed.stderr).toBe(0);
    expect(allowed.stderr).toContain('leak');
    expect(listed(join(folder, 'leaking'))).toEqual(PREPARED);

    const dropped = await lathe(folder, [...args, '--drop-leaks', '--json']);
    expect([dropped.code, jsonOf(dropped).splits]).toEqual([0, { train: 17, validation: 6, test: 7 }]);
  });
});

describe('data inspect', () => {
  it('says what prepare would do, and writes nothing', async () => {
    const before = listed(folder);
    const ended = await lathe(folder, ['data', 'inspect', 'messages.csv', '--json']);
    expect([ended.code, listed(folder)]).toEqual([0, before]);
    const { rows, splits } = jsonOf(ended);
    expect(rows).toMatchObject({ read: 200, kept: 200 });
    expect(splits).toEqual(jsonOf(prepared).splits);
  });

  it('writes its report where it is told to', async () => {
    const ended = await lathe(folder, ['data', 'inspect', 'messages.csv', '--report', 'pages/report.html', '--quiet']);
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(folder, 'pages', 'report.html'), 'utf8')).toContain('messages.csv');
  });
});

describe('train', () => {
  it('writes a package and a report, and with --quiet and --json says one line', () => {
    expect([trained.code, trained.stderr]).toEqual([0, '']);
    const result = jsonOf<Evaluation & { package: string; report: string; stopped: string }>(trained);
    expect(result).toMatchObject({ package: 'model', report: join('runs', 'model', 'report.html') });
    expect(result.dataHash).toBe(jsonOf(prepared).dataHash);
    expect(listed(join(folder, 'model'))).toEqual(expect.arrayContaining(['README.md', 'lathe.json']));
    expect(listed(join(folder, 'runs', 'model'))).toEqual(
      expect.arrayContaining(['metrics.jsonl', 'report.html', join('checkpoints', 'last.safetensors')]),
    );
  });

  it('is refused before it begins where the package would take the place of something else', async () => {
    mkdirSync(join(folder, 'mine'));
    writeFileSync(join(folder, 'mine', 'notes.txt'), 'mine');
    const ended = await lathe(folder, ['train', '--data', 'data', '--arch', 'linear', '--out', 'mine']);
    expect([ended.code, ended.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: "mine" exists and is not a package/),
    ]);
    expect(existsSync(join(folder, 'runs', 'mine'))).toBe(false);
  });

  it('with --dry-run trains nothing', async () => {
    const before = listed(folder);
    const ended = await lathe(folder, ['train', '--data', 'data', '--out', 'other', '--dry-run', '--json']);
    expect([ended.code, listed(folder)]).toEqual([0, before]);
    expect(jsonOf(ended)).toMatchObject({ dryRun: true, labels: ['ham', 'spam'] });
  });
});

describe('evaluate', () => {
  it('gives the numbers that training gave for the test split', async () => {
    const ended = await lathe(folder, ['evaluate', 'model', '--data', 'data', '--json']);
    const result = jsonOf<Evaluation>(ended);
    const { task, examples, positive, metrics, perClass, dataHash } = jsonOf<Evaluation>(trained);
    expect(result).toMatchObject({ task, examples, positive, metrics, perClass, dataHash, split: 'test' });
    expect([task, positive]).toEqual(['text-classification', 'spam']);
    for (const name of ['accuracy', 'precision', 'recall', 'f1'] as const) {
      expect(metrics[name], name).toBeGreaterThanOrEqual(0);
      expect(metrics[name], name).toBeLessThanOrEqual(1);
    }
    expect(Object.keys(perClass)).toEqual(['ham', 'spam']);
    expect(perClass.ham!.support + perClass.spam!.support).toBe(examples);
    expect(metrics.f1).toBe(perClass.spam!.f1);
  });

  it('measures every row of a file, and writes its report', async () => {
    writeMessages(join(folder, 'new.csv'), 30, 1000);
    const args = ['evaluate', 'model', '--data', 'new.csv', '--out', 'evaluation', '--json'];
    const ended = await lathe(folder, args);
    expect(jsonOf(ended)).toMatchObject({ examples: 30, split: 'all' });
    expect(listed(join(folder, 'evaluation'))).toEqual(['evaluation.json', 'report.html']);
    expect(JSON.parse(readFileSync(join(folder, 'evaluation', 'evaluation.json'), 'utf8'))).toEqual(jsonOf(ended));
  });

  it('measures a file of one row, and of one label', async () => {
    writeFileSync(join(folder, 'one.csv'), 'text,label\nwin a free prize,spam\n');
    const ended = await lathe(folder, ['evaluate', 'model', '--data', 'one.csv', '--json']);
    expect(jsonOf(ended)).toMatchObject({ examples: 1, split: 'all', perClass: { spam: { support: 1 } } });
  });

  it('shows numbers of a column with the same decimals', async () => {
    const { stderr } = await lathe(folder, ['evaluate', 'model', '--data', 'data']);
    const rows = stderr.split('\n').filter((line) => /^(ham|spam) /.test(line));
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(row).toMatch(/^\w+( +\d\.\d{4}| +[01]){3} +\d+$/);
  });

  it('refuses a column that is not there and a label that the model does not know', async () => {
    const column = await lathe(folder, ['evaluate', 'model', '--data', 'new.csv', '--label', 'kind']);
    expect(column).toMatchObject({ code: 2, stdout: '' });
    expect(column.stderr).toMatch(/no column "kind"/);
    writeFileSync(join(folder, 'eggs.csv'), readFileSync(join(folder, 'new.csv'), 'utf8').replace(/ham/g, 'eggs'));
    const label = await lathe(folder, ['evaluate', 'model', '--data', 'eggs.csv']);
    expect(label).toMatchObject({ code: 1, stdout: '' });
    expect(label.stderr).toMatch(/label "eggs" is not one of the model's \(ham, spam\)/);
  });
});

describe('predict', () => {
  const predict = (args: readonly string[], input?: string): Promise<Ended> =>
    lathe(folder, ['predict', 'model', ...args], input);

  it('gives a label and scores that sum to 1 for each text', async () => {
    const ended = await predict(['claim your free cash prize', 'the report of the meeting, thanks', '--json']);
    const { predictions } = jsonOf<Predictions>(ended);
    expect(predictions.map(({ label }) => label)).toEqual(['spam', 'ham']);
    for (const { label, score, scores } of predictions) {
      expect(Object.keys(scores)).toEqual(['ham', 'spam']);
      expect(scores.ham! + scores.spam!).toBeCloseTo(1, 6);
      expect(score).toBe(scores[label]);
      expect(score).toBe(Math.max(scores.ham!, scores.spam!));
    }
  });

  it('prints a line a text', async () => {
    const one = await predict(['claim your free cash prize', '--quiet']);
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one.stdout).toMatch(/^spam\t0\.\d{4}\n$/);
    const two = await predict(['claim your prize', 'lunch in the garden']);
    expect(two.stdout).toMatch(/^spam\t[01]\.\d{4}\tclaim your prize\nham\t[01]\.\d{4}\tlunch in the garden\n$/);
  });

  it('reads standard input, whole or by lines', async () => {
    const input = 'claim your free cash prize\r\n\nlunch in the garden\n';
    const lines = await predict(['--file', '-', '--lines', '--json'], input);
    expect(jsonOf<Predictions>(lines).predictions.map(({ label }) => label)).toEqual(['spam', 'ham']);
    const whole = await predict(['--file', '-', '--json'], input);
    expect(jsonOf<Predictions>(whole).predictions).toHaveLength(1);
  });

  it('refuses what is no text', async () => {
    const empty = await predict(['  ']);
    expect(empty).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is empty') });
    const nothing = await predict(['--file', '-']);
    expect(nothing).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('"-" is empty') });
    writeFileSync(join(folder, 'picture.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 1]));
    const picture = await predict(['--file', 'picture.png']);
    expect(picture).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('it has NUL bytes') });
  });

  it('refuses a variant that is not there, and a package that was changed', async () => {
    const variant = await predict(['hello', '--variant', 'int4']);
    expect(variant.code).toBe(1);
    expect(variant.stderr).toMatch(/"int4".*fp32/);
    const graph = join(folder, 'model', listed(join(folder, 'model')).find((name) => name.endsWith('.onnx'))!);
    const bytes = readFileSync(graph);
    appendFileSync(graph, 'x');
    const changed = await predict(['hello', '--json']);
    writeFileSync(graph, bytes);
    expect([changed.code, jsonOf(changed).error]).toEqual([1, expect.objectContaining({ code: 'corrupt' })]);
    expect((await predict(['hello'])).code).toBe(0);
  });
});

/** A file system of 64 KB, or why there is none. */
function mountSmallDisk(): { readonly path: string; readonly refused?: string } {
  const path = join(folder, 'small');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'pipe' });
    return { path };
  } catch {
    return { path, refused: ' (left out: this process may not mount a file system)' };
  }
}

const disk = mountSmallDisk();
afterAll(() => {
  if (disk.refused === undefined) execFileSync('umount', [disk.path]);
});

describe.skipIf(disk.refused !== undefined)(`a full disk${disk.refused ?? ''}`, () => {
  it.each([
    ['a package', 'train --data data --arch linear --no-baseline --epochs 1 --run runs/full --out small/model'],
    ['a run', 'train --data data --arch linear --no-baseline --epochs 1 --out other --run small/run'],
    ['prepared data', 'data prepare messages.csv --out small/data'],
    ['a report', 'data inspect messages.csv --report small/report.html'],
  ])('is said, and nothing half-written stays: %s', async (_, words) => {
    // Room for a first block or two, not for the whole.
    writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(56 * 1024));
    const ended = await lathe(folder, [...words.split(' '), '--json']);
    expect([ended.code, jsonOf(ended).error]).toEqual([1, expect.objectContaining({ code: 'io' })]);
    expect(ended.stderr).toContain('The disk is full');
    const left = listed(folder).filter((path) => /\.tmp|^other|model[\\/]lathe\.json$/.test(path));
    expect(left.filter((path) => !path.startsWith('model'))).toEqual([]);
    expect(readdirSync(disk.path).filter((name) => name !== 'run')).toEqual(['ballast']);
    rmSync(join(disk.path, 'run'), { recursive: true, force: true });
  });
});
