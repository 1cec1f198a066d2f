import { LatheError } from '../../base/index.ts';

/** How a CSV file is laid out, as its beginning shows. */
export interface CsvLayout {
  readonly delimiter: string;
  readonly quote: string;
  /** The cells of the first line that is not empty. */
  readonly first: readonly string[];
  /** Empty lines before it. */
  readonly emptyLines: number;
  /** Whether some lines end in a carriage return and others do not. */
  readonly mixedLineEnds: boolean;
}

const CANDIDATES = [',', ';', '\t', '|'];

/**
 * Reads the layout from the beginning of a file's text, a whole number of lines or all of it. The delimiter, unless
 * given, is the candidate that splits the first line into most cells; a file of one column has a comma.
 */
export function csvLayout(start: string, quote: string, delimiter?: string): CsvLayout {
  const text = start.startsWith('\ufeff') ? start.slice(1) : start;
  const before = /^(?:[ \t]*(?:\r\n|\n|\r))*/.exec(text)![0];
  const body = text.slice(before.length);
  const records = (delimiter === undefined ? CANDIDATES : [delimiter]).map((candidate) => ({
    delimiter: candidate,
    cells: firstRecord(body, candidate, quote),
  }));
  const best = records.reduce((left, right) => (right.cells.length > left.cells.length ? right : left));
  return {
    delimiter: best.delimiter,
    quote,
    first: best.cells,
    emptyLines: before.split(/\r\n|\n|\r/).length - 1,
    mixedLineEnds: /\r\n/.test(text) && /(^|[^\r])\n/.test(text),
  };
}

function firstRecord(text: string, delimiter: string, quote: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  let position = 0;
  for (; position < text.length; position++) {
    const character = text[position]!;
    if (quoted) {
      if (character !== quote) cell += character;
      else if (text[position + 1] === quote) {
        cell += quote;
        position++;
      } else quoted = false;
    } else if (character === quote && cell === '') quoted = true;
    else if (character === delimiter) {
      cells.push(cell);
      cell = '';
    } else if (character === '\n' || character === '\r') break;
    else cell += character;
  }
  return text === '' ? [] : [...cells, cell];
}

/** Where a record of a CSV file begins. */
export interface RecordStart {
  /** Offset in bytes. */
  readonly offset: number;
  /** Line, counted from 1. */
  readonly line: number;
}

/** The beginnings of a CSV file's records that are not empty, header included, from its bytes in pieces. */
export async function* recordStarts(
  pieces: AsyncIterable<Uint8Array>,
  { delimiter, quote }: Pick<CsvLayout, 'delimiter' | 'quote'>,
): AsyncGenerator<RecordStart[]> {
  const quoteByte = byteOf(quote);
  const delimiterByte = byteOf(delimiter);
  let offset = 0;
  let line = 1;
  let start: RecordStart | undefined;
  let quoted = false;
  let atCellStart = true;
  let closedAt = -2;
  let afterReturn = false;
  for await (const piece of pieces) {
    const found: RecordStart[] = [];
    for (let index = 0; index < piece.length; index++) {
      const byte = piece[index]!;
      const isFeed = byte === 0x0a;
      if (isFeed && afterReturn) {
        afterReturn = false;
        offset++;
        continue;
      }
      afterReturn = byte === 0x0d;
      if (isFeed || byte === 0x0d) {
        line++;
        if (!quoted) {
          if (start !== undefined) found.push(start);
          start = undefined;
          atCellStart = true;
        }
      } else {
        start ??= { offset, line };
        if (byte === quoteByte) {
          // Two quotes inside a quoted cell close it and open it again, which comes to the same.
          if (quoted) {
            quoted = false;
            closedAt = offset;
          } else if (atCellStart || closedAt === offset - 1) quoted = true;
        }
        atCellStart = byte === delimiterByte && !quoted;
      }
      offset++;
    }
    yield found;
  }
  if (start !== undefined) yield [start];
}

function byteOf(character: string): number {
  const code = character.charCodeAt(0);
  if (character.length !== 1 || code > 0x7f) {
    throw new LatheError(
      'usage',
      `CSV delimiter and quote: expected one ASCII character, got ${JSON.stringify(character)}`,
    );
  }
  return code;
}
