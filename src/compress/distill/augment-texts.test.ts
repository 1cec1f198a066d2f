import { describe, expect, it } from 'vitest';
import { tensorFrom } from '../../base/index.ts';
import { loadTokenizer, trainWordPiece } from '../../data/index.ts';
import { augmentTexts } from './augment-texts.ts';
import { nearestWords } from './nearest-words.ts';

const TEXTS = ['good great fine day', 'bad awful poor night, 7 times', 'good bad day night'];
const files = trainWordPiece(Array.from({ length: 20 }, () => TEXTS).flat(), {
  vocabularySize: 200,
  lowercase: true,
  maxLength: 64,
});
const tokenizer = loadTokenizer(files.tokenizer, files.config);
const idOf = (word: string): number => tokenizer.tokenToId(word)!;

/** Words of one kind lie close to each other, at all lengths; the rest lies elsewhere. */
const KINDS = [
  ['good', 'great', 'fine'],
  ['bad', 'awful', 'poor'],
  ['day', 'night', 'times'],
];
function table() {
  const values = Array.from({ length: tokenizer.vocabularySize }, () => [0.1, 0.1, 0.1, 5]);
  for (const [kind, words] of KINDS.entries()) {
    for (const [at, word] of words.entries()) {
      values[idOf(word)] = [0, 1, 2, 3].map((axis) => (axis === kind ? 1 + at : 0.05 * at));
    }
  }
  return tensorFrom('float32', values.flat(), [tokenizer.vocabularySize, 4]);
}

describe('texts with other words', () => {
  it('have words near to those that they replace', async () => {
    const nearest = await nearestWords(tokenizer, table(), 2);
    for (const words of KINDS) {
      for (const word of words) {
        const near = Array.from(nearest.get(idOf(word))!, (id) => tokenizer.idToToken(id));
        expect(near.sort(), word).toEqual(words.filter((other) => other !== word).sort());
      }
    }
    expect(nearest.has(tokenizer.paddingId!)).toBe(false);
    expect(nearest.has(idOf(','))).toBe(false);

    const options = { copies: 3, probability: 1, maxLength: 64, seed: 1 };
    const copies = augmentTexts(tokenizer, TEXTS, nearest, options);
    expect(copies).toHaveLength(9);
    for (const copy of copies.slice(3, 6)) {
      expect(copy).toMatch(/^(awful|poor) (bad|poor) (bad|awful) (day|times), 7 (day|night)$/);
    }
    expect(augmentTexts(tokenizer, TEXTS, nearest, options)).toEqual(copies);
    expect(augmentTexts(tokenizer, TEXTS, nearest, { ...options, seed: 2 })).not.toEqual(copies);
  });

  it('keep words by chance, and all behind what is read is left out', async () => {
    const nearest = await nearestWords(tokenizer, table(), 2);
    const none = { copies: 1, probability: 0, maxLength: 64, seed: 1 };
    expect(augmentTexts(tokenizer, TEXTS, nearest, none)).toEqual(TEXTS);
    // Two words, and the two tokens around them.
    expect(augmentTexts(tokenizer, TEXTS.slice(0, 1), nearest, { ...none, maxLength: 4 })).toEqual(['good great']);
    const many = augmentTexts(tokenizer, [TEXTS[0]!], nearest, { copies: 400, maxLength: 64, seed: 1 });
    const kept = many.flatMap((copy) => copy.split(' ').map((word, at) => word === TEXTS[0]!.split(' ')[at]));
    // 1,600 words, each replaced with a probability of 0.4: four standard deviations are 0.049.
    expect(Math.abs(kept.filter((same) => !same).length / kept.length - 0.4)).toBeLessThan(0.049);
  });

  it('are refused without copies', () => {
    const options = { copies: 0, maxLength: 64, seed: 1 };
    expect(() => augmentTexts(tokenizer, TEXTS, new Map(), options)).toThrow('copies of a text');
    expect(() => augmentTexts(tokenizer, TEXTS, new Map(), { ...options, copies: 1, probability: 2 })).toThrow(
      'probability of replacing a word',
    );
  });
});
