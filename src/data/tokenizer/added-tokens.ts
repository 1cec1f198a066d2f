import type { AddedTokenFile } from './files.ts';
import { normalizeWithAlignment, type WordRules } from './words.ts';

/** Receives a stretch of text: `id` is an added token that stands there, or -1. Returns true to stop. */
export type VisitStretch = (from: number, to: number, id: number) => boolean;

/** Cuts a text into added tokens and the stretches between them. */
export type AddedTokenReader = (text: string, visit: VisitStretch) => void;

/** Readers for the raw text, and for what the normalizer makes of the stretches between the tokens found there. */
export interface AddedTokenReaders {
  readonly raw: AddedTokenReader;
  readonly normalized: AddedTokenReader;
}

/**
 * Readers of added tokens as the reference tokenizers find them: leftmost, then longest; those marked `normalized` in the
 * normalized text, the others in the raw one. `single_word`, `lstrip` and `rstrip` are honoured.
 */
export function addedTokenReaders(
  tokens: readonly AddedTokenFile[],
  normalize: (text: string) => string,
): AddedTokenReaders {
  const reader = (normalized: boolean, patternOf: (content: string) => string): AddedTokenReader =>
    matcher(
      tokens
        .filter((token) => token.normalized === normalized)
        .map((token) => ({ token, pattern: patternOf(token.content) })),
    );
  return { raw: reader(false, (content) => content), normalized: reader(true, normalize) };
}

/** The reader for a text that is normalized word by word, afterwards. */
export function addedTokenReader(tokens: readonly AddedTokenFile[], rules: WordRules): AddedTokenReader {
  const { raw, normalized } = addedTokenReaders(tokens, (content) => normalizeWithAlignment(content, rules).text);
  if (!tokens.some((token) => token.normalized)) return raw;
  return (text, visit) =>
    raw(text, (from, to, id) => {
      if (id >= 0) return visit(from, to, id);
      const inner = normalizeWithAlignment(text.slice(from, to), rules);
      const starts = (unit: number): number =>
        unit === 0 ? from : unit * 2 < inner.alignment.length ? from + inner.alignment[unit * 2]! : to;
      let stopped = false;
      normalized(inner.text, (innerFrom, innerTo, innerId) => {
        const exactEnd = innerId < 0 ? starts(innerTo) : from + inner.alignment[innerTo * 2 - 1]!;
        const exactStart =
          innerId < 0 && innerFrom > 0 ? from + inner.alignment[innerFrom * 2 - 1]! : starts(innerFrom);
        stopped = visit(exactStart, exactEnd, innerId);
        return stopped;
      });
      return stopped;
    });
}

function matcher(entries: readonly { readonly token: AddedTokenFile; readonly pattern: string }[]): AddedTokenReader {
  const byPattern = new Map(
    entries.filter((entry) => entry.pattern !== '').map((entry) => [entry.pattern, entry.token]),
  );
  if (byPattern.size === 0) return (text, visit) => void (text !== '' && visit(0, text.length, -1));
  const alternatives = [...byPattern.keys()]
    .sort((a, b) => b.length - a.length)
    .map((pattern) => pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  const source = alternatives.join('|');
  return (text, visit) => {
    const expression = new RegExp(source, 'g');
    let done = 0;
    for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
      const token = byPattern.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (start < done) continue;
      if (token.single_word && isInsideWord(text, start, end)) continue;
      if (token.lstrip) while (start > done && isSpace(text, start - 1)) start--;
      if (token.rstrip) while (end < text.length && isSpace(text, end)) end++;
      if (start > done && visit(done, start, -1)) return;
      if (visit(start, end, token.id)) return;
      done = end;
    }
    if (done < text.length) visit(done, text.length, -1);
  };
}

// What the reference's \w is: letters, marks, digits, connectors and join controls.
const WORD_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function isInsideWord(text: string, start: number, end: number): boolean {
  // Two units hold the neighbouring character; a longer slice would make many matches quadratic.
  return WORD_END.test(text.slice(Math.max(0, start - 2), start)) || WORD_START.test(text.slice(end, end + 2));
}

function isSpace(text: string, position: number): boolean {
  return /\p{White_Space}/u.test(text[position]!);
}
