import { LatheError } from '../../base/index.ts';
import type { Terminal } from '../terminal.ts';
import { latheVersion } from '../versions.ts';
import { asJson, refuseMissing, sourcesOf, whyRun } from './changes.ts';
import { type Fingerprint, fingerprint } from './fingerprint.ts';
import { type Memory, type RememberedStep, recall, remember } from './memory.ts';
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
    const reason = force ? '--force' : await whyRun(step, memory[step.id], latheVersion());
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

/** Runs the steps whose result does not stand already. A step that ended well is remembered at once. */
export async function runRecipe(
  recipe: Recipe,
  path: string,
  force: boolean,
  terminal: Terminal,
): Promise<StepOutcome[]> {
  refuseMissing(recipe.steps, path);
  let memory = await recall(recipe.name);
  const outcomes: StepOutcome[] = [];
  for (const [index, step] of recipe.steps.entries()) {
    terminal.signal.throwIfAborted();
    const started = performance.now();
    const known = memory[step.id];
    const reason = force ? '--force' : await whyRun(step, known, latheVersion());
    terminal.say(
      `${index === 0 ? '' : '\n'}[${index + 1}/${recipe.steps.length}] ${step.id}${reason === undefined ? ': nothing changed, kept' : ''}`,
    );
    const done = reason === undefined ? known! : await runStep(step, known, terminal);
    if (reason === undefined) for (const text of done.printed) terminal.print(text);
    else {
      memory = { ...memory, [step.id]: done };
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
  await forgetOthers(recipe, memory);
  return outcomes;
}

async function runStep(step: Step, known: RememberedStep | undefined, terminal: Terminal): Promise<RememberedStep> {
  const printed: string[] = [];
  const hints: string[] = [];
  // Taken before the step runs: what is changed meanwhile counts as changed.
  const reads = await fingerprints(step.files.reads === 'unknown' ? [] : step.files.reads, known?.reads);
  let result: Readonly<Record<string, unknown>>;
  try {
    result = await step.command.run(step.parameters, {
      ...terminal,
      print(text) {
        printed.push(text);
        terminal.print(text);
      },
      hint: (line) => void hints.push(line),
      finish() {},
    });
  } catch (error) {
    if (!(error instanceof LatheError)) throw error;
    throw new LatheError(error.code, `step "${step.id}": ${error.message}`, {
      cause: error,
      ...(error.hint === undefined && {
        hint: 'The steps before it are kept: run the recipe again to go on from here.',
      }),
    });
  }
  return {
    use: step.use,
    lathe: latheVersion(),
    parameters: asJson(step.parameters),
    reads,
    writes: await fingerprints(step.files.writes, known?.writes),
    result: { ...result },
    printed,
    hints,
  };
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
async function forgetOthers(recipe: Recipe, memory: Memory): Promise<void> {
  const ids = new Set(recipe.steps.map(({ id }) => id));
  const kept = Object.entries(memory).filter(([id]) => ids.has(id));
  if (kept.length < Object.keys(memory).length) await remember(recipe.name, Object.fromEntries(kept));
}
