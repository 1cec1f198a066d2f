import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { sizeOf, tensorFrom } from '../src/base/index.ts';
import { evaluateModel } from '../src/cli/evaluation.ts';
import { learnAgain, openPackageLearning } from '../src/cli/package-learning.ts';
import { openTerminal } from '../src/cli/terminal.ts';
import { type Model, readModel, stored } from '../src/graph/index.ts';
import { openPackage } from '../src/pipeline/index.ts';
import { lathe, temporaryFolder, writeMessages } from './cli/lathe.ts';

// It trains, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

const folder = temporaryFolder();

/** All weights of the head are zero: the model knows nothing. */
function forgetful(model: Model): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [name, { dims }] of initializers) {
    if (!name.startsWith('classifier')) continue;
    const zeros = Array<number>(sizeOf(dims)).fill(0);
    initializers.set(name, stored(tensorFrom('float32', zeros, dims)));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

it('a changed model of a package learns again on the rows that the package learned from', async () => {
  writeMessages(join(folder, 'messages.csv'), 240);
  const words =
    'train --data messages.csv --arch bert-tiny --epochs 6 --no-baseline --max-length 16 --out tiny --quiet';
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
  const source = await openPackage(join(folder, 'tiny'));
  const terminal = openTerminal({ json: true, quiet: true });
  const learning = await openPackageLearning(source, join(folder, 'messages.csv'), {}, terminal);
  // A file is cut as it was for the training.
  expect(learning.dataHash).toBe(source.manifest.lineage.dataHash);
  const before = await readModel(source.modelPath());
  const trained = await evaluateModel(before, learning, learning.splits.test);
  expect(trained.report.metrics.f1).toBe(source.manifest.metrics[0]!.values.f1);
  expect(trained.report.metrics.accuracy).toBeGreaterThan(0.9);

  const changed = forgetful(before);
  const empty = await evaluateModel(changed, learning, learning.splits.test);
  expect(empty.report.metrics.accuracy).toBeLessThan(0.8);
  const again = await learnAgain(
    changed,
    learning,
    { name: 'again', runFolder: join(folder, 'run'), settings: { epochs: 3, learningRate: 1e-3 } },
    terminal,
  );
  expect([...again.model.graph.initializers.keys()]).toEqual([...before.graph.initializers.keys()]);
  const after = await evaluateModel(again.model, learning, learning.splits.test);
  expect(after.report.metrics.accuracy).toBeGreaterThan(0.9);
});

it('refuses data with labels that the package does not know', async () => {
  const source = await openPackage(join(folder, 'tiny'));
  const learning = openPackageLearning(
    { ...source, manifest: { ...source.manifest, labels: ['ham', 'eggs'] } },
    join(folder, 'messages.csv'),
    {},
    openTerminal({ json: true, quiet: true }),
  );
  await expect(learning).rejects.toThrow('has the labels spam, which');
});
