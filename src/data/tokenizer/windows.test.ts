import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './tokenizer.ts';
import { windowsOf } from './windows.ts';

const read = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const tokenizer = loadTokenizer(read('tokenizer.json'));

interface Case {
  readonly text: string;
  readonly pair: string | null;
  readonly maxLength: number;
  readonly overlap: number;
  readonly windows: readonly { readonly ids: number[]; readonly typeIds: number[]; readonly offsets: number[] }[];
}

describe('windows', () => {
  it.each(JSON.parse(read('windows.json')) as Case[])(
    'of $maxLength tokens that overlap by $overlap are those of the reference',
    ({ text, pair, maxLength, overlap, windows }) => {
      const whole = tokenizer.encode(text, pair === null ? {} : { pair });
      const made = windowsOf(whole, { maxLength, overlap, over: pair === null ? 0 : 1 });
      expect(
        made.map(({ ids, typeIds, offsets }) => ({
          ids: [...ids],
          typeIds: [...typeIds],
          offsets: [...offsets!],
        })),
      ).toEqual(windows);
      for (const { ids, specialTokensMask, start, end } of made) {
        expect(ids.length).toBeLessThanOrEqual(maxLength);
        expect([...specialTokensMask.subarray(start, end)]).toEqual(new Array(end - start).fill(0));
        expect(specialTokensMask[end]).toBe(1);
      }
    },
  );

  it('of an empty text are one, of special tokens', () => {
    const [window, ...more] = windowsOf(tokenizer.encode(''), { maxLength: 8, over: 0 });
    expect(more).toEqual([]);
    expect([window!.ids.length, window!.start, window!.end]).toEqual([2, 1, 1]);
  });

  it('without room for the text are refused', () => {
    const pair = tokenizer.encode('one two three four', { pair: 'five six' });
    expect(() => windowsOf(pair, { maxLength: 6, over: 1 })).toThrow(/0 tokens are left for the text/);
    const single = tokenizer.encode('one two three four');
    expect(() => windowsOf(single, { maxLength: 5, overlap: 3, over: 0 })).toThrow(/overlap by 3: 3 tokens are left/);
  });
});
