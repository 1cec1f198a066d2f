import type { Model } from '../ir.ts';

/** What a pass gives back. `changed` is false exactly when `model` is the model that went in. */
export interface PassResult {
  readonly model: Model;
  readonly changed: boolean;
}

/** A pass never changes its input; what it leaves alone it shares, the bytes of weights always. */
export type Pass<Options = Record<never, never>> = (model: Model, options?: Options) => PassResult;

export function resultOf(before: Model, after: Model): PassResult {
  return { model: after, changed: after !== before };
}
