import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AddedTokenFile, TokenizerFile } from './files.ts';
import { type EncodeOptions, loadTokenizer, type Tokenizer } from './tokenizer.ts';

interface Case {
  tokenizer: string;
  text: string;
  pair?: string;
  truncation?: {
    max_length: number;
    strategy: 'longest_first' | 'only_first' | 'only_second';
    direction: 'right' | 'left';
  };
  refused?: true;
  ids: number[];
  typeIds: number[];
  special: number[];
  offsets: number[];
  truncated: boolean;
  decoded?: string;
}
type Variant = Partial<TokenizerFile> & { added_tokens?: AddedTokenFile[] };

const read = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8'));
const source = read('tokenizer.json') as TokenizerFile;
const { variants, cases } = read('encodings.json') as { variants: Record<string, Variant>; cases: Case[] };

const tokenizers: Record<string, Tokenizer> = Object.fromEntries(
  Object.entries(variants).map(([name, { added_tokens: added = [], normalizer, ...rest }]) => [
    name,
    loadTokenizer({
      ...source,
      ...rest,
      added_tokens: [...source.added_tokens!, ...added],
      normalizer: { ...source.normalizer, ...normalizer },
    }),
  ]),
);

function optionsOf({ pair, truncation }: Case): EncodeOptions {
  return {
    ...(pair === undefined ? {} : { pair }),
    ...(truncation === undefined
      ? {}
      : { maxLength: truncation.max_length, truncation: truncation.strategy, truncationSide: truncation.direction }),
  };
}

describe('WordPiece equals the reference tokenizers', () => {
  test.each(Object.keys(variants))('%s: ids, offsets, types, special tokens, lost tokens, decoded text', (name) => {
    const rows = cases.filter((row) => row.tokenizer === name);
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const tokenizer = tokenizers[name]!;
      const where = JSON.stringify({ text: row.text.slice(0, 200), pair: row.pair, truncation: row.truncation });
      if (row.refused) {
        expect(() => tokenizer.encode(row.text, optionsOf(row)), where).toThrow(/truncation|maxLength/);
        continue;
      }
      const encoding = tokenizer.encode(row.text, optionsOf(row));
      const got = {
        ids: Array.from(encoding.ids),
        offsets: Array.from(encoding.offsets!),
        typeIds: Array.from(encoding.typeIds),
        special: Array.from(encoding.specialTokensMask),
        truncated: encoding.truncated,
      };
      const { ids, offsets, typeIds, special, truncated } = row;
      expect(got, where).toEqual({ ids, offsets, typeIds, special, truncated });
      if (row.decoded !== undefined) expect(tokenizer.decode(encoding.ids), where).toBe(row.decoded);
    }
  });

  test('the fixture holds what it should: refusals, truncations, pairs', () => {
    expect(cases.some((row) => row.refused)).toBe(true);
    expect(cases.filter((row) => row.truncated).length).toBeGreaterThan(50);
    expect(cases.filter((row) => row.pair !== undefined).length).toBeGreaterThan(50);
  });
});

describe('a tokenizer', () => {
  const tokenizer = tokenizers.plain!;

  test('knows its tokens both ways, its padding and its specials', () => {
    expect(tokenizer.vocabularySize).toBe(Object.keys(source.model.vocab).length);
    expect(tokenizer.tokenToId('[CLS]')).toBe(2);
    expect(tokenizer.idToToken(2)).toBe('[CLS]');
    expect(tokenizer.tokenToId('no such token')).toBeUndefined();
    expect(tokenizer.paddingId).toBe(0);
    expect(tokenizer.unknownId).toBe(1);
    expect([...tokenizer.specialIds]).toEqual([0, 1, 2, 3, 4]);
  });

  test('reads a text only as far as the limit asks', () => {
    const text = `${'word '.repeat(200)}${'x'.repeat(10)} `.repeat(300);
    const { ids, truncated } = tokenizer.encode(text, { maxLength: 16 });
    expect(ids.length).toBe(16);
    expect(truncated).toBe(true);
    expect(Array.from(ids)).toEqual(Array.from(tokenizer.encode(text.slice(0, 300), { maxLength: 16 }).ids));
  });

  test('a text that fits exactly has lost nothing, white space after it counts for nothing', () => {
    const full = tokenizer.encode('the quick dog');
    const exact = tokenizer.encode('the quick dog \n\n ', { maxLength: full.ids.length });
    expect(exact.truncated).toBe(false);
    expect(exact.ids).toEqual(full.ids);
    expect(tokenizer.encode('the quick dog', { maxLength: full.ids.length - 1 }).truncated).toBe(true);
  });

  test('offsets are positions in the JavaScript string', () => {
    const text = '😀 Crêpes!';
    const { offsets } = tokenizer.encode(text);
    const parts = Array.from({ length: offsets!.length / 2 }, (_, token) =>
      text.slice(offsets![token * 2], offsets![token * 2 + 1]),
    );
    expect(parts.join('')).toBe('😀Crêpes!');
  });

  test('without special tokens', () => {
    const with_ = tokenizer.encode('the dog', { pair: 'fox' });
    const without = tokenizer.encode('the dog', { pair: 'fox', addSpecialTokens: false });
    expect(Array.from(without.ids)).toEqual(
      Array.from(with_.ids).filter((_, index) => !with_.specialTokensMask[index]),
    );
    expect(without.typeIds.at(-1)).toBe(1);
  });

  test('decodes bigint ids as sessions return them and passes over ids it does not have', () => {
    const { ids } = tokenizer.encode('the dog');
    expect(tokenizer.decode(BigInt64Array.from(ids, BigInt))).toBe('the dog');
    expect(tokenizer.decode([999_999])).toBe('');
    expect(tokenizer.decode([2], { skipSpecialTokens: false })).toBe('[CLS]');
  });

  test.each([
    [1, /at least 2, got 1/],
    [2.5, /integer/],
  ])('refuses maxLength %s', (maxLength, message) => {
    expect(() => tokenizer.encode('the dog', { maxLength })).toThrow(message);
  });
});

describe('loadTokenizer refuses what is no tokenizer.json', () => {
  test.each([
    ['{', /not valid JSON/],
    ['[]', /expected an object/],
    ['{}', /"model"/],
    ['{"model":{"type":"WordPiece"}}', /vocabulary/],
    ['{"model":{"type":"WordPiece","vocab":{}},"added_tokens":[{"id":"x"}]}', /added token/],
    ['{"model":{"type":"WordPiece","vocab":{}},"post_processor":{"type":"Odd"}}', /unknown post-processor.*Odd/],
  ])('%s', (text, message) => {
    expect(() => loadTokenizer(text)).toThrow(message);
  });
});
