import { integerPower } from './attributes.ts';
import { first, type History, same } from './step.ts';

/** Convolutions and pools: what they gained over time (ceil_mode, dilations, …) is off by default. */
export const WINDOW = {
  AveragePool: { 1: first, 7: same, 10: same, 11: same, 19: same },
  Conv: { 1: first, 11: same },
  // The formula of SAME_UPPER was written the wrong way round before operator set 11; no runtime took it so.
  ConvTranspose: { 1: first, 11: same },
  GlobalAveragePool: { 1: first },
  GlobalLpPool: { 1: first, 2: integerPower },
  GlobalMaxPool: { 1: first },
  LpPool: { 1: first, 2: integerPower, 11: same, 18: same },
  MaxPool: { 1: first, 8: same, 10: same, 11: same, 12: same },
  MaxRoiPool: { 1: first },
  MaxUnpool: { 9: first, 11: same },
} satisfies Record<string, History>;
