import { Argument, Command as Commander, CommanderError, Option } from 'commander';
import { z } from 'zod';
import { LatheError } from '../base/index.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/**
 * A verb of the command line. Its parameters are one zod record: flags, recipe files, validation and help are all made
 * from it. `learningRate` is `--learning-rate` on the command line and `learningRate:` in a recipe. What a flag cannot
 * hold (a list of steps, an object) is the later option of a union whose first option is what the flag takes.
 */
export interface CommandDefinition<Parameters extends z.ZodObject = z.ZodObject> {
  /** All its words: `train`, `data prepare`. */
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: Parameters;
  /** Names of the parameters given by place instead of by flag, in order. The last may be a list. */
  readonly positional?: readonly (keyof z.infer<Parameters> & string)[];
  readonly examples: readonly Example[];
  /** What a recipe must know to skip it when nothing has changed. A command without is no step of a recipe. */
  readonly files?: (parameters: z.infer<Parameters>) => StepFiles;
  /** Returns what `--json` prints. */
  readonly run: (parameters: z.infer<Parameters>, terminal: Terminal) => Promise<Readonly<Record<string, unknown>>>;
}

/** A line of help: the command, and what it does. */
export type Example = readonly [command: string, meaning: string];

/** The files that a command's result depends on, and those that it makes. */
export interface StepFiles {
  /** Files, folders and patterns (`*`, `**`, `?`); `unknown` when that cannot be said, as for an SQL query. */
  readonly reads: readonly string[] | 'unknown';
  readonly writes: readonly string[];
  /** A file that an interrupted run leaves, and goes on from when its parameter `resume` is true. */
  readonly checkpoint?: string;
}

/** A verb that has others under it. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly examples: readonly Example[];
  /** By the word that follows the group's own. */
  readonly subcommands: Readonly<Record<string, CommandDefinition>>;
}

export type Command = CommandDefinition | CommandGroup;

export function defineCommand<Parameters extends z.ZodObject>(
  definition: CommandDefinition<Parameters>,
): CommandDefinition {
  return definition as unknown as CommandDefinition;
}

/** Parses the arguments behind the verb, runs it, and returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  if ('subcommands' in command) return runSubcommand(command, args);
  const commander = toCommander(command);
  const terminal = (): Terminal => openTerminal({ json: args.includes('--json'), quiet: args.includes('--quiet') });
  let given: Record<string, unknown>;
  try {
    commander.parse(args as string[], { from: 'user' });
    given = collect(command, commander);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : terminal().fail(wrongArguments(command.name, error));
  }
  const { json, quiet } = commander.opts<{ json?: boolean; quiet?: boolean }>();
  const opened = openTerminal({ json: json === true, quiet: quiet === true });
  try {
    const result = await command.run(parseParameters(command, given), opened);
    opened.finish(result);
    return 0;
  } catch (error) {
    return opened.fail(error);
  }
}

async function runSubcommand(group: CommandGroup, args: readonly string[]): Promise<number> {
  const [word, ...rest] = args;
  const chosen = word !== undefined && Object.hasOwn(group.subcommands, word) ? group.subcommands[word] : undefined;
  if (chosen !== undefined) return runCommand(chosen, rest);
  if (args.includes('--help')) {
    process.stdout.write(groupHelp(group));
    return 0;
  }
  const known = Object.keys(group.subcommands).join(', ');
  const message =
    word === undefined || word.startsWith('-')
      ? `${group.name}: expected one of ${known}`
      : `${group.name}: there is no "${word}", expected one of ${known}`;
  const terminal = openTerminal({ json: args.includes('--json'), quiet: args.includes('--quiet') });
  return terminal.fail(
    new LatheError('usage', message, { hint: `Run "lathe ${group.name} --help" for what they do.` }),
  );
}

function wrongArguments(name: string, error: CommanderError): LatheError {
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return new LatheError('usage', `${name}: ${message}`, { hint: `Run "lathe ${name} --help" for what it takes.` });
}

/** A parameter that is wrong: where it stands, and what is wrong with it. */
export interface ParameterIssue {
  /** Keys from the record of parameters down. Empty for the record itself. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Validates parameters: those of the command with defaults filled in, or everything that is wrong. */
export function checkParameters<Parameters extends z.ZodObject>(
  definition: CommandDefinition<Parameters>,
  given: unknown,
): { readonly parameters: z.infer<Parameters> } | { readonly issues: readonly ParameterIssue[] } {
  const parsed = z.strictObject(definition.parameters.shape).safeParse(given);
  if (parsed.success) return { parameters: parsed.data as z.infer<Parameters> };
  return { issues: parsed.error.issues.flatMap((issue) => explain(issue, [], given)) };
}

function explain(issue: z.core.$ZodIssue, above: readonly PropertyKey[], given: unknown): readonly ParameterIssue[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown parameter' }));
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // Of a union, the option that the value came nearest to: the one whose complaint is furthest inside.
    const depth = (issues: readonly z.core.$ZodIssue[]): number =>
      Math.max(...issues.map((one) => one.path.length + (one.code === 'invalid_type' ? 0 : 0.5)));
    const [nearest] = [...issue.errors].sort((left, right) => depth(right) - depth(left));
    if (depth(nearest!) > 0) return nearest!.flatMap((one) => explain(one, path, given));
  }
  let value = given;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  if (value === undefined) return [{ path, message: 'missing' }];
  const message = issue.message
    .replace(/^Invalid (option: |input: |discriminator value\. )/, '')
    .replace(/^Expected /, 'expected ')
    .replace(/, received \w+$/, '');
  return [{ path, message: `${message}, got ${JSON.stringify(value)}` }];
}

/** Validates parameters from flags. Throws LatheError('usage') that names each wrong one as the command line does. */
export function parseParameters<Parameters extends z.ZodObject>(
  definition: CommandDefinition<Parameters>,
  given: Readonly<Record<string, unknown>>,
): z.infer<Parameters> {
  const checked = checkParameters(definition, given);
  if ('parameters' in checked) return checked.parameters;
  const positional = new Set<string>(definition.positional);
  const lines = checked.issues.map(({ path, message }) => {
    const key = String(path[0] ?? '');
    const shown = positional.has(key) ? key.toUpperCase() : `--${kebab(key)}`;
    return message === 'missing' ? `${shown} is missing` : `${shown}: ${message}`;
  });
  throw new LatheError('usage', `${definition.name}: ${lines.join('; ')}`, {
    hint: `Run "lathe ${definition.name} --help" for what it takes.`,
  });
}

function groupHelp(group: CommandGroup): string {
  const width = Math.max(...Object.keys(group.subcommands).map((word) => word.length));
  const lines = Object.entries(group.subcommands).map(([word, { summary }]) => `  ${word.padEnd(width)}  ${summary}`);
  return [
    `Usage: lathe ${group.name} ${Object.keys(group.subcommands).join('|')} [options]`,
    '',
    group.description ?? group.summary,
    '',
    'Commands:',
    ...lines,
    '',
    `Each takes --help, as in: lathe ${group.name} ${Object.keys(group.subcommands)[0]} --help`,
    formatExamples(group.examples),
  ].join('\n');
}

function formatExamples(examples: readonly Example[]): string {
  return `\nExamples:\n${examples.map(([command, meaning]) => `  # ${meaning}\n  ${command}`).join('\n')}\n`;
}

/** The parser of a command's flags. */
export function toCommander(definition: CommandDefinition): Commander {
  const commander = new Commander(`lathe ${definition.name}`)
    .description(definition.description ?? definition.summary)
    .exitOverride()
    // What is wrong is said once, by the terminal.
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ showGlobalOptions: false })
    .allowExcessArguments(false);
  const positional = new Set<string>(definition.positional);
  for (const name of definition.positional ?? []) {
    const field = describeField(definition.parameters.shape[name] as z.ZodType);
    const label = `${field.placeholder ?? name.toUpperCase()}${field.kind === 'list' ? '...' : ''}`;
    commander.addArgument(new Argument(field.required ? `<${label}>` : `[${label}]`, field.description));
  }
  for (const [name, schema] of Object.entries(definition.parameters.shape)) {
    if (!positional.has(name)) commander.addOption(toOption(name, describeField(schema as z.ZodType)));
  }
  commander.option('--json', 'print one JSON object, the last line of standard output');
  commander.option('--quiet', 'print nothing but errors');
  commander.helpOption('--help', 'show this help');
  commander.addHelpText('after', formatExamples(definition.examples));
  return commander;
}

function toOption(name: string, field: Field): Option {
  // A switch that is on by default is one to turn off.
  const flag = `--${field.kind === 'boolean' && field.fallback === true ? 'no-' : ''}${kebab(name)}`;
  const placeholder = field.placeholder ?? (field.kind === 'number' ? 'number' : 'value');
  const option = new Option(
    field.kind === 'boolean' ? flag : `${flag} <${placeholder}${field.kind === 'list' ? '...' : ''}>`,
    field.description,
  );
  if (field.choices !== undefined) option.description = `${option.description} (${field.choices.join(', ')})`;
  if (
    field.fallback !== undefined &&
    field.kind !== 'boolean' &&
    !(Array.isArray(field.fallback) && field.fallback.length === 0)
  ) {
    option.description = `${option.description} [default: ${field.fallback}]`;
  }
  if (field.kind === 'number')
    option.argParser((text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text));
  return option;
}

function collect(definition: CommandDefinition, commander: Commander): Record<string, unknown> {
  const { json, quiet, ...given } = commander.opts<Record<string, unknown>>();
  definition.positional?.forEach((name, index) => {
    const value: unknown = commander.processedArgs[index];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) given[name] = value;
  });
  return given;
}

interface Field {
  readonly kind: 'boolean' | 'number' | 'list' | 'text';
  readonly required: boolean;
  readonly description: string;
  readonly fallback?: unknown;
  readonly choices?: readonly string[];
  readonly placeholder?: string;
}

/** What a flag needs to know of a zod schema: its innermost type under defaults, optionals and transformations. */
function describeField(schema: z.ZodType): Field {
  let inner: z.core.$ZodType = schema;
  let required = true;
  let fallback: unknown;
  const meta = (z.globalRegistry.get(schema) ?? {}) as { description?: string; placeholder?: string };
  let { description, placeholder } = meta;
  for (;;) {
    const { def } = inner._zod;
    if (def.type === 'default') {
      required = false;
      fallback = (def as z.core.$ZodDefaultDef).defaultValue;
      inner = (def as z.core.$ZodDefaultDef).innerType;
    } else if (def.type === 'optional') {
      required = false;
      inner = (def as z.core.$ZodOptionalDef).innerType;
    } else if (def.type === 'pipe') inner = (def as z.core.$ZodPipeDef).in;
    else if (def.type === 'union' && !('discriminator' in def)) inner = (def as z.core.$ZodUnionDef).options[0]!;
    else break;
    const more = (z.globalRegistry.get(inner) ?? {}) as { description?: string; placeholder?: string };
    description ??= more.description;
    placeholder ??= more.placeholder;
  }
  const { def } = inner._zod;
  const kind =
    def.type === 'boolean'
      ? 'boolean'
      : def.type === 'number' || def.type === 'int'
        ? 'number'
        : def.type === 'array'
          ? 'list'
          : 'text';
  return {
    kind,
    required,
    description: description ?? '',
    ...(fallback !== undefined && { fallback }),
    ...(def.type === 'enum' && { choices: Object.keys((def as z.core.$ZodEnumDef).entries) }),
    ...(placeholder !== undefined && { placeholder }),
  };
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
