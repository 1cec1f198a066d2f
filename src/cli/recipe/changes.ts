import { LatheError } from '../../base/index.ts';
import { isInside, statOf } from '../../data/index.ts';
import { fingerprint } from './fingerprint.ts';
import type { Attempt, RememberedStep } from './memory.ts';
import type { Step } from './schema.ts';

/** Why a step has to run, or undefined when what it made still stands. */
export async function whyRun(
  step: Step,
  remembered: RememberedStep | undefined,
  lathe: string,
): Promise<string | undefined> {
  if (remembered === undefined) return 'it has not run yet';
  if (remembered.use !== step.use) return `it was "${remembered.use}" before`;
  if (remembered.lathe !== lathe) return `it was made by Lathe ${remembered.lathe}`;
  const before = remembered.parameters;
  const now = asJson(step.parameters);
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (name) => canonical(before[name]) !== canonical(now[name]),
  );
  if (changed.length > 0) return `changed: ${changed.join(', ')}`;
  if (step.files.reads === 'unknown') return 'what it reads is not known';
  for (const [paths, known] of [
    [step.files.reads, remembered.reads],
    [step.files.writes, remembered.writes],
  ] as const) {
    for (const path of paths) {
      const old = known[path];
      const found = await fingerprint(path, old);
      if (old === undefined && found === undefined) continue;
      if (found === undefined) return `${path} is gone`;
      if (found.content !== old?.content) return `${path} has changed`;
    }
  }
  return undefined;
}

/** Whether an attempt repeats one that left a checkpoint: the same parameters, and the same content of what it reads. */
export function goesOn(attempt: Attempt, unfinished: Attempt | undefined, checkpoint: string): boolean {
  if (unfinished === undefined) return false;
  const given = ({ id, use, lathe, parameters, reads }: Attempt): string | undefined =>
    canonical({
      id,
      use,
      lathe,
      parameters,
      reads: Object.entries(reads).map(([path, { content }]) => [path, content]),
    });
  // A checkpoint that is older is of another run.
  return given(attempt) === given(unfinished) && (statOf(checkpoint)?.mtimeMs ?? 0) >= unfinished.startedAt;
}

/** The earlier steps that write what a step reads. */
export function sourcesOf(step: Step, earlier: readonly Step[]): readonly Step[] {
  const { reads } = step.files;
  if (reads === 'unknown') return [];
  return earlier.filter(({ files }) => files.writes.some((made) => reads.some((read) => isInside(read, made))));
}

/** Refuses a recipe whose later steps would fail for a file that neither exists nor is written by an earlier step. */
export function refuseMissing(steps: readonly Step[], recipe: string): void {
  for (const [index, step] of steps.entries()) {
    if (step.files.reads === 'unknown') continue;
    const made = steps.slice(0, index).flatMap(({ files }) => files.writes);
    for (const path of step.files.reads) {
      if (/[*?]/.test(path) || statOf(path) !== undefined || made.some((other) => isInside(path, other))) continue;
      throw new LatheError(
        'not-found',
        `${recipe}:${step.line}: step "${step.id}" reads ${path}, which does not exist and no earlier step writes`,
        { hint: `Paths are relative to the working directory, ${process.cwd()}. Nothing was run.` },
      );
    }
  }
}

/** As parameters come back from a file: without what is undefined. */
export function asJson(parameters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(parameters)) as Record<string, unknown>;
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  );
}
