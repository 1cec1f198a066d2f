import type { CommandDefinition } from './command.ts';
import { latheVersion } from './versions.ts';

/** The verbs, loaded when called: a command does not pay for what others need. */
const COMMANDS: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<{ readonly default: CommandDefinition }> }>
> = {
  data: { summary: 'look at data, clean and split them', load: () => import('./commands/data.ts') },
  train: { summary: 'train a model and write its package', load: () => import('./commands/train.ts') },
  evaluate: { summary: 'measure a package on labelled texts', load: () => import('./commands/evaluate.ts') },
  predict: { summary: 'classify texts with a package', load: () => import('./commands/predict.ts') },
  run: { summary: 'run the steps of a recipe file', load: () => import('./commands/run.ts') },
  gradient: { summary: 'write the gradient graph of an ONNX model', load: () => import('./commands/gradient.ts') },
};

/** Runs a command line (without node and script) and gives its exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    process.stdout.write(help());
    return verb === undefined ? 2 : 0;
  }
  if (verb === '--version' || verb === '-V') {
    process.stdout.write(`${latheVersion()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined;
  if (command === undefined) {
    const near = Object.keys(COMMANDS).find((name) => name.startsWith(verb.slice(0, 3)));
    process.stderr.write(
      `error: there is no command "${verb}"${near === undefined ? '' : `; did you mean "${near}"?`}\n  Run "lathe --help" for all of them.\n`,
    );
    return 2;
  }
  const { runCommand } = await import('./command.ts');
  return runCommand((await command.load()).default, rest);
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
