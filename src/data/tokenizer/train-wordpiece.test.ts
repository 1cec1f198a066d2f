import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadTokenizer } from './tokenizer.ts';
import { type TrainWordPieceProgress, trainWordPiece } from './train-wordpiece.ts';

const read = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8'));
const vocabularyOf = (files: ReturnType<typeof trainWordPiece>) => Object.keys(files.tokenizer.model.vocab);

test('learns the vocabulary that the reference trainer learns, merges in the same order', () => {
  const { words, counts, vocabulary } = read('training.json') as {
    words: string[];
    counts: number[];
    vocabulary: string[];
  };
  const texts = words.map((word, index) => `${word} `.repeat(counts[index]!));
  const learned = vocabularyOf(trainWordPiece(texts, { vocabularySize: 220 }));
  expect([...learned].sort()).toEqual([...vocabulary].sort());
  const isMerge = (token: string): boolean => Array.from(token.replace(/^##/, '')).length > 1;
  expect(learned.filter(isMerge)).toEqual(vocabulary.filter(isMerge));
  expect(learned.filter(isMerge).length).toBeGreaterThan(180);
});

test('the fixture that the reference tokenizers loaded is what training writes', () => {
  const files = trainWordPiece(read('texts.json'), { vocabularySize: 620 });
  expect(files.tokenizer).toEqual(read('tokenizer.json'));
});

test('the order of the texts does not matter', () => {
  const texts = read('texts.json') as string[];
  expect(trainWordPiece([...texts].reverse(), { vocabularySize: 560 })).toEqual(
    trainWordPiece(texts, { vocabularySize: 560 }),
  );
});

test('runs of one character merge as the pairs they are', () => {
  // a ##a ##a ##a: (##a, ##a) is the most frequent pair; then (a, ##aa) and (##aa, ##a) are equal, the older piece wins.
  const tokens = vocabularyOf(trainWordPiece(['aaaa aaaa aaaa'], { vocabularySize: 20 }));
  expect(tokens.slice(5)).toEqual(['a', '##a', '##aa', 'aaa', 'aaaa']);
});

test('rare pairs stay apart, the alphabet is limited, long words are not counted', () => {
  const rare = vocabularyOf(trainWordPiece(['ab cd cd'], { minFrequency: 2 }));
  expect(rare.slice(5)).toEqual(['a', 'b', 'c', 'd', '##b', '##d', 'cd']);
  const limited = trainWordPiece(['aa aa aa bb bb cc'], { limitAlphabet: 2 });
  expect(vocabularyOf(limited)).not.toContain('c');
  expect(loadTokenizer(limited.tokenizer).encode('cc').ids[1]).toBe(1);
  expect(vocabularyOf(trainWordPiece([`${'z'.repeat(101)} ok`]))).not.toContain('z');
  expect(vocabularyOf(trainWordPiece(['z'.repeat(100)]))).toContain('z');
});

test('a vocabulary too small for the alphabet keeps the most frequent characters, at both places', () => {
  const { tokenizer } = trainWordPiece(['ab ba aab bba abc cd'], { vocabularySize: 9 });
  expect(Object.keys(tokenizer.model.vocab).slice(5)).toEqual(['a', 'b', '##a', '##b']);
});

test('settings reach the files', () => {
  const { tokenizer, config } = trainWordPiece(['Élan Élan'], {
    lowercase: false,
    specialTokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[X]'],
    maxLength: 128,
  });
  expect(tokenizer.normalizer).toMatchObject({ lowercase: false, strip_accents: false });
  expect(config).toMatchObject({ do_lower_case: false, model_max_length: 128, tokenizer_class: 'BertTokenizer' });
  expect(config.mask_token).toBeUndefined();
  expect(loadTokenizer(tokenizer, config).tokenToId('Élan')).toBeDefined();
  expect(loadTokenizer(tokenizer, config).encode('[X]').ids[1]).toBe(4);
});

test('progress goes from reading to merging', () => {
  const steps: TrainWordPieceProgress[] = [];
  trainWordPiece(read('texts.json'), { vocabularySize: 560, onProgress: (progress) => steps.push(progress) });
  expect(steps[0]!.step).toBe('read');
  expect(steps.at(-1)).toEqual({ step: 'merge', tokens: 560, target: 560 });
});

test('refuses what cannot become a vocabulary', () => {
  expect(() => trainWordPiece([' \n'])).toThrow(/no words/);
  expect(() => trainWordPiece(['a'], { vocabularySize: 5 })).toThrow(/at least 7, got 5/);
  expect(() => trainWordPiece(['a'], { specialTokens: ['[PAD]'] })).toThrow(/\[UNK\] is missing/);
});
