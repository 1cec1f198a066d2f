import { type Quantized, quantizeDynamic } from '../../compress/index.ts';
import type { Model } from '../../graph/index.ts';
import type { VariantName } from '../../pipeline/index.ts';

/** A way to write a model in fewer bits. */
export interface QuantizationScheme {
  readonly summary: string;
  /** The variant that it makes. */
  readonly variant: VariantName;
  readonly quantize: (model: Model, options: SchemeOptions) => Promise<Quantized>;
}

export interface SchemeOptions {
  readonly reduceRange: boolean;
  /** Whose range scales of activations follow, where they are found while the model runs. */
  readonly activations: 'row' | 'tensor';
  /** Nodes to leave as floats, by their first output. */
  readonly except: ReadonlySet<string>;
}

/** By the name that `--scheme` takes. */
export const SCHEMES = {
  dynamic: {
    summary: '8-bit weights, scales of activations found while the model runs',
    variant: 'int8',
    quantize: async (model, { reduceRange, activations, except }) =>
      quantizeDynamic(model, { reduceRange, activations, except }),
  },
} as const satisfies Readonly<Record<string, QuantizationScheme>>;

export type SchemeName = keyof typeof SCHEMES;
