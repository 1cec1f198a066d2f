import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TokenizerFile } from './files.ts';
import { loadTokenizer } from './tokenizer.ts';

interface Case {
  tokenizer: string;
  text: string;
  pair: string | null;
  limit: number | null;
  ids: number[];
  typeIds: number[];
  offsets?: number[];
  decoded?: string;
}
const { files, cases } = JSON.parse(readFileSync(new URL('fixtures/library.json', import.meta.url), 'utf8')) as {
  files: Record<string, TokenizerFile>;
  cases: Case[];
};

describe.each(Object.keys(files))('%s equals the reference', (name) => {
  const file = files[name]!;
  const model = (file.model as unknown) === 'roberta' ? files.roberta!.model : file.model;
  const tokenizer = loadTokenizer({ ...file, model });

  test.each(cases.filter((row) => row.tokenizer === name))('$text, $pair, $limit', (row) => {
    const encoding = tokenizer.encode(row.text, {
      ...(row.pair !== null && { pair: row.pair }),
      ...(row.limit !== null && { maxLength: row.limit }),
    });
    expect(Array.from(encoding.ids)).toEqual(row.ids);
    expect(Array.from(encoding.typeIds)).toEqual(row.typeIds);
    expect(encoding.offsets && Array.from(encoding.offsets)).toEqual(row.offsets);
    if (row.decoded !== undefined) expect(tokenizer.decode(encoding.ids)).toBe(row.decoded);
  });
});

const loaded = (name: string) => {
  const file = files[name]!;
  return loadTokenizer({ ...file, model: (file.model as unknown) === 'roberta' ? files.roberta!.model : file.model });
};

test.each(['roberta', 'unigram'])(
  '%s: a limit gives the beginning of the whole, whatever is cut before encoding',
  (name) => {
    const tokenizer = loaded(name);
    const texts = [
      'the quick brown fox  jumps, '.repeat(150),
      'x'.repeat(3000),
      `${' '.repeat(3000)}end`,
      `${'ab '.repeat(600)}<s>`,
    ];
    for (const text of texts) {
      const whole = tokenizer.encode(text, { addSpecialTokens: false });
      for (const maxLength of [1, 7, 128, whole.ids.length - 1, whole.ids.length]) {
        const cut = tokenizer.encode(text, { maxLength, addSpecialTokens: false });
        expect(cut.ids).toEqual(whole.ids.slice(0, maxLength));
        expect(cut.offsets).toEqual(whole.offsets?.slice(0, maxLength * 2));
        expect(cut.truncated).toBe(maxLength < whole.ids.length);
      }
    }
  },
);

test('a text is not taken for its beginning when that has as many tokens as the limit', () => {
  const vocab = [
    ['<unk>', 0],
    ['▁', -9],
    ['▁abcdefghi', -1],
  ];
  const { normalizer: _, post_processor: __, ...file } = files.unigram!;
  const tokenizer = loadTokenizer({ ...file, model: { type: 'Unigram', unk_id: 0, vocab } });
  for (let maxLength = 120; maxLength < 140; maxLength++) {
    const { ids, truncated } = tokenizer.encode('abcdefghi '.repeat(1000), { maxLength });
    expect(Array.from(ids)).toEqual(new Array(maxLength).fill(2));
    expect(truncated).toBe(true);
  }
});

test('a tokenizer without offsets says why', () => {
  expect(loaded('unigram').offsets).toEqual({
    available: false,
    reason: expect.stringMatching(/Unigram.*do not spell/),
  });
  const normalized = loadTokenizer({ ...files.roberta!, normalizer: { type: 'NFC' } });
  expect(normalized.offsets).toEqual({ available: false, reason: expect.stringMatching(/BPE.*normalizes.*NFC/) });
  expect(normalized.encode('x').offsets).toBeUndefined();
});

test('a vocabulary that does not spell a text is refused, not given wrong offsets', () => {
  const { model } = files.roberta!;
  const vocab = Object.fromEntries(
    Object.entries(model.vocab as Record<string, number>).filter(([token]) => !token.includes('x')),
  );
  const tokenizer = loadTokenizer({ ...files.roberta!, model: { ...model, vocab, merges: [] } });
  expect(() => tokenizer.encode('axb')).toThrow(/do not spell the text "axb"/);
});

test('what the library does not know is a named refusal when the tokenizer is loaded', () => {
  expect(() => loadTokenizer({ ...files.unigram!, normalizer: { type: 'Odd' } })).toThrow(/tokenizer\.json: .*Odd/);
  expect(() => loadTokenizer({ ...files.unigram!, model: { type: 'Odd', vocab: {} } })).toThrow(
    /tokenizer\.json: .*Odd/,
  );
});
