import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { planRecipe, runRecipe } from '../recipe/run.ts';
import { readRecipe } from '../recipe/schema.ts';
import { formatSeconds } from '../terminal.ts';

const parameters = z.object({
  recipe: z.string().meta({ description: 'a YAML file', placeholder: 'RECIPE.yaml' }),
  force: z.boolean().default(false).meta({ description: 'run every step, changed or not' }),
  dryRun: z.boolean().default(false).meta({ description: 'say which steps would run and why, and run none' }),
});

export default defineCommand({
  name: 'run',
  summary: 'run the steps of a recipe file',
  description:
    'Runs the commands that a YAML file lists, and skips each whose parameters, inputs and outputs are as they were. Paths in it are relative to the working directory. The whole file is checked before the first step runs.',
  parameters,
  positional: ['recipe'],
  examples: [
    ['lathe run examples/spam/recipe.yaml', 'run what has changed'],
    ['lathe run examples/spam/recipe.yaml --dry-run', 'what would run, and why'],
    ['lathe run examples/spam/recipe.yaml --force --json', 'all of it, with one JSON object at the end'],
  ],
  async run({ recipe: path, force, dryRun }, terminal) {
    const recipe = await readRecipe(path);
    if (dryRun) {
      const steps = await planRecipe(recipe, path, force);
      terminal.table(
        ['step', 'runs', 'because'],
        steps.map(({ id, willRun, reason }) => [id, willRun, reason]),
      );
      return { recipe: recipe.name, dryRun: true, steps };
    }
    const outcomes = await runRecipe(recipe, path, force, terminal);
    const total = outcomes.reduce((sum, { seconds }) => sum + seconds, 0);
    terminal.say('');
    terminal.table(
      ['step', 'command', 'took'],
      [
        ...outcomes.map(({ id, use, cached, seconds }) => [id, use, cached ? 'kept' : formatSeconds(seconds)]),
        ['all', '', formatSeconds(total)],
      ],
    );
    const last = <Value>(pick: (result: Readonly<Record<string, unknown>>) => Value | undefined): Value | undefined =>
      outcomes.map(({ result }) => pick(result)).findLast((value) => value !== undefined);
    const metrics = last((result) => result.metrics);
    const report = last((result) => (typeof result.report === 'string' ? result.report : undefined));
    if (report !== undefined) terminal.say(`\nReport: ${report}`);
    const hint = outcomes.flatMap(({ hints }) => hints).at(-1);
    if (hint !== undefined) terminal.hint(hint);
    return {
      recipe: recipe.name,
      steps: outcomes.map(({ hints: _, ...outcome }) => outcome),
      ...(metrics !== undefined && { metrics }),
      ...(report !== undefined && { report }),
    };
  },
});
