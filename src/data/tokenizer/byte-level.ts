import { LatheError } from '../../base/index.ts';
import type { ComponentFile, PostProcessorFile, TokenizerFile } from './files.ts';

/** How a byte-level tokenizer treats space. */
export interface ByteLevel {
  /** A text that does not begin with a space is given one. */
  readonly addPrefixSpace: boolean;
  /** Offsets leave out the spaces at the ends of a token; undefined when they do not. */
  readonly trim: { readonly keepsFirstSpace: boolean } | undefined;
}

/** The settings of a tokenizer whose tokens spell the bytes of the text, so that offsets follow from them; else the reason why not. */
export function byteLevelOf(file: TokenizerFile): ByteLevel | string {
  const type = file.model.type ?? 'model without type';
  const steps = sequenceOf<ComponentFile>(file.pre_tokenizer, 'pretokenizers');
  const last = steps.at(-1);
  if (last?.type !== 'ByteLevel') {
    return `tokens of this ${type} tokenizer do not spell the text, and the library that runs it gives no offsets`;
  }
  if (file.normalizer !== null && file.normalizer !== undefined) {
    return `this ${type} tokenizer normalizes text (${file.normalizer.type}), and the library that runs it gives no offsets`;
  }
  if (steps.some(({ type: step, behavior }) => step !== 'ByteLevel' && behavior !== 'Isolated' && step !== 'Digits')) {
    return `this ${type} tokenizer may drop text between words, and the library that runs it gives no offsets`;
  }
  const trimming = sequenceOf<PostProcessorFile & ComponentFile>(file.post_processor, 'processors').find(
    ({ type: step, trim_offsets: trim }) => (step === 'ByteLevel' || step === 'RobertaProcessing') && trim !== false,
  );
  return {
    addPrefixSpace: last.add_prefix_space !== false,
    trim: trimming === undefined ? undefined : { keepsFirstSpace: trimming.add_prefix_space !== false },
  };
}

/** A stretch of text between added tokens. */
export interface Stretch {
  readonly text: string;
  readonly from: number;
  readonly to: number;
  /** Its first token is the first of the text. */
  readonly isFirst: boolean;
  /** Its tokens end before it does. */
  readonly isCut: boolean;
}

/** Offsets (pairs, in UTF-16 units) of the tokens of a stretch, found by counting the bytes that they spell. */
export function byteLevelOffsets(
  tokens: readonly string[],
  stretch: Stretch,
  { addPrefixSpace, trim }: ByteLevel,
): number[] {
  const { text, from, to, isFirst, isCut } = stretch;
  let needed = 0;
  for (const token of tokens) needed += token.length;
  const starts: number[] = [];
  const ends: number[] = [];
  // The space put before a text has the place of the character after it.
  if (addPrefixSpace && from < to && text[from] !== ' ') {
    starts.push(from);
    ends.push(from + (text.codePointAt(from)! > 0xffff ? 2 : 1));
  }
  let position = from;
  while (position < to && starts.length < needed) {
    const code = text.codePointAt(position)!;
    const next = position + (code > 0xffff ? 2 : 1);
    for (let byte = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; byte > 0; byte--) {
      starts.push(position);
      ends.push(next);
    }
    position = next;
  }
  if (starts.length < needed || (!isCut && (position < to || starts.length > needed))) {
    throw new LatheError(
      'unsupported',
      `no offsets: the tokens do not spell the text ${JSON.stringify(text.slice(from, Math.min(to, from + 40)))}`,
      { hint: 'The vocabulary lacks some of the 256 bytes.' },
    );
  }
  const offsets: number[] = [];
  let byte = 0;
  tokens.forEach((token, index) => {
    const start = starts[byte]!;
    byte += token.length;
    offsets.push(...trimmedOffsets(token, text, start, ends[byte - 1]!, isFirst && index === 0, trim));
  });
  return offsets;
}

/** Offsets of a token without the spaces at its ends, where the tokenizer leaves them out. */
export function trimmedOffsets(
  token: string,
  text: string,
  start: number,
  end: number,
  isFirst: boolean,
  trim: ByteLevel['trim'],
): [number, number] {
  if (trim === undefined) return [start, end];
  const leading = /^[\u0120\s]*/.exec(token)![0].length;
  const trailing = /[\u0120\s]*$/.exec(token)![0].length;
  let [first, last] = [start, end];
  // Counted in code points, as the reference does: the space put before a text may have the place of a pair.
  if (!(trim.keepsFirstSpace && (isFirst || start === 0))) {
    for (let count = 0; count < leading && first < end; count++) first += text.codePointAt(first)! > 0xffff ? 2 : 1;
  }
  for (let count = 0; count < trailing && last > first; count++) last--;
  return [first, last];
}

function sequenceOf<T extends { readonly type: string }>(
  component: { readonly type: string } | null | undefined,
  name: 'pretokenizers' | 'processors',
): T[] {
  if (component === null || component === undefined) return [];
  if (component.type !== 'Sequence') return [component as T];
  return ((component as unknown as Record<string, T[] | undefined>)[name] ?? []).flatMap((part) =>
    sequenceOf<T>(part, name),
  );
}
