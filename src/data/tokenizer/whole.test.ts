import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ModelFile, TokenizerFile } from './files.ts';
import { type Encoding, loadTokenizer, type Tokenizer } from './tokenizer.ts';
import type { Truncation } from './truncation.ts';
import { windowsOf } from './windows.ts';

interface Expected {
  readonly ids: readonly number[];
  readonly typeIds: string;
  readonly words: readonly number[];
  readonly offsets: readonly number[];
}
interface Case extends Expected {
  readonly tokenizer: string;
  readonly text: string;
  readonly pair?: string;
  readonly cut?: { readonly max_length?: number; readonly strategy?: Truncation; readonly stride?: number };
  readonly windows?: readonly Omit<Expected, 'typeIds'>[];
  readonly decoded?: string;
}
interface Fixture {
  readonly files: Readonly<Record<string, Omit<TokenizerFile, 'model'> & { readonly model: ModelFile | string }>>;
  readonly cases: readonly Case[];
}

const read = (name: string): Fixture =>
  JSON.parse(readFileSync(new URL(`fixtures/whole-${name}.json`, import.meta.url), 'utf8'));
const fixtures = ['byte-level', 'pieces'].map(read);
const cases = fixtures.flatMap((fixture) => fixture.cases);

/** The file of a tokenizer; several have the vocabulary of one. */
function fileOf(name: string): TokenizerFile {
  const fixture = fixtures.find(({ files }) => name in files)!;
  const { model, ...file } = fixture.files[name]!;
  return { ...file, model: typeof model === 'string' ? (fixture.files[model]!.model as ModelFile) : model };
}

function shown(encoding: Encoding): Expected {
  return {
    ids: Array.from(encoding.ids),
    typeIds: Array.from(encoding.typeIds).join(''),
    words: Array.from(encoding.words),
    offsets: Array.from(encoding.offsets),
  };
}

const names = fixtures.flatMap(({ files }) => Object.keys(files));

describe.each(names)('%s equals the reference', (name) => {
  const tokenizer: Tokenizer = loadTokenizer(fileOf(name));

  test.each(cases.filter((row) => row.tokenizer === name))('$text, $pair, $cut', (row) => {
    const { pair, cut = {} } = row;
    const { ids, typeIds, words, offsets } = row;
    const encoding = tokenizer.encode(row.text, {
      ...(pair !== undefined && { pair }),
      ...(cut.max_length !== undefined && { maxLength: cut.max_length }),
      ...(cut.strategy !== undefined && { truncation: cut.strategy }),
    });
    expect(shown(encoding)).toEqual({ ids, typeIds, words, offsets });
    if (row.decoded !== undefined)
      expect(tokenizer.decode(encoding.ids, { skipSpecialTokens: false })).toBe(row.decoded);
    if (row.windows !== undefined) {
      const whole = tokenizer.encode(row.text, { ...(pair !== undefined && { pair }) });
      const windows = windowsOf(whole, { maxLength: cut.max_length!, over: 1, overlap: cut.stride! });
      expect(windows.slice(1).map(shown)).toMatchObject(row.windows);
    }
  });

  test('a limit gives the beginning of the whole', () => {
    for (const text of ['the quick brown fox  jumps, '.repeat(20), 'x'.repeat(300), `${'ab '.repeat(60)}<s>`]) {
      const whole = tokenizer.encode(text, { addSpecialTokens: false });
      for (const maxLength of [1, 7, whole.ids.length - 1, whole.ids.length]) {
        const cut = tokenizer.encode(text, { maxLength, addSpecialTokens: false });
        expect(cut.ids).toEqual(whole.ids.slice(0, maxLength));
        expect(cut.offsets).toEqual(whole.offsets.slice(0, maxLength * 2));
        expect(cut.truncated).toBe(maxLength < whole.ids.length);
      }
    }
  });
});

describe('what Lathe does not know is refused by name when the tokenizer is loaded', () => {
  const file = fileOf('xlm-roberta');
  const bytes = fileOf('roberta');
  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['a normalizer', { ...file, normalizer: { type: 'Odd' } }, /the normalizer "Odd"/],
    ['one in a sequence', { ...file, normalizer: { type: 'Sequence', normalizers: [{ type: 'Odd' }] } }, /"Odd"/],
    ['a pre-tokenizer', { ...file, pre_tokenizer: { type: 'UnicodeScripts' } }, /pre-tokenizer "UnicodeScripts"/],
    ['a post-processor', { ...file, post_processor: { type: 'Odd' } }, /post-processor .*Odd/],
    ['a decoder', { ...file, decoder: { type: 'Sequence', decoders: [{ type: 'Odd' }] } }, /decoder "Odd"/],
    ['a model', { ...file, model: { type: 'Odd', vocab: {} } }, /model of the type "Odd"/],
    ['random tokens', { ...bytes, model: { ...bytes.model, dropout: 0.1 } }, /dropout of 0\.1/],
    [
      'a setting',
      { ...file, normalizer: { type: 'Replace', pattern: { String: 'a' } } },
      /Replace: expected "content"/,
    ],
    ['a behaviour', splitBy('x', 'Odd'), /Split: expected "behavior" to be Removed or/],
    ['an expression', splitBy('(?<a>x)\\1'), /regular expression "\(\?<a>x\)\\\\1" has a group of the kind/],
    ['a reference to a group', splitBy('(x)\\1'), /has \\1/],
    [
      'a charsmap',
      { ...file, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } },
      /precompiled_charsmap/,
    ],
    ['a pair', { ...bytes, model: { ...bytes.model, merges: ['a oddity'] } }, /pair 0 .*"oddity"/],
    ['no unknown token', { ...fileOf('wordpiece'), model: { ...fileOf('wordpiece').model, unk_token: 'x?' } }, /"x\?"/],
  ];
  test.each(refused)('%s', (_, given, message) => {
    expect(() => loadTokenizer(given)).toThrow(message);
  });

  function splitBy(expression: string, behavior = 'Isolated'): object {
    return { ...file, pre_tokenizer: { type: 'Split', pattern: { Regex: expression }, behavior, invert: false } };
  }
});

test('offsets are places in the text, which slice takes', () => {
  const tokenizer = loadTokenizer(fileOf('roberta'));
  const text = 'the 😀 fox';
  const { ids, offsets } = tokenizer.encode(text, { addSpecialTokens: false });
  const places = Array.from(ids, (_, token) => text.slice(offsets[token * 2], offsets[token * 2 + 1]));
  expect(new Set(places)).toContain('😀');
  expect(places.at(-1)).toBe('fox'.slice(-places.at(-1)!.length));
});

test('half a character counts as U+FFFD', () => {
  const tokenizer = loadTokenizer(fileOf('xlm-roberta'));
  expect(shown(tokenizer.encode('a\ud83d b\udc00'))).toEqual(shown(tokenizer.encode('a\ufffd b\ufffd')));
});
