import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.ts';
import { jsonText } from '../../base/index.ts';
import { withLock } from '../../base/lock.ts';
import type { Terminal } from '../terminal.ts';

const fingerprints = z.record(z.string(), z.strictObject({ listing: z.string(), content: z.string() }));

const rememberedStepSchema = z.strictObject({
  use: z.string(),
  lathe: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  reads: fingerprints,
  writes: fingerprints,
  /** What the step came to: its JSON, what it printed, and what to try next. */
  result: z.record(z.string(), z.unknown()),
  printed: z.array(z.string()),
  hints: z.array(z.string()),
});

/** A step as it was when it last ended well, with everything that its result depends on. */
export type RememberedStep = z.infer<typeof rememberedStepSchema>;

const attemptSchema = rememberedStepSchema
  .pick({ use: true, lathe: true, parameters: true, reads: true })
  .extend({ id: z.string(), startedAt: z.number() });

/** A step that began, and when (milliseconds since 1970). */
export type Attempt = z.infer<typeof attemptSchema>;

const memorySchema = z.strictObject({
  format: z.literal('lathe-recipe-memory'),
  version: z.literal(1),
  steps: z.record(z.string(), rememberedStepSchema),
  unfinished: attemptSchema.optional(),
});

export interface Memory {
  /** By their ids. */
  readonly steps: Readonly<Record<string, RememberedStep>>;
  /** The last attempt that can go on from its checkpoint. */
  readonly unfinished?: Attempt | undefined;
}

/** Where a recipe's memory is kept. */
export function memoryPath(recipe: string): string {
  return join('runs', '.recipes', `${recipe}.json`);
}

/** Runs `work` while no other process runs the recipe: what one makes, the other reads. */
export function withRecipe<T>(recipe: string, terminal: Terminal, work: () => Promise<T>): Promise<T> {
  return withLock(join('runs', '.recipes', `${recipe}.lock`), work, {
    signal: terminal.signal,
    waiting: (pid) => terminal.say(`process ${pid} runs this recipe: waiting for it to end`),
  });
}

/** What is remembered of a recipe. A file that cannot be read means that nothing is. */
export async function recall(recipe: string): Promise<Memory> {
  const content = await readFile(memoryPath(recipe), 'utf8').catch(() => '{}');
  try {
    return memorySchema.parse(JSON.parse(content));
  } catch {
    return { steps: {} };
  }
}

export async function remember(recipe: string, { steps, unfinished }: Memory): Promise<void> {
  const memory = { format: 'lathe-recipe-memory', version: 1, steps, unfinished };
  await writeFileAtomically(memoryPath(recipe), jsonText(memory));
}
