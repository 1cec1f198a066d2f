import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { openPackage } from '../../src/pipeline/index.ts';
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
