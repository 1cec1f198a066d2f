import { parseParameters, toCommander } from '../../src/cli/command.ts';
import { findCommand } from '../../src/cli/registry.ts';

/** The command lines of Lathe in a shell text, without `npx` and what is piped into them or out of them. */
export function commandLinesOf(shell: string): string[] {
  return shell
    .replace(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => /(?:^|\s)lathe .*/.exec(line)?.[0].trim())
    .filter((line) => line !== undefined)
    .map((line) => line.replace(/\s+[#|>].*$/, ''));
}

/** What a command line means to its command. Throws where the command line would refuse it. */
export async function parametersOf(line: string): Promise<Readonly<Record<string, unknown>>> {
  const words = Array.from(
    line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g),
    ([, double, single, bare]) => (double ?? single ?? bare)!,
  ).slice(1);
  const group = ['data', 'zoo'].includes(words[0] ?? '') ? 2 : 1;
  const command = await findCommand(words.slice(0, group).join(' '));
  if (command === undefined) throw new Error(`there is no command in: ${line}`);
  const commander = toCommander(command).parse(words.slice(group), { from: 'user' });
  const given: Record<string, unknown> = commander.opts();
  for (const [index, name] of (command.positional ?? []).entries()) {
    const value: unknown = commander.processedArgs[index];
    if (value !== undefined) given[name] = value;
  }
  const { json: _, quiet: __, ...parameters } = given;
  return parseParameters(command, parameters);
}
