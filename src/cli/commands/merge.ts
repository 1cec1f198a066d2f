import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { liftConstants } from '../../graph/index.ts';
import { mergeAdapters } from '../../nn/index.ts';
import { writePackage } from '../../pipeline/index.ts';
import { TRAINABLE_TASKS, withParameters } from '../../train/index.ts';
import { hashOfAdapted, readAdapter } from '../adapter-folder.ts';
import { startedCandidate } from '../candidate.ts';
import { defineCommand } from '../command.ts';
import { pathsOf } from '../start/model-files.ts';
import { openStart } from '../start/start.ts';

export default defineCommand({
  name: 'merge',
  summary: 'make a package of a model and the adapters trained beside it',
  description:
    'lathe train --lora writes a whole package, and what it changed into the folder "adapter" of its run, which is small. From that and the model that training began with, merge makes the package again.',
  parameters: z.object({
    adapter: z.string().meta({ description: 'folder of the adapters', placeholder: 'DIR' }),
    out: z.string().meta({ description: 'folder of the package to write', placeholder: 'DIR' }),
    model: z.string().optional().meta({
      description: 'the model that they were trained beside, where it is elsewhere now',
      placeholder: 'SOURCE',
    }),
  }),
  positional: ['adapter'],
  examples: [
    ['lathe merge runs/spam/adapter --out models/spam', 'with the model that training began with'],
    ['lathe merge adapter/ --model hf:org/name --out models/spam', 'where that is elsewhere now'],
  ],
  files: ({ adapter, model, out }) => ({ reads: [adapter, ...pathsOf(model)], writes: [out] }),
  async run({ adapter: folder, out, model: elsewhere }, terminal) {
    const { description, trained } = await readAdapter(folder);
    const { model, labels, maxLength, imageSize, dropout, seed, adapters, manifest, readme } = description;
    const task = TRAINABLE_TASKS[description.task];
    const source = elsewhere ?? model.source;
    const { tokenizer, head } = model;
    const start = await openStart(source, { task, labels, tokenizer, head }, terminal);
    const { forms, files } = startedCandidate(start, {
      task,
      labels,
      maxLength,
      imageSize,
      dropout,
      seed,
      texts: [],
      vocabularySize: 0,
      lowercase: false,
    });
    if (hashOfAdapted(forms.model, adapters) !== model.sha256) {
      throw new LatheError('usage', `"${source}" is not the model that the adapters were trained beside`, {
        hint: `They began with ${model.source}. Name it with --model where it is elsewhere now.`,
      });
    }
    const merged = mergeAdapters(withParameters(liftConstants(forms.model).model, trained), adapters, trained);
    const written = await writePackage(out, { manifest, model: merged, files: { ...files, 'README.md': readme } });
    terminal.say(`merged ${adapters.length} adapters into ${source}\n\nPackage: ${written.folder}`);
    return { package: written.folder, adapters: adapters.length, model: source };
  },
});
