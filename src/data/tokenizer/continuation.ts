import type { Tokenizer } from './tokenizer.ts';

/**
 * The tokens that go on with the word of the token before them, by how the vocabulary marks words: `##` before what goes on
 * (WordPiece), or `Ġ` or `▁` before what begins (byte-level BPE, Unigram).
 */
export function continuationIds(tokenizer: Tokenizer): number[] {
  const tokens = Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.idToToken(id) ?? '');
  const count = (mark: string): number => tokens.filter((token) => token.startsWith(mark)).length;
  const begins = ['Ġ', '▁'].find((mark) => count(mark) > count('##'));
  return tokens.flatMap((token, id) => {
    if (tokenizer.specialIds.has(id)) return [];
    return (begins === undefined ? token.startsWith('##') : !token.startsWith(begins)) ? [id] : [];
  });
}
