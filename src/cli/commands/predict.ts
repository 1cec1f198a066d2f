import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { type Input, openPackage, openPipeline, type Package, TASKS } from '../../pipeline/index.ts';
import { defineCommand } from '../command.ts';
import type { Terminal } from '../terminal.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of a package' }),
  texts: z.array(z.string()).default([]).meta({ description: 'texts to answer; for a model of images, their files' }),
  file: z.array(z.string()).default([]).meta({
    description: 'files whose whole content is one text (or image) each; - reads standard input',
    placeholder: 'file',
  }),
  lines: z.boolean().default(false).meta({ description: 'each line of the files is a text' }),
  textPair: z.array(z.string()).default([]).meta({
    description: 'for a model of pairs, the second text of each text',
    placeholder: 'text',
  }),
  variant: z.string().default('fp32').meta({ description: 'variant of the model', placeholder: 'NAME' }),
});

export default defineCommand({
  name: 'predict',
  summary: 'use a package on texts or images',
  parameters,
  positional: ['package', 'texts'],
  examples: [
    ['lathe predict models/spam-filter "You have won a prize, reply now"', 'one text'],
    ['lathe predict models/spam-filter --file mail.eml', 'a mail as it was received'],
    ['lathe predict models/nli "It rains." --text-pair "The street is wet."', 'a pair of texts'],
    ['lathe predict models/photos cat.jpg dog.png', 'images, by their files'],
    ['cat lines.txt | lathe predict models/spam-filter --file - --lines --json', 'many texts, one a line, as JSON'],
  ],
  files: ({ package: folder, file }) => ({ reads: [folder, ...file], writes: [] }),
  async run({ package: folder, texts, file, lines, textPair, variant }, terminal) {
    // What is wrong with the inputs is said before what is wrong with the package.
    const opened = await openPackage(folder).catch((error: unknown) => error as Error);
    if (!(opened instanceof Error) && opened.manifest.pipeline.input === 'image') {
      if (lines || textPair.length > 0) {
        throw new LatheError('usage', `predict: ${lines ? '--lines' : '--text-pair'}: the model sees images`);
      }
      const named = await Promise.all(
        [...texts, ...file].map(async (name) => ({
          name,
          input: { image: name === '-' ? await standardInput() : name },
        })),
      );
      return answer(opened, named, variant, terminal);
    }
    const read = await Promise.all(file.map(async (name) => ({ name, text: await readInput(name) })));
    const inputs = [
      ...texts.map((text) => ({ name: text, text })),
      ...read.flatMap(({ name, text }) =>
        lines
          ? text
              .split(/\r?\n/)
              .filter((line) => line.trim() !== '')
              .map((line) => ({ name: line, text: line }))
          : [{ name, text }],
      ),
    ];
    if (inputs.length === 0) throw nothingGiven();
    for (const { name, text } of inputs) {
      if (text.trim() === '') throw new LatheError('invalid-data', `predict: "${name}" is empty`);
      if (text.includes('\u0000'))
        throw new LatheError('invalid-data', `predict: "${name.slice(0, 80)}" is not text: it has NUL bytes`);
    }
    if (opened instanceof Error) throw opened;
    const isSingle = textPair.length === 0 && TASKS[opened.manifest.task].pairs === 'optional';
    const pairs = opened.manifest.columns.textPair !== undefined && !isSingle;
    if (textPair.length !== (pairs ? inputs.length : 0)) {
      throw new LatheError(
        'usage',
        pairs
          ? `predict: ${inputs.length} texts and ${textPair.length} second texts, expected as many`
          : 'predict: --text-pair: the model reads single texts',
        { ...(pairs && { hint: 'Give each text its second one: --text-pair TEXT.' }) },
      );
    }
    const named = inputs.map(({ name, text }, index) => ({
      name,
      input: pairs ? { text, textPair: textPair[index]! } : text,
    }));
    return answer(opened, named, variant, terminal);
  },
});

async function answer(
  opened: Package,
  inputs: readonly { readonly name: string; readonly input: Input }[],
  variant: string,
  terminal: Terminal,
): Promise<{ readonly predictions: readonly unknown[] }> {
  if (inputs.length === 0) throw nothingGiven();
  const pipeline = await openPipeline(opened, { variant });
  const predictions = await pipeline
    .predict(
      inputs.map(({ input }) => input),
      { signal: terminal.signal },
    )
    .finally(() => pipeline.close());
  for (const [index, prediction] of predictions.entries()) {
    const line = pipeline.task.line(prediction);
    terminal.print(`${line}${inputs.length > 1 ? `\t${inputs[index]!.name.slice(0, 80)}` : ''}`);
  }
  return { predictions };
}

function nothingGiven(): LatheError {
  return new LatheError('usage', 'predict: nothing to predict', {
    hint: 'Give a text (or the file of an image), or --file FILE, or --file - for standard input.',
  });
}

async function readInput(name: string): Promise<string> {
  if (name !== '-') {
    return readFile(name, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new LatheError(
        'not-found',
        cause.code === 'EISDIR'
          ? `predict: "${name}" is a folder, expected a file`
          : `predict: cannot read "${name}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`,
        { cause },
      );
    });
  }
  return (await standardInput()).toString('utf8');
}

async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
