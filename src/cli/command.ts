import { Argument, Command as Commander, CommanderError, Option } from 'commander';
import { z } from 'zod';
import { LatheError } from '../base/index.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/**
 * A verb of the command line. Its parameters are one zod record: flags, recipe files, validation and help are all made
 * from it. `learningRate` is `--learning-rate` on the command line and `learningRate:` in a recipe.
 */
export interface CommandDefinition<Parameters extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: Parameters;
  /** Names of the parameters given by place instead of by flag, in order. The last may be a list. */
  readonly positional?: readonly (keyof z.infer<Parameters> & string)[];
  /** Lines of help: the command, and what it does. */
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** Returns what `--json` prints. */
  readonly run: (parameters: z.infer<Parameters>, terminal: Terminal) => Promise<Readonly<Record<string, unknown>>>;
}

export function defineCommand<Parameters extends z.ZodObject>(
  definition: CommandDefinition<Parameters>,
): CommandDefinition {
  return definition as unknown as CommandDefinition;
}

/** Parses the arguments behind the verb, runs it, and returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCommand(
  definition: CommandDefinition,
  args: readonly string[],
  path = 'lathe',
): Promise<number> {
  const commander = toCommander(definition, path);
  let given: Record<string, unknown>;
  try {
    commander.parse(args as string[], { from: 'user' });
    given = collect(definition, commander);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  const { json, quiet } = commander.opts<{ json?: boolean; quiet?: boolean }>();
  const terminal = openTerminal({ json: json === true, quiet: quiet === true });
  try {
    const result = await definition.run(parseParameters(definition, given), terminal);
    terminal.finish(result);
    return 0;
  } catch (error) {
    return terminal.fail(error);
  }
}

/** Validates parameters from flags or from a recipe. Throws LatheError('usage') that names each wrong one. */
export function parseParameters<Parameters extends z.ZodObject>(
  definition: CommandDefinition<Parameters>,
  given: Readonly<Record<string, unknown>>,
): z.infer<Parameters> {
  const parsed = z.strictObject(definition.parameters.shape).safeParse(given);
  if (parsed.success) return parsed.data as z.infer<Parameters>;
  const positional = new Set<string>(definition.positional);
  const lines = parsed.error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys')
      return `unknown parameter ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
    const key = String(issue.path[0] ?? '');
    const shown = positional.has(key) ? key.toUpperCase() : `--${kebab(key)}`;
    const got = given[key];
    return got === undefined ? `${shown} is missing` : `${shown}: ${issue.message}, got ${JSON.stringify(got)}`;
  });
  throw new LatheError('usage', `${definition.name}: ${lines.join('; ')}`, {
    hint: `Run "lathe ${definition.name} --help" for what it takes.`,
  });
}

function toCommander(definition: CommandDefinition, path: string): Commander {
  const commander = new Commander(`${path} ${definition.name}`)
    .description(definition.description ?? definition.summary)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .allowExcessArguments(false);
  const positional = new Set<string>(definition.positional);
  for (const name of definition.positional ?? []) {
    const field = describeField(definition.parameters.shape[name] as z.ZodType);
    const label = `${name.toUpperCase()}${field.kind === 'list' ? '...' : ''}`;
    commander.addArgument(new Argument(field.required ? `<${label}>` : `[${label}]`, field.description));
  }
  for (const [name, schema] of Object.entries(definition.parameters.shape)) {
    if (!positional.has(name)) commander.addOption(toOption(name, describeField(schema as z.ZodType)));
  }
  commander.option('--json', 'print one JSON object, the last line of standard output');
  commander.option('--quiet', 'print nothing but errors');
  commander.helpOption('--help', 'show this help');
  const width = Math.max(...definition.examples.map(([command]) => command.length));
  commander.addHelpText(
    'after',
    `\nExamples:\n${definition.examples.map(([command, meaning]) => `  ${command.padEnd(width)}  ${meaning}`).join('\n')}\n`,
  );
  return commander;
}

function toOption(name: string, field: Field): Option {
  // A switch that is on by default is one to turn off.
  const flag = `--${field.kind === 'boolean' && field.fallback === true ? 'no-' : ''}${kebab(name)}`;
  const placeholder =
    field.placeholder ?? { boolean: '', number: ' <number>', list: ' <value...>', text: ' <value>' }[field.kind];
  const option = new Option(
    field.kind === 'boolean' ? flag : `${flag}${placeholder.startsWith(' ') ? placeholder : ` <${placeholder}>`}`,
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
