import { basename, join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { choose, type Measured, meets, paretoFront, type Wanted } from '../../compress/index.ts';
import { openPackage, refuseOtherFolder, writeDerivedPackage } from '../../pipeline/index.ts';
import { formatBytes } from '../../zoo/index.ts';
import { ARCHITECTURES } from '../candidate.ts';
import { defineCommand } from '../command.ts';
import { smallerArchitectures } from '../compression/students.ts';
import { parseTarget } from '../compression/target.ts';
import { type Way, waysOf } from '../compression/ways.ts';
import { runRecipe, type StepOutcome } from '../recipe/run.ts';
import { stepOf } from '../recipe/schema.ts';
import type { Terminal } from '../terminal.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of the package to make small', placeholder: 'DIR' }),
  data: z.string().meta({ description: 'prepared data, or a file: what it was trained on', placeholder: 'DIR|FILE' }),
  budget: z
    .number()
    .positive()
    .max(1)
    .default(0.97)
    .meta({ description: "share of the source's score to keep, on the validation split", placeholder: 'SHARE' }),
  target: z.string().optional().meta({
    description:
      'latency=5ms, latency=0.1 (of the source), bytes=3MB or bytes=0.04 [default: as small and fast as the budget allows]',
    placeholder: 'TARGET',
  }),
  student: z.array(z.enum(ARCHITECTURES)).optional().meta({
    description: 'architectures to distil to [default: the smallest two of the same kind]',
    placeholder: 'ARCH',
  }),
  pruneTo: z
    .array(z.string())
    .default(['0.5'])
    .meta({ description: 'shares of the latency to prune to, or none', placeholder: 'SHARE' }),
  epochs: z.int().positive().optional().meta({
    description: 'passes over the data for students and what was pruned [default: as distill and prune have it]',
  }),
  all: z.boolean().default(false).meta({ description: 'try every way, also behind the first that is good enough' }),
  seed: z.int().min(0).default(42).meta({ description: 'of everything random' }),
  threads: z.int().min(0).default(0).meta({ description: 'threads inside an operator, 0 for one a core' }),
  force: z.boolean().default(false).meta({ description: 'do again what was done before' }),
  out: z.string().meta({ description: 'folder for the package', placeholder: 'DIR' }),
});

/** A model that was made, with what it came to. */
interface Made extends Measured {
  readonly way: Way | undefined;
  readonly facts: ModelFacts;
}

/** What `lathe compare --json` says of a model. */
interface ModelFacts {
  readonly name: string;
  readonly variant: string;
  readonly bytes: number;
  readonly parameters: number;
  readonly latencyMs: { readonly p50: number };
  readonly metrics: Readonly<Record<string, number>>;
}

export default defineCommand({
  name: 'compress',
  summary: 'make a package small, and keep its score',
  description:
    'Tries the ways to a smaller model that make sense for a package (a distilled student, pruning, 8 bits, and these together), those that gain most first, and stops at the first that keeps the budget and meets the target. Models are chosen on the validation split; the test split says what the chosen one is worth. What was made before is kept: an interrupted run goes on where it was.',
  parameters,
  positional: ['package'],
  examples: [
    [
      'lathe compress models/spam --data mails/ --out models/spam-small',
      'as small and fast as 97 % of the score allow',
    ],
    [
      'lathe compress models/spam --data mails/ --budget 0.99 --target latency=0.25 --out models/fast',
      'four times as fast',
    ],
    ['lathe compress models/digits --data digits/ --target bytes=1MB --out models/tiny', 'for a small device'],
  ],
  files: ({ package: source, data, out }) => ({
    reads: [source, data],
    writes: [out],
  }),
  async run(given, terminal) {
    const { package: folder, data, out, budget, all, force, seed, threads } = given;
    await refuseOtherFolder(out);
    const source = await openPackage(folder);
    const target = given.target === undefined ? () => ({}) : parseTarget(given.target);
    const ways = waysOf(source.manifest, {
      source: folder,
      data,
      folder: join(runFolder(out), 'packages'),
      students: given.student ?? (await smallerArchitectures(source)).slice(0, 2),
      pruneTo: given.pruneTo.filter((share) => share !== 'none').map(shareOf),
      epochs: given.epochs,
      seed,
      threads,
    });
    const recipe = `compress-${basename(out)}`;
    const run = async (steps: readonly { id: string; use: string; with: Readonly<Record<string, unknown>> }[]) => {
      const list = await Promise.all(steps.map((step) => stepOf(step.id, step.use, step.with)));
      return runRecipe({ name: recipe, steps: list }, recipe, force, terminal, { keepOthers: true });
    };
    const made: Made[] = [];
    const leftOut: { name: string; reason: string }[] = [];
    let measuredSource: Measured | undefined;
    let wanted: Wanted = { budget };
    for (const [at, way] of ways.entries()) {
      terminal.say(`\n${at + 1} of ${ways.length}: ${way.name}`);
      let outcomes: readonly StepOutcome[];
      try {
        outcomes = await run([
          ...way.steps,
          {
            id: `measure-${way.steps.at(-1)!.id}`,
            use: 'compare',
            with: { packages: [folder, `${way.package}:${way.variant}`], data, split: 'validation' },
          },
        ]);
      } catch (error) {
        if (!(error instanceof LatheError) || !['unsupported', 'unmet', 'diverged'].includes(error.code)) throw error;
        leftOut.push({ name: way.name, reason: error.message });
        terminal.warn(`${way.name} is left out: ${error.message}`);
        continue;
      }
      const { metric, models } = outcomes.at(-1)!.result as unknown as { metric: string; models: ModelFacts[] };
      const [before, after] = models.map((facts) => measuredOf(facts, metric));
      measuredSource ??= { ...before!, name: folder };
      wanted = { budget, ...target(before!) };
      // Times of this run: both took turns.
      made.push({ ...after!, name: way.name, way, facts: models[1]! });
      if (!all && meets(after!, before!, wanted)) break;
    }
    if (measuredSource === undefined) {
      throw new LatheError('unsupported', `nothing could be made of "${folder}"`, {
        hint: 'The warnings above say why.',
      });
    }
    const choice = choose(made, measuredSource, wanted);
    showMade([{ ...measuredSource, way: undefined }, ...made], terminal);
    if (!choice.met) {
      throw new LatheError('unmet', `compress: ${choice.reason}`, {
        hint: `What was made is in ${join(runFolder(out), 'packages')}. Ask for less with --budget or --target, or name larger students (--student).`,
      });
    }
    const { way } = choice.chosen;
    const front = paretoFront(made);
    const [compared] = await run([
      {
        id: 'report',
        use: 'compare',
        with: {
          packages: [folder, ...front.map((one) => `${one.way!.package}:${one.way!.variant}`)],
          data,
          split: 'test',
        },
      },
    ]);
    const written = await writeDerivedPackage(out, await openPackage(way!.package), {});
    const { models, metric } = compared!.result as unknown as { models: ModelFacts[]; metric: string };
    const chosen = models[1 + front.indexOf(choice.chosen)]!;
    terminal.say(`\n${choice.reason}.`);
    terminal.say(
      `On the test split: ${metric} ${models[0]!.metrics[metric]!.toFixed(4)} before, ${chosen.metrics[metric]!.toFixed(4)} after.`,
    );
    terminal.say(`\nPackage: ${written.folder}, variant ${way!.variant}`);
    terminal.hint(`lathe predict ${written.folder} --variant ${way!.variant} "a text"`);
    return {
      package: written.folder,
      variant: way!.variant,
      way: way!.name,
      reason: choice.reason,
      metric,
      source: models[0],
      chosen,
      front: front.map(({ name }) => name),
      leftOut,
      models,
    };
  },
});

function runFolder(out: string): string {
  return join('runs', `compress-${basename(out)}`);
}

function shareOf(text: string): number {
  const share = Number(text);
  if (share > 0 && share < 1) return share;
  throw new LatheError('usage', `--prune-to: expected shares between 0 and 1 or none, got "${text}"`);
}

function measuredOf({ name, bytes, latencyMs, metrics }: ModelFacts, metric: string): Measured {
  return { name, bytes, latencyMs: latencyMs.p50, score: metrics[metric] ?? Number.NaN };
}

function showMade(models: readonly (Measured & { readonly way?: Way | undefined })[], terminal: Terminal): void {
  const [source] = models;
  terminal.say('\nOn the validation split:');
  terminal.table(
    ['model', 'score', 'kept', 'size', 'smaller', 'latency (p50)', 'faster'],
    models.map(({ name, score, bytes, latencyMs }) => [
      name,
      score.toFixed(4),
      `${((100 * score) / source!.score).toFixed(1)} %`,
      formatBytes(bytes),
      `${(source!.bytes / bytes).toFixed(1)}×`,
      `${latencyMs.toFixed(2)} ms`,
      `${(source!.latencyMs / latencyMs).toFixed(1)}×`,
    ]),
  );
}
