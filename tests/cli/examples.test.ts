import { describe, expect, it } from 'vitest';
import { type CommandDefinition, parseParameters, toCommander } from '../../src/cli/command.ts';
import { COMMANDS, findCommand } from '../../src/cli/registry.ts';
import { commandLinesOf, parametersOf } from './command-line.ts';

const loaded = await Promise.all(Object.values(COMMANDS).map(async ({ load }) => (await load()).default));
const EXAMPLES = loaded.flatMap((command) => [
  ...command.examples.map(([line]) => line),
  ...('subcommands' in command
    ? Object.values(command.subcommands).flatMap(({ examples }) => examples.map(([line]) => line))
    : []),
]);

describe('the examples of the commands', () => {
  it.each(EXAMPLES)('%s', async (line) => {
    const lines = commandLinesOf(line);
    expect(lines).toHaveLength(1);
    await parametersOf(lines[0]!);
  });
});

describe('a line that is no example', () => {
  it.each([
    ['lathe trian --data x', /no command/],
    ['lathe train --data x --out y --epoch 1', /unknown option/],
    ['lathe train --data x', /--out is missing/],
  ])('%s', async (line, message) => {
    await expect(parametersOf(line)).rejects.toThrow(message);
  });

  it('and what one gives', async () => {
    expect(await parametersOf(`lathe predict model "two words" 'and "three" more' --lines`)).toMatchObject({
      package: 'model',
      texts: ['two words', 'and "three" more'],
      lines: true,
    });
  });
});

describe('flags', () => {
  it('are made from every parameter', async () => {
    for (const name of [
      'data inspect',
      'data prepare',
      'train',
      'evaluate',
      'predict',
      'run',
      'gradient',
      'zoo pull',
      'zoo list',
      'zoo info',
    ]) {
      const command = (await findCommand(name)) as CommandDefinition;
      const commander = toCommander(command);
      const flags = commander.options.map((option) => option.attributeName());
      const given = [...flags, ...(command.positional ?? [])].filter((flag) => flag !== 'json' && flag !== 'quiet');
      expect(given.sort(), name).toEqual(Object.keys(command.parameters.shape).sort());
      const described = [...commander.options, ...commander.registeredArguments];
      for (const { description } of described) expect(description, name).not.toBe('');
    }
  });

  it('of a switch that is on turn it off', async () => {
    const train = (await findCommand('train')) as CommandDefinition;
    expect(parseParameters(train, { data: 'x', out: 'y' }).baseline).toBe(true);
    expect(await parametersOf('lathe train --data x --out y --no-baseline')).toMatchObject({ baseline: false });
  });
});
