import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonOf, lathe, listed, temporaryFolder, writeMessages } from './lathe.ts';

const folder = temporaryFolder();
writeMessages(join(folder, 'messages.csv'), 40);
writeFileSync(join(folder, 'empty.csv'), '');
writeFileSync(join(folder, 'header.csv'), 'text,label\n');
writeFileSync(join(folder, 'one-label.csv'), `text,label\n${'abcdefghij'.replace(/./g, '$&$& one,ham\n')}`);
writeFileSync(join(folder, 'leaking.csv'), 'text,label,split\nthe same,ham,train\nthe same,spam,test\n');
writeFileSync(join(folder, 'binary.csv'), Buffer.from([0x89, 0x50, 0, 0xff, 0xfe, 0, 1, 2, 3, 0, 10, 0, 255, 10]));
mkdirSync(join(folder, 'a-folder'));
const before = listed(folder);

/** Words of the command line, the exit code and what is said. */
const FAILURES: readonly (readonly [args: string, code: number, message: RegExp])[] = [
  ['', 2, /Usage: lathe COMMAND/],
  ['trian', 2, /there is no command "trian"; did you mean "train"\?/],
  ['--data x', 2, /expected a command before "--data"/],
  ['data', 2, /data: expected one of inspect, prepare/],
  ['data clean x.csv', 2, /data: there is no "clean", expected one of inspect, prepare/],
  ['train --data messages.csv --out out --epoch 3', 2, /train: unknown option '--epoch' \(Did you mean --epochs\?\)/],
  ['train --data messages.csv', 2, /train: --out is missing/],
  ['train --data messages.csv --out', 2, /option '--out <DIR>' argument missing/],
  ['train --data messages.csv --out out --epochs two', 2, /--epochs: expected number, got "two"/],
  ['train --data messages.csv --out out --arch gpt', 2, /--arch: expected one of .*"linear".*, got "gpt"/],
  ['train --data messages.csv --out out surplus', 2, /too many arguments/],
  ['data prepare messages.csv', 2, /data prepare: --out is missing/],
  ['data prepare --out out', 2, /missing required argument 'FILE'/],
  [
    'data prepare messages.csv --out out --fractions 1,2',
    2,
    /--fractions: expected three shares, as in 0\.8,0\.1,0\.1/,
  ],
  ['data prepare messages.csv --out out --allow-leaks --drop-leaks', 2, /exclude each other/],
  ['data prepare messages.csv --out out --split part --resplit', 2, /--split and --resplit exclude each other/],
  ['data prepare leaking.csv --out out', 1, /on both sides of a split(.|\n)*--resplit.*--drop-leaks.*--allow-leaks/],
  ['data prepare messages.csv --out out --text body', 2, /no column "body"\n.*"text", "label"/],
  ['train --data messages.csv --out out --arch linear --label kind', 2, /no column "kind"\n.*"text", "label"/],
  [
    'train --data messages.csv --out out --arch linear --positive eggs',
    2,
    /there is no label "eggs"; the labels are ham, spam/,
  ],
  ['data prepare missing.csv --out out', 1, /missing\.csv/],
  ['data prepare empty.csv --out out', 1, /empty\.csv is empty: it has neither rows nor columns/],
  ['data prepare header.csv --out out', 1, /header\.csv is empty: it has no rows/],
  ['data prepare binary.csv --out out', 1, /binary\.csv/],
  ['data prepare a-folder --out out', 1, /a-folder/],
  ['train --data one-label.csv --out out --arch linear', 1, /all 10 rows have the label "ham"/],
  ['train --data a-folder --out out --arch linear', 1, /a-folder/],
  ['evaluate missing-package --data messages.csv', 1, /missing-package/],
  ['evaluate a-folder --data messages.csv', 1, /a-folder/],
  ['predict missing-package hello', 1, /missing-package/],
  ['predict missing-package', 2, /nothing to predict/],
  ['predict missing-package --file missing.txt', 1, /cannot read "missing\.txt": no such file/],
  ['predict missing-package --file a-folder', 1, /"a-folder" is a folder, expected a file/],
  ['gradient missing.onnx --of y --with-respect-to x --out out', 1, /missing\.onnx/],
  ['gradient messages.csv --of y --with-respect-to x --out out', 1, /messages\.csv/],
  ['run missing.yaml', 1, /cannot read "missing\.yaml": no such file/],
  ['zoo', 2, /zoo: expected one of list, pull, info/],
  ['zoo list --task cooking', 2, /--task: expected one of "pretrained-encoder".*got "cooking"/],
  ['zoo info hf:a/b', 2, /looks at what is on this machine\n.*lathe zoo pull hf:a\/b --out/],
  ['zoo info missing.onnx', 1, /no file or folder "missing\.onnx"/],
  ['zoo pull missing.onnx --out out', 1, /no file or folder "missing\.onnx"\n.*hf:ORG\/NAME/],
  ['zoo pull gh:a/b --out out', 2, /there is no kind of source "gh:"/],
  ['zoo pull messages.csv --out out --max-size lots', 2, /--max-size: expected a size, as in 500MB or 2\.5GB/],
  ['zoo pull messages.csv --out out --max-size 1kB', 2, /are to be copied, over the limit of 1\.0 kB/],
  ['zoo pull messages.csv --out out --format onnx', 1, /there are no ONNX files/],
  ['zoo pull messages.csv --out out --sha256 12', 2, /--sha256: expected 64 hexadecimal digits/],
];

describe('a command that cannot do what it is told', () => {
  it.each(FAILURES)('lathe %s: %i', async (words, code, message) => {
    const args = words.split(' ').filter((word) => word !== '');
    const ended = await lathe(folder, args);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/^ +at /m);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(listed(folder)).toEqual(before);
  });

  it.each([
    ['trian --json', 2, 'usage'],
    ['data clean --json', 2, 'usage'],
    ['train --data messages.csv --out out --epoch 3 --json', 2, 'usage'],
    ['train --data messages.csv --json', 2, 'usage'],
    ['predict missing-package hello --json', 1, 'not-found'],
    ['run missing.yaml --json --quiet', 1, 'not-found'],
  ])('tells programs: lathe %s', async (words, code, name) => {
    const ended = await lathe(folder, words.split(' '));
    const { error, ...rest } = jsonOf<{ error: { code: string; message: string } }>(ended);
    expect([ended.code, error.code, rest]).toEqual([code, name, {}]);
    expect(ended.stderr).toContain(error.message);
  });
});

describe('help', () => {
  it.each([
    '--help',
    'help',
    'train --help',
    'help train',
    'data --help',
    'data prepare --help',
    'run --help',
    'zoo pull --help',
  ])('lathe %s goes to standard output with examples', async (words) => {
    const ended = await lathe(folder, words.split(' '));
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^Usage: lathe|\nUsage: lathe/);
    expect(ended.stdout).toContain('Examples:');
  });

  it('says its version', async () => {
    expect((await lathe(folder, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
