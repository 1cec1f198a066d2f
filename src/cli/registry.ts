import type { Command, CommandDefinition } from './command.ts';

export interface RegisteredCommand {
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: Command }>;
}

/** The verbs, loaded when called: a command does not pay for what others need. */
export const COMMANDS: Readonly<Record<string, RegisteredCommand>> = {
  data: { summary: 'look at data, clean and split them', load: () => import('./commands/data.ts') },
  train: { summary: 'train a model and write its package', load: () => import('./commands/train.ts') },
  evaluate: { summary: 'measure a package on labelled texts or images', load: () => import('./commands/evaluate.ts') },
  predict: { summary: 'use a package on texts or images', load: () => import('./commands/predict.ts') },
  export: { summary: 'write a package in the format of other tools', load: () => import('./commands/export.ts') },
  merge: { summary: 'make a package of a model and adapters', load: () => import('./commands/merge.ts') },
  compare: {
    summary: 'measure packages side by side, and say which to take',
    load: () => import('./commands/compare.ts'),
  },
  select: {
    summary: 'train candidates on the same data, and say which to take',
    load: () => import('./commands/select.ts'),
  },
  quantize: {
    summary: 'write a package with a model in fewer bits beside its own',
    load: () => import('./commands/quantize.ts'),
  },
  distill: {
    summary: 'train a small model to answer as a large one does',
    load: () => import('./commands/distill.ts'),
  },
  prune: { summary: 'make a model smaller by what matters least', load: () => import('./commands/prune.ts') },
  compress: { summary: 'make a package small, and keep its score', load: () => import('./commands/compress.ts') },
  run: { summary: 'run the steps of a recipe file', load: () => import('./commands/run.ts') },
  gradient: { summary: 'write the gradient graph of an ONNX model', load: () => import('./commands/gradient.ts') },
  zoo: { summary: 'find models and bring them here', load: () => import('./commands/zoo.ts') },
};

/** The command of a name such as `train` or `data prepare`; undefined for an unknown one and for a group. */
export async function findCommand(name: string): Promise<CommandDefinition | undefined> {
  const [verb = '', word, ...more] = name.trim().split(/\s+/);
  if (!Object.hasOwn(COMMANDS, verb) || more.length > 0) return undefined;
  const { default: command } = await COMMANDS[verb]!.load();
  if (!('subcommands' in command)) return word === undefined ? command : undefined;
  return word !== undefined && Object.hasOwn(command.subcommands, word) ? command.subcommands[word] : undefined;
}

/** Of some names the one that a mistyped word most likely means: at most two letters off, or the same beginning. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const near = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((left, right) => left.distance - right.distance)[0];
  if (near !== undefined && near.distance <= Math.min(2, word.length - 1)) return near.name;
  return word.length >= 3 ? names.find((name) => name.startsWith(word)) : undefined;
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + change));
    }
    row = next;
  }
  return row[right.length]!;
}
