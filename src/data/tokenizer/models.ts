import { LatheError } from '../../base/index.ts';
import { bytePairs } from './bpe.ts';
import type { ModelFile } from './files.ts';
import { unigrams } from './unigram.ts';
import { remembered, type WordPieces } from './word-pieces.ts';
import { wordPieces } from './wordpiece.ts';

type Vocabulary = ReadonlyMap<string, number>;

/** What cuts words into tokens, as the "model" of a `tokenizer.json` says. Throws 'unsupported' for a type that Lathe does not know. */
export function modelOf(model: ModelFile, vocabulary: Vocabulary): WordPieces {
  const type = model.type ?? typeByFields(model);
  const make = MODELS[type];
  if (make !== undefined) return remembered(make(model, vocabulary));
  throw new LatheError('unsupported', `tokenizer.json: a model of the type "${type}"`, {
    hint: `Known: ${Object.keys(MODELS).join(', ')}.`,
  });
}

const MODELS: Readonly<Record<string, (model: ModelFile, vocabulary: Vocabulary) => WordPieces>> = {
  WordPiece: (model, vocabulary) =>
    wordPieces({
      vocabulary,
      unknownId: unknownOf(model, vocabulary),
      continuingPrefix: String(model.continuing_subword_prefix ?? '##'),
      maxCharactersPerWord: Number(model.max_input_chars_per_word ?? 100),
    }),
  BPE: bytePairs,
  Unigram: unigrams,
  WordLevel(model, vocabulary) {
    const unknown = unknownOf(model, vocabulary);
    return (word) => Int32Array.of(vocabulary.get(word) ?? unknown, 0, word.length);
  },
};

/** Files of old have no type. */
function typeByFields(model: ModelFile): string {
  if ('merges' in model) return 'BPE';
  if (Array.isArray(model.vocab)) return 'Unigram';
  return 'max_input_chars_per_word' in model ? 'WordPiece' : 'WordLevel';
}

function unknownOf(model: ModelFile, vocabulary: Vocabulary): number {
  const id = vocabulary.get(String(model.unk_token));
  if (id !== undefined) return id;
  throw new LatheError(
    'invalid-data',
    `tokenizer.json: "model.unk_token" is ${JSON.stringify(model.unk_token) ?? 'missing'}, which the vocabulary lacks`,
  );
}
