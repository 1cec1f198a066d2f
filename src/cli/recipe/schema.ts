import { readFile } from 'node:fs/promises';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { type CommandDefinition, checkParameters, type StepFiles } from '../command.ts';
import { findCommand } from '../registry.ts';

const recipeSchema = z.strictObject({
  /** Names the file that remembers what was done: letters, digits, dots, dashes. */
  name: z.string().regex(/^[\w][\w.-]*$/, 'expected letters, digits, dots and dashes'),
  steps: z
    .array(
      z.strictObject({
        /** A command: `data prepare`, `train`. */
        use: z.string(),
        /** Default: the command's name. */
        id: z.string().min(1).optional(),
        /** The command's parameters, in camelCase. */
        with: z.record(z.string(), z.unknown()).default({}),
      }),
    )
    .min(1),
});

/** A step that is known to be well-formed. */
export interface Step {
  readonly id: string;
  readonly use: string;
  readonly command: CommandDefinition;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly files: StepFiles;
  /** Where it stands in the recipe's file, from 1. */
  readonly line: number;
}

export interface Recipe {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Reads a recipe file. Throws LatheError('usage') with the line of everything that is wrong in any step. */
export async function readRecipe(path: string): Promise<Recipe> {
  const content = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new LatheError(
      'not-found',
      `run: cannot read "${path}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`,
      { cause },
    );
  });
  return parseRecipe(content, path);
}

/** As {@link readRecipe}, of a text; `path` is what its problems are told by. */
export async function parseRecipe(content: string, path: string): Promise<Recipe> {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines });
  const problems: string[] = [];
  const lineOf = (keys: readonly PropertyKey[]): number => {
    // What is missing has no place of its own: that of what should hold it.
    for (let length = keys.length; length >= 0; length--) {
      const node = document.getIn(keys.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const report = (keys: readonly PropertyKey[], message: string): void =>
    void problems.push(`${path}:${lineOf(keys)}: ${message}`);
  const refuse = (): never => {
    throw new LatheError(
      'usage',
      problems.length === 1 ? problems[0]! : `a recipe with ${problems.length} problems:\n  ${problems.join('\n  ')}`,
      {
        hint: 'Nothing was run.',
      },
    );
  };

  for (const { message, linePos } of document.errors)
    problems.push(`${path}:${linePos?.[0].line ?? 1}: ${message.split('\n')[0]!.replace(/ at line .*/, '')}`);
  if (problems.length > 0) refuse();
  const parsed = recipeSchema.safeParse(document.toJS());
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys')
        for (const key of issue.keys) report([...issue.path, key], `unknown key "${key}"`);
      else report(issue.path, `${issue.path.join('.') || 'the recipe'}: ${issue.message}`);
    }
    return refuse();
  }

  const steps: Step[] = [];
  const ids = new Set<string>();
  for (const [index, { use, id = use.trim().replace(/\s+/g, '-'), with: given }] of parsed.data.steps.entries()) {
    const at = ['steps', index] as const;
    if (ids.has(id)) report(at, `a second step "${id}": give one of them another id`);
    ids.add(id);
    const command = await findCommand(use);
    if (command?.files === undefined) {
      report([...at, 'use'], command === undefined ? `there is no command "${use}"` : `"${use}" cannot be a step`);
      continue;
    }
    const checked = checkParameters(command, given);
    if ('issues' in checked) {
      for (const { path: keys, message } of checked.issues)
        report([...at, 'with', ...keys], `step "${id}", ${keys.join('.')}: ${message}`);
      continue;
    }
    try {
      const { parameters } = checked;
      steps.push({ id, use, command, parameters, files: command.files(parameters), line: lineOf(at) });
    } catch (error) {
      if (!(error instanceof LatheError)) throw error;
      report(at, `step "${id}": ${error.message.split('\n')[0]}`);
    }
  }
  if (problems.length > 0) refuse();
  return { name: parsed.data.name, steps };
}

/** A step that a command makes of others, not a file. Throws LatheError('internal') where it is no step. */
export async function stepOf(id: string, use: string, given: Readonly<Record<string, unknown>>): Promise<Step> {
  const command = await findCommand(use);
  if (command?.files === undefined) throw new LatheError('internal', `"${use}" cannot be a step`);
  const checked = checkParameters(command, given);
  if ('issues' in checked) {
    const [{ path, message } = { path: [], message: 'wrong' }] = checked.issues;
    throw new LatheError('internal', `step "${id}", ${path.join('.')}: ${message}`);
  }
  const { parameters } = checked;
  return { id, use, command, parameters, files: command.files(parameters), line: 0 };
}
