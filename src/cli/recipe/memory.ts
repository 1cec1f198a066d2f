import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.ts';

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

const memorySchema = z.strictObject({
  format: z.literal('lathe-recipe-memory'),
  version: z.literal(1),
  steps: z.record(z.string(), rememberedStepSchema),
});

export type Memory = Readonly<Record<string, RememberedStep>>;

/** Where a recipe's memory is kept. */
export function memoryPath(recipe: string): string {
  return join('runs', '.recipes', `${recipe}.json`);
}

/** What is remembered of a recipe's steps, by their ids. A file that cannot be read means that nothing is. */
export async function recall(recipe: string): Promise<Memory> {
  const content = await readFile(memoryPath(recipe), 'utf8').catch(() => '{}');
  try {
    return memorySchema.parse(JSON.parse(content)).steps;
  } catch {
    return {};
  }
}

export async function remember(recipe: string, steps: Memory): Promise<void> {
  const memory: z.infer<typeof memorySchema> = { format: 'lathe-recipe-memory', version: 1, steps: { ...steps } };
  await writeFileAtomically(memoryPath(recipe), `${JSON.stringify(memory, null, 2)}\n`);
}
