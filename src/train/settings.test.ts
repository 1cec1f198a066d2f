import { describe, expect, it } from 'vitest';
import { checkSettings, DEFAULT_SETTINGS, matching, type TrainSettings } from './settings.ts';

describe('settings', () => {
  it('are fine by default', () => {
    expect(() => checkSettings(DEFAULT_SETTINGS)).not.toThrow();
  });

  it.each<[keyof TrainSettings, readonly number[]]>([
    ['epochs', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]],
    ['batchSize', [0, 2.5]],
    ['accumulation', [0]],
    ['learningRate', [0, -1, Number.NaN, Number.POSITIVE_INFINITY]],
    ['warmup', [-0.1, Number.NaN]],
    ['clipNorm', [-1, Number.NaN]],
    ['validationsPerEpoch', [0]],
    ['patience', [-1, 0.5]],
    ['timeBudgetSeconds', [-1]],
    ['checkpointSeconds', [-1, Number.NaN]],
    ['threads', [-1, 1.5]],
    ['seed', [-1, 0.5]],
  ])('%s has a range', (name, values) => {
    for (const value of values) {
      expect(() => checkSettings({ ...DEFAULT_SETTINGS, [name]: value }), String(value)).toThrow(`${name}: expected`);
    }
  });
});

describe('patterns of parameters', () => {
  const names = [
    'bert.embeddings.word.weight',
    'bert.encoder.layer.0.weight',
    'bert.encoder.layer.10.weight',
    'classifier',
  ];

  it('match by *, and whole names', () => {
    expect([...matching(names, ['bert.*'])]).toEqual(names.slice(0, 3));
    expect([...matching(names, ['*.0.*', 'classifier'])]).toEqual([names[1], names[3]]);
    expect(matching(names, []).size).toBe(0);
  });

  it('take other signs as they are', () => {
    expect(matching(['a+b', 'aab', 'a.b', '[x]'], ['a+b', '[x]'])).toEqual(new Set(['a+b', '[x]']));
    expect(() => matching(['aXb'], ['a.b'])).toThrow('no parameter matches "a.b"');
  });

  it('that match nothing are refused, with names to choose from', () => {
    expect(() => matching(names, ['bert.embedings.*'])).toThrow(
      /no parameter matches "bert\.embedings\.\*"[\s\S]*"bert\.embeddings\.word\.weight"/,
    );
  });
});
