import type { ComponentFile, PostProcessorFile, TokenizerFile } from './files.ts';

/** The character that stands for each byte in a byte-level vocabulary (GPT-2): printable ones for themselves. */
export const BYTE_CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  String.fromCodePoint(isPrintable(byte) ? byte : 256 + placeAmongOthers(byte)),
);

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
}

function placeAmongOthers(byte: number): number {
  let place = 0;
  for (let other = 0; other < byte; other++) if (!isPrintable(other)) place++;
  return place;
}

const ENCODER = new TextEncoder();

/** The bytes of a character. */
export function utf8Of(character: string): readonly number[] {
  return Array.from(ENCODER.encode(character));
}

const spelled = new Map<string, string>();

/** A character as a byte-level vocabulary spells it. */
export function byteCharactersOf(character: string): string {
  let found = spelled.get(character);
  if (found === undefined) {
    found = utf8Of(character)
      .map((byte) => BYTE_CHARACTERS[byte]!)
      .join('');
    spelled.set(character, found);
  }
  return found;
}

/** How offsets leave out the spaces at the ends of a token. */
export interface OffsetTrimming {
  /** The space at the beginning of a text was put there, and stays in its token. */
  readonly keepsFirstSpace: boolean;
}

/** The trimming that a file's post-processor asks for; undefined where offsets stay as they are. */
export function trimmingOf(file: TokenizerFile): OffsetTrimming | undefined {
  const trimming = processorsOf(file.post_processor).find(
    ({ type, trim_offsets: trim }) => (type === 'ByteLevel' || type === 'RobertaProcessing') && trim !== false,
  );
  return trimming === undefined ? undefined : { keepsFirstSpace: trimming.add_prefix_space !== false };
}

const SPACE = /[\u0120\s]/;

/** Offsets of a token without the spaces at its ends. `token` is as the vocabulary spells it. */
export function trimmedOffsets(
  token: string,
  text: string,
  [start, end]: readonly [number, number],
  isFirst: boolean,
  { keepsFirstSpace }: OffsetTrimming,
): [number, number] {
  // Most tokens have none, or the one that the vocabulary writes before a word.
  if (!SPACE.test(token[0] ?? '') && !SPACE.test(token.at(-1) ?? '')) return [start, end];
  const leading = /^[\u0120\s]*/.exec(token)![0].length;
  const trailing = /[\u0120\s]*$/.exec(token)![0].length;
  let [first, last] = [start, end];
  // Counted in code points, as the reference does: the space put before a text may have the place of a pair.
  if (!(keepsFirstSpace && (isFirst || start === 0))) {
    for (let count = 0; count < leading && first < end; count++) first += text.codePointAt(first)! > 0xffff ? 2 : 1;
  }
  for (let count = 0; count < trailing && last > first; count++)
    last -= last > 1 && text.codePointAt(last - 2)! > 0xffff ? 2 : 1;
  return [first, last];
}

function processorsOf(component: PostProcessorFile | null | undefined): (PostProcessorFile & ComponentFile)[] {
  if (component === null || component === undefined) return [];
  if (component.type !== 'Sequence') return [component as PostProcessorFile & ComponentFile];
  return component.processors.flatMap(processorsOf);
}
