import { LatheError } from '../../base/index.ts';
import type { Terminal } from '../terminal.ts';
import { latheVersion } from '../versions.ts';
import { asJson, goesOn, refuseMissing, sourcesOf, whyRun } from './changes.ts';
import { type Fingerprint, fingerprint } from './fingerprint.ts';
import { type Attempt, type RememberedStep, recall, remember, withRecipe } from './memory.ts';
import type { Recipe, Step } from './schema.ts';

/** What became of a step in this run. */
export interface StepOutcome {
  readonly id: string;
  readonly use: string;
  readonly cached: boolean;
  /** Of this run: a cached step takes as long as it takes to see that nothing has changed. */
  readonly seconds: number;
  readonly result: Readonly<Record<string, unknown>>;
  readonly hints: readonly string[];
}

export interface PlannedStep {
  readonly id: string;
  readonly use: string;
  /** `maybe`: it depends on what a step before it, that will run, comes to. */
  readonly willRun: 'yes' | 'no' | 'maybe';
  readonly reason: string;
}

/** Says which steps would run, and why. */
export async function planRecipe(recipe: Recipe, path: string, force: boolean): Promise<PlannedStep[]> {
  refuseMissing(recipe.steps, path);
  const memory = await recall(recipe.name);
  const planned: PlannedStep[] = [];
  for (const [index, step] of recipe.steps.entries()) {
    const reason = force ? '--force' : await whyRun(step, memory.steps[step.id], latheVersion());
    const before = sourcesOf(step, recipe.steps.slice(0, index)).filter(
      ({ id }) => planned.find((one) => one.id === id)?.willRun !== 'no',
    );
    const { id, use } = step;
    if (reason !== undefined) planned.push({ id, use, willRun: 'yes', reason });
    else if (before.length > 0)
      planned.push({
        id,
        use,
        willRun: 'maybe',
        reason: `if ${before.map((one) => one.id).join(', ')} makes something else`,
      });
    else planned.push({ id, use, willRun: 'no', reason: 'nothing changed' });
  }
  return planned;
}

/**
 * Runs the steps whose result does not stand already. A step that ended well is remembered at once. With `keepOthers`, steps of
 * the same name that stand in other lists are not forgotten.
 */
export async function runRecipe(
  recipe: Recipe,
  path: string,
  force: boolean,
  terminal: Terminal,
  { keepOthers = false }: { readonly keepOthers?: boolean } = {},
): Promise<StepOutcome[]> {
  refuseMissing(recipe.steps, path);
  return withRecipe(recipe.name, terminal, async () => {
    const outcomes = await runSteps(recipe, force, terminal);
    if (!keepOthers) await forgetOthers(recipe);
    return outcomes;
  });
}

async function runSteps(recipe: Recipe, force: boolean, terminal: Terminal): Promise<StepOutcome[]> {
  let memory = await recall(recipe.name);
  const outcomes: StepOutcome[] = [];
  for (const [index, step] of recipe.steps.entries()) {
    terminal.signal.throwIfAborted();
    const started = performance.now();
    const known = memory.steps[step.id];
    const reason = force ? '--force' : await whyRun(step, known, latheVersion());
    terminal.say(
      `${index === 0 ? '' : '\n'}[${index + 1}/${recipe.steps.length}] ${step.id}${reason === undefined ? ': nothing changed, kept' : ''}`,
    );
    let done = known!;
    if (reason === undefined) for (const text of done.printed) terminal.print(text);
    else {
      const attempt = await begin(step, known);
      const { checkpoint } = step.files;
      const resume = !force && checkpoint !== undefined && goesOn(attempt, memory.unfinished, checkpoint);
      // Before it runs: an attempt that is killed is remembered, too.
      if (checkpoint !== undefined && !resume) {
        memory = { ...memory, unfinished: attempt };
        await remember(recipe.name, memory);
      }
      const unfinished = memory.unfinished?.id === step.id ? undefined : memory.unfinished;
      try {
        done = await runStep(step, attempt, resume, known, terminal);
      } catch (error) {
        const forgotten = memory.unfinished !== unfinished && !leavesCheckpoint(error);
        if (forgotten) await remember(recipe.name, { ...memory, unfinished });
        throw explained(step, error);
      }
      memory = { steps: { ...memory.steps, [step.id]: done }, unfinished };
      await remember(recipe.name, memory);
    }
    outcomes.push({
      id: step.id,
      use: step.use,
      cached: reason === undefined,
      seconds: (performance.now() - started) / 1000,
      result: done.result,
      hints: done.hints,
    });
  }
  return outcomes;
}

async function begin(step: Step, known: RememberedStep | undefined): Promise<Attempt> {
  return {
    id: step.id,
    use: step.use,
    lathe: latheVersion(),
    parameters: asJson(step.parameters),
    // Taken before the step runs: what is changed meanwhile counts as changed.
    reads: await fingerprints(step.files.reads === 'unknown' ? [] : step.files.reads, known?.reads),
    startedAt: Date.now(),
  };
}

async function runStep(
  step: Step,
  { use, lathe, parameters, reads }: Attempt,
  resume: boolean,
  known: RememberedStep | undefined,
  terminal: Terminal,
): Promise<RememberedStep> {
  const printed: string[] = [];
  const hints: string[] = [];
  const result = await step.command.run(resume ? { ...step.parameters, resume } : step.parameters, {
    ...terminal,
    print(text) {
      printed.push(text);
      terminal.print(text);
    },
    hint: (line) => void hints.push(line),
    finish() {},
  });
  const writes = await fingerprints(step.files.writes, known?.writes);
  return { use, lathe, parameters, reads, writes, result: { ...result }, printed, hints };
}

/** Whether the step can go on from where it was, unlike after a loss that is no longer finite or a damaged checkpoint. */
function leavesCheckpoint(error: unknown): boolean {
  return error instanceof LatheError && ['interrupted', 'io', 'internal'].includes(error.code);
}

/** The error with the step that it comes from, and with what to do about it in a recipe. */
function explained(step: Step, error: unknown): unknown {
  if (!(error instanceof LatheError)) return error;
  const { code, message, hint } = error;
  const inRecipe =
    step.files.checkpoint !== undefined && leavesCheckpoint(error)
      ? 'Run the recipe again to go on from the last checkpoint, or with --force to begin anew.'
      : 'The steps before it are kept: run the recipe again to go on from here.';
  const own = hint?.includes('--resume') ? undefined : hint;
  const said = hint === undefined ? message : message.slice(0, message.lastIndexOf(`\n  ${hint}`));
  return new LatheError(code, `step "${step.id}": ${said}`, { cause: error, hint: own ?? inRecipe });
}

async function fingerprints(
  paths: readonly string[],
  known: Readonly<Record<string, Fingerprint>> | undefined,
): Promise<Record<string, Fingerprint>> {
  const found: Record<string, Fingerprint> = {};
  for (const path of paths) {
    const one = await fingerprint(path, known?.[path]);
    if (one !== undefined) found[path] = one;
  }
  return found;
}

/** Steps that are no longer part of the recipe. */
async function forgetOthers(recipe: Recipe): Promise<void> {
  const memory = await recall(recipe.name);
  const ids = new Set(recipe.steps.map(({ id }) => id));
  const kept = Object.entries(memory.steps).filter(([id]) => ids.has(id));
  if (kept.length < Object.keys(memory.steps).length)
    await remember(recipe.name, { ...memory, steps: Object.fromEntries(kept) });
}
