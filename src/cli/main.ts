import { COMMANDS, nearestName } from './registry.ts';
import { latheVersion } from './versions.ts';

/** Runs a command line (without node and script) and gives its exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  endWithReader();
  const [verb, ...rest] = args;
  if (verb === undefined) {
    process.stderr.write(help());
    return 2;
  }
  if (verb === 'help' && rest.length > 0) return main([...rest, '--help']);
  if (verb === '--help' || verb === '-h' || verb === 'help') {
    process.stdout.write(help());
    return 0;
  }
  if (verb === '--version' || verb === '-V') {
    process.stdout.write(`${latheVersion()}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, verb)) return refuse(verb, args);
  const { runCommand } = await import('./command.ts');
  return runCommand((await COMMANDS[verb]!.load()).default, rest);
}

/** `lathe … | head` has seen enough: no reason to fail, none to go on writing. */
function endWithReader(): void {
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

async function refuse(verb: string, args: readonly string[]): Promise<number> {
  const [{ LatheError }, { openTerminal }] = await Promise.all([import('../base/errors.ts'), import('./terminal.ts')]);
  const near = nearestName(verb, Object.keys(COMMANDS));
  const message = verb.startsWith('-')
    ? `expected a command before "${verb}"`
    : `there is no command "${verb}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
  const terminal = openTerminal({ json: args.includes('--json'), quiet: args.includes('--quiet') });
  return terminal.fail(new LatheError('usage', message, { hint: 'Run "lathe --help" for all commands.' }));
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Lathe ${latheVersion()}: an AI model from data to production, with no Python.

Usage: lathe COMMAND [options]

Commands:
${lines.join('\n')}

Every command takes --help (with examples), --json and --quiet.

Examples:
  lathe data prepare reviews.csv --text review --label stars --out data/reviews
  lathe train --data data/reviews --out models/reviews
  lathe predict models/reviews "I would buy it again"
`;
}
