import { LatheError } from '../../base/index.ts';
import type { PostProcessorFile } from './files.ts';

/** Where special tokens stand around one text, or around a pair of texts. */
export interface Template {
  readonly single: readonly TemplatePiece[];
  readonly pair: readonly TemplatePiece[];
}

export type TemplatePiece =
  | { readonly kind: 'special'; readonly ids: readonly number[]; readonly typeId: number }
  | { readonly kind: 'text'; readonly which: 0 | 1; readonly typeId: number };

const BARE: Template = {
  single: [{ kind: 'text', which: 0, typeId: 0 }],
  pair: [
    { kind: 'text', which: 0, typeId: 0 },
    { kind: 'text', which: 1, typeId: 1 },
  ],
};

/** Tokens that a template adds. */
export function addedBy(pieces: readonly TemplatePiece[]): number {
  let count = 0;
  for (const piece of pieces) if (piece.kind === 'special') count += piece.ids.length;
  return count;
}

/** The template of a `tokenizer.json` post-processor. Throws `unsupported` for a kind that Lathe does not know. */
export function templateOf(processor: PostProcessorFile | null | undefined): Template {
  if (processor === null || processor === undefined) return BARE;
  switch (processor.type) {
    case 'ByteLevel':
      return BARE;
    case 'BertProcessing':
      return around(processor.cls[1], [processor.sep[1]], processor.sep[1], 1);
    case 'RobertaProcessing':
      return around(processor.cls[1], [processor.sep[1], processor.sep[1]], processor.sep[1], 0);
    case 'TemplateProcessing': {
      const read = (pieces: typeof processor.single): TemplatePiece[] =>
        pieces.map((piece) => {
          if ('Sequence' in piece) {
            const { id, type_id: typeId } = piece.Sequence;
            return { kind: 'text', which: id === 'A' ? 0 : 1, typeId };
          }
          const { id, type_id: typeId } = piece.SpecialToken;
          const special = processor.special_tokens[id];
          if (special === undefined) {
            throw new LatheError(
              'invalid-data',
              `tokenizer.json: the template uses "${id}", which special_tokens lacks`,
            );
          }
          return { kind: 'special', ids: special.ids, typeId };
        });
      return { single: read(processor.single), pair: read(processor.pair) };
    }
    case 'Sequence': {
      const templates = processor.processors.map(templateOf).filter((template) => template !== BARE);
      if (templates.length > 1) {
        throw new LatheError('unsupported', 'tokenizer.json: more than one post-processor adds special tokens');
      }
      return templates[0] ?? BARE;
    }
    default:
      throw new LatheError('unsupported', `tokenizer.json: unknown post-processor ${JSON.stringify(processor)}`, {
        hint: 'Known: TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence.',
      });
  }
}

function around(first: number, between: readonly number[], last: number, secondType: number): Template {
  const open: TemplatePiece = { kind: 'special', ids: [first], typeId: 0 };
  const text: TemplatePiece = { kind: 'text', which: 0, typeId: 0 };
  return {
    single: [open, text, { kind: 'special', ids: [last], typeId: 0 }],
    pair: [
      open,
      text,
      // The first separator belongs to the first text; RoBERTa's second one has type 0 like everything else.
      { kind: 'special', ids: between, typeId: 0 },
      { kind: 'text', which: 1, typeId: secondType },
      { kind: 'special', ids: [last], typeId: secondType },
    ],
  };
}
