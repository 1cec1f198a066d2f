import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { readModel } from '../../src/graph/index.ts';
import { openPackage } from '../../src/pipeline/index.ts';
import { writeDigits } from '../images/digits.ts';
import { answerOf, lathe, temporaryFolder, writeMessages } from './lathe.ts';

// It trains, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = temporaryFolder();
const distill = (words: string): string[] => `distill --data messages.csv --timed 10 --quiet ${words}`.split(' ');

interface Distilled {
  readonly package: string;
  readonly packages: readonly { readonly metrics: Readonly<Record<string, number>>; readonly parameters: number }[];
}

beforeAll(async () => {
  writeMessages(join(folder, 'messages.csv'), 240);
  const words =
    'train --data messages.csv --arch bert-mini --epochs 6 --batch-size 16 --no-baseline --max-length 16 --out mini --quiet';
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
});

describe('lathe distill', () => {
  it('trains a student of the tokenizer of its teacher, and says what it was made from', async () => {
    const answer = await answerOf<Distilled>(
      folder,
      distill('--teacher mini --student bert-tiny --epochs 10 --batch-size 16 --out tiny'),
    );
    const [teacher, student] = [await openPackage(join(folder, 'mini')), await openPackage(join(folder, 'tiny'))];
    const { lineage, labels, metrics } = student.manifest;
    expect(lineage.step).toBe('distill');
    expect(lineage.settings).toMatchObject({
      arch: 'bert-tiny',
      distillation: { teacher: 'mini', method: 'logits', temperature: 2, alpha: 0.5, unlabeled: 0 },
    });
    expect(lineage.from?.teacher?.lineage.settings.arch).toBe('bert-mini');
    expect(labels).toEqual(teacher.manifest.labels);
    expect(await student.readText('tokenizer.json')).toBe(await teacher.readText('tokenizer.json'));
    expect(answer.packages.map(({ metrics: { f1 } }) => f1)).toEqual([
      teacher.manifest.metrics[0]!.values.f1,
      metrics[0]!.values.f1,
    ]);
    expect(metrics[0]!.values.f1).toBeGreaterThan(0.8);
    expect(answer.packages[1]!.parameters).toBeLessThan(answer.packages[0]!.parameters / 2);
  });

  it('takes texts without labels, and a tokenizer of the student’s own', async () => {
    const texts = Array.from({ length: 30 }, (_, index) => `win a prize number ${index} today`);
    writeFileSync(join(folder, 'more.csv'), `text\n${texts.join('\n')}\n`);
    await answerOf<Distilled>(
      folder,
      distill('--teacher mini --student bert-tiny --epochs 1 --unlabeled more.csv --vocabulary-size 200 --out small'),
    );
    const student = await openPackage(join(folder, 'small'));
    const { settings } = student.manifest.lineage;
    expect(settings).toMatchObject({ vocabularySize: 200, distillation: { vocabulary: 'own', unlabeled: 30 } });
  });

  it('begins with a package, by another method', async () => {
    await answerOf<Distilled>(
      folder,
      distill('--teacher mini --student tiny --method dist --alpha 0.8 --epochs 1 --out again'),
    );
    const { manifest } = await openPackage(join(folder, 'again'));
    expect(manifest.lineage.settings).toMatchObject({
      model: 'tiny',
      distillation: { method: 'dist', temperature: 1, alpha: 0.8 },
    });
  });

  it.each([
    [
      'tinybert',
      'bert-tiny',
      '--inner-epochs 1 --epochs 2 --copies 2',
      { temperature: 1, alpha: 1, innerEpochs: 1, copies: 2 },
    ],
    ['minilm', 'bert-tiny', '--inner-epochs 1 --epochs 1 --alpha 0.7', { temperature: 2, alpha: 0.7 }],
    ['distilbert', 'layers=2', '--epochs 1', { temperature: 2, layers: 2 }],
  ])('learns what is inside the teacher: %s', async (method, student, words, expected) => {
    const out = `by-${method}`;
    await answerOf<Distilled>(
      folder,
      distill(`--teacher mini --student ${student} --method ${method} ${words} --out ${out}`),
    );
    const { manifest, ...written } = await openPackage(join(folder, out));
    expect(manifest.lineage.settings).toMatchObject({ distillation: { method, ...expected } });
    // Nothing of the teacher or of a projection is left in it.
    const { graph } = await readModel(written.modelPath());
    expect([...graph.initializers.keys()].filter((name) => /^(teacher\/|distillation)/.test(name))).toEqual([]);
    const layers = [...graph.initializers.keys()].filter((name) => name.endsWith('attention.self.key.weight'));
    expect(layers).toHaveLength(2);
  });

  it('learns where a network of images looks: cwd', async () => {
    await writeDigits(join(folder, 'digits'), { each: 30, digits: [0, 1] });
    const teacher = 'train --data digits --arch resnet-8 --epochs 2 --out resnet --quiet'.split(' ');
    const ended = await lathe(folder, teacher);
    expect(ended.code, ended.stderr).toBe(0);
    const words =
      'distill --teacher resnet --student resnet-8 --data digits --method cwd --epochs 1 --timed 10 --out seen';
    const answer = await answerOf<Distilled>(folder, `${words} --quiet`.split(' '));
    expect(answer.packages).toHaveLength(2);
    const { manifest } = await openPackage(join(folder, 'seen'));
    expect(manifest.lineage.settings).toMatchObject({ distillation: { method: 'cwd', temperature: 1 } });
  });

  it('refuses what a method has no place for', async () => {
    const refused = async (words: string): Promise<string> => {
      const ended = await lathe(folder, distill(`${words} --out no`));
      expect(ended.code, ended.stderr).not.toBe(0);
      return ended.stderr;
    };
    const own = '--teacher mini --student bert-tiny';
    expect(await refused(`${own} --method cwd --alpha 0.3`)).toContain('--alpha: cwd has its own weights');
    expect(await refused(`${own} --method cwd`)).toContain('has no map of features');
    expect(await refused(`${own} --method minilm --vocabulary-size 200`)).toContain(
      '--method minilm: student and teacher read with another tokenizer.json each',
    );
    expect(await refused(`${own} --method distilbert`)).toContain(
      'the states of the student are 128 wide, those of the teacher 256',
    );
    expect(await refused('--teacher mini --student layers=9')).toContain('expected 1 to 4, as the teacher has, got 9');
  });

  it('refuses a student of other answers, and data that the teacher does not know', async () => {
    const rows = Array.from({ length: 60 }, (_, day) => (day % 2 ? `good day ${day},sun` : `bad day ${day},rain`));
    writeFileSync(join(folder, 'other.csv'), `text,label\n${rows.join('\n')}\n`);
    const wrong = await lathe(folder, [
      ...'train --data other.csv --arch linear --no-baseline --out other --quiet'.split(' '),
    ]);
    expect(wrong.code, wrong.stderr).toBe(0);
    const student = await lathe(folder, distill('--teacher mini --student other --out no'));
    expect(student.code).toBe(2);
    expect(student.stderr).toContain('--student "other" has the labels rain,sun, the teacher has the labels ham,spam');
    const data = await lathe(
      folder,
      'distill --teacher mini --student bert-tiny --data other.csv --out no --quiet'.split(' '),
    );
    expect(data.code).toBe(2);
    expect(data.stderr).toContain('"other.csv" has the labels rain, sun, which "mini" does not know');
  });
});
