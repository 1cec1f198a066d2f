export { gradientName } from './assemble.ts';
export { gradient } from './gradient.ts';
export type { GradientOptions } from './options.ts';
export {
  type GradientContext,
  type GradientRow,
  type GradientRule,
  type NoGradient,
  noGradient,
  type Refusal,
  refused,
  rule,
} from './rule.ts';
export { GRADIENT_RULES } from './rules.ts';
