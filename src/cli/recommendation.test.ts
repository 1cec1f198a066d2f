import { expect, it } from 'vitest';
import { recommend } from './recommendation.ts';

const large = { name: 'large', value: 0.95, p50Ms: 20, bytes: 40e6 };
const small = { name: 'small', value: 0.94, p50Ms: 5, bytes: 10e6 };
const chance = { difference: 0.01, low: -0.005, high: 0.025 };
const clear = { difference: 0.01, low: 0.002, high: 0.02 };

it('the best is taken where the lighter one is worse by more than chance', () => {
  expect(recommend([small, large], 1, [clear, undefined], 'F1')).toEqual({
    recommended: 1,
    reason: 'large has the best F1 (0.9500); the others are worse by more than chance explains.',
  });
});

it('a lighter one is taken where it is not shown to be worse', () => {
  expect(recommend([large, small], 0, [undefined, chance], 'F1')).toEqual({
    recommended: 1,
    reason:
      'small answers 4.0 times as fast and is 4.0 times smaller, and these examples do not show that it is worse: large, the best, is ahead by 0.0100 in F1, which may be chance (95 % between −0.0050 and 0.0250).',
  });
});

it('of several lighter ones the fastest is taken; as fast and smaller is lighter, too', () => {
  const tiny = { ...small, name: 'tiny', p50Ms: 4 };
  expect(recommend([large, small, tiny], 0, [undefined, chance, chance], 'F1').recommended).toBe(2);
  const packed = { ...large, name: 'packed', bytes: 10e6 };
  expect(recommend([large, packed], 0, [undefined, chance], 'F1').reason).toMatch(/^packed is 4\.0 times smaller, and/);
});

it('one that is as good and no lighter is no choice, and neither is one that nothing was tested of', () => {
  const alike = { ...large, name: 'alike', p50Ms: 19.5, bytes: 39e6 };
  expect(recommend([large, alike], 0, [undefined, chance], 'F1')).toEqual({
    recommended: 0,
    reason: 'large has the best F1 (0.9500); what these examples do not show to be worse (alike) is not lighter.',
  });
  expect(recommend([large, small], 0, [undefined, undefined], 'Perplexity').reason).toMatch(/no paired test/);
  expect(recommend([large], 0, [undefined], 'F1').reason).toMatch(/it is the only one/);
});
