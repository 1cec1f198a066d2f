import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Ended, jsonOf, lathe, listed, PROGRAM, temporaryFolder, writeMessages } from './lathe.ts';

const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

/** A recipe from messages to predictions, with the parameters that the tests change. */
function writeRecipe({ seed = 1, epochs = 2, text = 'claim your prize' } = {}): void {
  writeFileSync(
    at('recipe.yaml'),
    `name: messages
steps:
  - use: data prepare
    with:
      source: messages.csv
      seed: ${seed}
      out: data
  - use: train
    with: { data: data, arch: linear, baseline: false, epochs: ${epochs}, out: model, run: runs/model }
  - use: evaluate
    with: { package: model, data: data, out: evaluation }
  - id: ask
    use: predict
    with: { package: model, texts: ["${text}"] }
`,
  );
}

interface Result {
  readonly recipe: string;
  readonly steps: readonly { id: string; use: string; cached: boolean; result: Record<string, unknown> }[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly report: string;
}

const run = (...more: string[]): Promise<Ended> => lathe(folder, ['run', 'recipe.yaml', ...more]);

/** Runs the recipe and says which steps ran. */
async function whatRan(...more: string[]): Promise<string[]> {
  const ended = await run('--json', ...more);
  expect(ended.code, ended.stderr).toBe(0);
  return jsonOf<Result>(ended)
    .steps.filter(({ cached }) => !cached)
    .map(({ id }) => id);
}

/** Each goes on from what the one before it left. */
describe('a recipe', () => {
  it('that was never run says so with --dry-run, and runs nothing', async () => {
    writeMessages(at('messages.csv'));
    writeRecipe();
    const before = listed(folder);
    const ended = await run('--dry-run', '--json');
    expect([ended.code, listed(folder)]).toEqual([0, before]);
    expect(jsonOf(ended)).toMatchObject({
      dryRun: true,
      steps: ['data-prepare', 'train', 'evaluate', 'ask'].map((id) => ({ id, willRun: 'yes' })),
    });
  });

  it('runs every step, and gives one object with steps and metrics', async () => {
    const ended = await run('--json');
    expect(ended.code, ended.stderr).toBe(0);
    const { recipe, steps, metrics, report } = jsonOf<Result>(ended);
    expect(recipe).toBe('messages');
    expect(steps.map(({ id, use, cached }) => [id, use, cached])).toEqual([
      ['data-prepare', 'data prepare', false],
      ['train', 'train', false],
      ['evaluate', 'evaluate', false],
      ['ask', 'predict', false],
    ]);
    expect(metrics).toEqual(steps[2]!.result.metrics);
    expect(listed(folder)).toEqual(expect.arrayContaining([report, join('model', 'lathe.json')]));
  });

  it('keeps every step the second time, and still prints what it is for', async () => {
    expect(await whatRan()).toEqual([]);
    const ended = await run();
    expect(ended.stdout).toMatch(/^spam\t[01]\.\d{4}\n$/);
    expect(ended.stderr.match(/nothing changed, kept/g)).toHaveLength(4);
    expect(jsonOf(await run('--dry-run', '--json')).steps).toEqual(
      ['data-prepare', 'train', 'evaluate', 'ask'].map((id) => expect.objectContaining({ id, willRun: 'no' })),
    );
  });

  it('with --quiet says nothing', async () => {
    expect(await run('--json', '--quiet')).toMatchObject({ code: 0, stderr: '' });
  });

  it('runs what a changed parameter changes', async () => {
    writeRecipe({ text: 'lunch in the garden' });
    expect(await whatRan()).toEqual(['ask']);
    writeRecipe({ text: 'lunch in the garden', epochs: 3 });
    const planned = jsonOf<{ steps: { id: string; willRun: string; reason: string }[] }>(
      await run('--dry-run', '--json'),
    );
    expect(planned.steps.map(({ id, willRun, reason }) => [id, willRun, reason])).toEqual([
      ['data-prepare', 'no', 'nothing changed'],
      ['train', 'yes', 'changed: epochs'],
      ['evaluate', 'maybe', 'if train makes something else'],
      ['ask', 'maybe', 'if train makes something else'],
    ]);
    expect(await whatRan()).toEqual(['train', 'evaluate', 'ask']);
  });

  it('runs what a changed source changes, and nothing for a file that was only touched', async () => {
    const content = readFileSync(at('messages.csv'));
    writeFileSync(at('messages.csv'), content);
    expect(await whatRan()).toEqual([]);
    appendFileSync(at('messages.csv'), 'one more message about the garden and a meeting,ham\n');
    expect(await whatRan()).toEqual(['data-prepare', 'train', 'evaluate', 'ask']);
  });

  it('makes again what was deleted', async () => {
    rmSync(at('evaluation', 'evaluation.json'));
    expect(await whatRan()).toEqual(['evaluate']);
    expect(listed(at('evaluation'))).toEqual(['evaluation.json', 'report.html']);
  });

  it('runs every step with --force', async () => {
    expect(await whatRan('--force')).toEqual(['data-prepare', 'train', 'evaluate', 'ask']);
  });
});

describe('two runs at once', () => {
  it('of a recipe: one waits, and keeps what the other made', async () => {
    writeMessages(at('both.csv'));
    writeFileSync(
      at('both.yaml'),
      'name: both\nsteps: [{ use: train, with: { data: both.csv, arch: linear, baseline: false, out: both } }]\n',
    );
    const both = await Promise.all([0, 1].map(() => lathe(folder, ['run', 'both.yaml'])));
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.filter(({ stderr }) => /process \d+ runs this recipe: waiting/.test(stderr))).toHaveLength(1);
    expect(both.filter(({ stderr }) => stderr.includes('nothing changed, kept'))).toHaveLength(1);
  });

  it('of a training in the same folder: the second is refused, and takes nothing from the first', async () => {
    const common = ['train', '--data', 'both.csv', '--arch', 'linear', '--no-baseline', '--run', 'runs/shared'];
    const shared = (...names: string[]): string => at('runs', 'shared', ...names);
    const child = spawn(process.execPath, [PROGRAM, ...common, '--epochs', '2000', '--patience', '0', '--out', 'one'], {
      cwd: folder,
    });
    const closed = once(child, 'close');
    while (child.exitCode === null && !existsSync(shared('checkpoints', 'best.safetensors'))) await wait(2);
    const second = await lathe(folder, [...common, '--out', 'two']);
    const left = listed(shared('checkpoints'));
    child.kill('SIGINT');
    await closed;
    expect([second.code, second.stderr]).toEqual([2, expect.stringMatching(/process \d+ is training in ".*shared"/)]);
    expect(left).toContain('best.safetensors');
    expect(listed(shared()).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('an interrupted recipe', () => {
  it('goes on from the checkpoint of its training, unless that is to be another', async () => {
    const write = (seed: number): void =>
      writeFileSync(
        at('long.yaml'),
        `name: long
steps:
  - use: train
    with:
      { data: long.csv, arch: linear, baseline: false, epochs: 60, batchSize: 8, patience: 0, seed: ${seed}, out: long }
`,
      );
    const interrupt = async (signal: NodeJS.Signals): Promise<string> => {
      const checkpoint = at('runs', 'long', 'checkpoints', 'last.safetensors');
      rmSync(checkpoint, { force: true });
      const child = spawn(process.execPath, [PROGRAM, 'run', 'long.yaml'], { cwd: folder });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
      const closed = once(child, 'close');
      while (child.exitCode === null && !existsSync(checkpoint)) await wait(2);
      child.kill(signal);
      await closed;
      return said;
    };
    const again = (): Promise<Ended> => lathe(folder, ['run', 'long.yaml']);

    writeMessages(at('long.csv'));
    write(1);
    const said = await interrupt('SIGINT');
    expect(said).toMatch(/step "train": stopped at step \d+/);
    expect(said).toContain('Run the recipe again to go on from the last checkpoint');
    expect(said).not.toContain('--resume');
    expect(existsSync(at('long'))).toBe(false);
    const finished = await again();
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toContain('going on from step');
    expect((await again()).stderr).toContain('nothing changed, kept');

    write(2);
    await interrupt('SIGKILL');
    write(3);
    const other = await again();
    expect(other.code, other.stderr).toBe(0);
    expect(other.stderr).not.toContain('going on from step');
  });
});

describe('a recipe that is wrong', () => {
  const refused = async (content: string): Promise<Ended> => {
    writeFileSync(at('wrong.yaml'), content);
    const before = listed(folder);
    const ended = await lathe(folder, ['run', 'wrong.yaml', '--json']);
    expect(listed(folder)).toEqual(before);
    return ended;
  };

  it('is told all its problems with their lines', async () => {
    const ended = await refused(`name: wrong
steps:
  - use: data prepare
    with: { source: messages.csv }
  - use: trian
  - use: train
    with:
      data: data
      out: model
      epoch: 3
      maxLength: 4
  - use: run
    with: { recipe: recipe.yaml }
  - use: train
    with: { data: data, out: model }
`);
    expect(ended.code).toBe(2);
    const { error } = jsonOf<{ error: { code: string; message: string } }>(ended);
    expect(error.code).toBe('usage');
    expect(error.message.split('\n').map((line) => line.trim())).toEqual([
      'a recipe with 6 problems:',
      'wrong.yaml:4: step "data-prepare", out: missing',
      'wrong.yaml:5: there is no command "trian"',
      expect.stringMatching(/^wrong\.yaml:11: step "train", maxLength: .*8.*got 4$/),
      'wrong.yaml:10: step "train", epoch: unknown parameter',
      'wrong.yaml:12: "run" cannot be a step',
      'wrong.yaml:14: a second step "train": give one of them another id',
      'Nothing was run.',
    ]);
  });

  it.each([
    ['no YAML', 'name: [', 2, /wrong\.yaml:1: /],
    ['empty', '', 2, /wrong\.yaml:1: /],
    ['without steps', 'name: x\nsteps: []\n', 2, /wrong\.yaml:2: steps: /],
    ['with a key too many', 'name: x\nstep: 3\nsteps: [{ use: train }]\n', 2, /wrong\.yaml:2: unknown key "step"/],
    ['with a name that leaves its folder', 'name: ../x\nsteps: [{ use: train }]\n', 2, /wrong\.yaml:1: name: expected/],
    [
      'that reads what is not there',
      'name: x\nsteps:\n  - use: data prepare\n    with: { source: missing.csv, out: other }\n',
      1,
      /wrong\.yaml:3: step "data-prepare" reads missing\.csv, which does not exist/,
    ],
    [
      'whose model has its tokenizer elsewhere, where it is not',
      'name: x\nsteps:\n  - use: train\n    with: { data: messages.csv, model: file:messages.csv, tokenizer: words, out: other }\n',
      1,
      /wrong\.yaml:3: step "train" reads words, which does not exist/,
    ],
    [
      'that merges with a model that is not there',
      'name: x\nsteps:\n  - use: merge\n    with: { adapter: messages.csv, model: file:missing.onnx, out: other }\n',
      1,
      /wrong\.yaml:3: step "merge" reads missing\.onnx, which does not exist/,
    ],
  ])('is refused: %s', async (_, content, code, message) => {
    const ended = await refused(content);
    expect(ended.stderr).toMatch(message);
    expect([ended.code, Object.keys(jsonOf(ended))]).toEqual([code, ['error']]);
  });

  it('says which step failed', async () => {
    const ended = await refused(
      'name: x\nsteps:\n  - use: data prepare\n    with: { source: messages.csv, text: body, out: other }\n',
    );
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/step "data-prepare": text column: there is no column "body"/);
  });
});
