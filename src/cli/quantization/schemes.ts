import { LatheError } from '../../base/index.ts';
import { type Observer, type Quantized, quantizeDynamic, quantizeStatic, type Range } from '../../compress/index.ts';
import type { Model } from '../../graph/index.ts';
import type { VariantName } from '../../pipeline/index.ts';
import type { Feeds } from './trial-feeds.ts';

/** A way to write a model in fewer bits. */
export interface QuantizationScheme {
  readonly summary: string;
  /** The variant that it makes. */
  readonly variant: VariantName;
  readonly quantize: (
    model: Model,
    options: SchemeOptions,
  ) => Promise<Quantized & { readonly ranges?: ReadonlyMap<string, Range> }>;
}

export interface SchemeOptions {
  readonly reduceRange: boolean;
  /** Whose range scales of activations follow, where they are found while the model runs. */
  readonly activations: 'row' | 'tensor';
  /** Nodes to leave as floats, by their first output. */
  readonly except: ReadonlySet<string>;
  /** How ranges follow from calibration. */
  readonly observer: Observer;
  /** Batches of training examples; undefined without data. */
  readonly calibration: readonly Feeds[] | undefined;
  /** What an earlier run over the same calibration found. */
  readonly ranges?: ReadonlyMap<string, Range> | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** By the name that `--scheme` takes. */
export const SCHEMES = {
  dynamic: {
    summary: '8-bit weights, scales of activations found while the model runs',
    variant: 'int8',
    quantize: async (model, { reduceRange, activations, except }) =>
      quantizeDynamic(model, { reduceRange, activations, except }),
  },
  static: {
    summary: '8-bit weights, scales of activations from calibration on data',
    variant: 'int8',
    quantize: async (model, { calibration, ranges, activations: _, ...options }) => {
      if (calibration === undefined)
        throw new LatheError('usage', 'quantize: --scheme static needs --data to calibrate on');
      return quantizeStatic(model, calibration, { ...options, ...(ranges && { ranges }) });
    },
  },
} as const satisfies Readonly<Record<string, QuantizationScheme>>;

export type SchemeName = keyof typeof SCHEMES;
