import { LatheError } from '../../base/index.ts';
import { inferTypes, type Model } from '../../graph/index.ts';

/** Maps of an image: [batch, channels, …size]. */
export interface FeatureMap {
  readonly value: string;
  readonly channels: number;
  readonly size: readonly (number | string | null)[];
}

/** Operators that take the places of a map together. */
const POOLS = new Set(['GlobalAveragePool', 'GlobalMaxPool', 'ReduceMean', 'Flatten']);

/** The last feature map of a network of images: what its last pool over all places reads. Throws 'unsupported' where there is none. */
export function featureMap(model: Model): FeatureMap {
  const types = inferTypes(model);
  for (const { opType, inputs } of model.graph.nodes.toReversed()) {
    const type = POOLS.has(opType) ? types.get(inputs[0]!)?.type : undefined;
    const shape = type?.kind === 'tensor' ? type.shape : undefined;
    const [, channels, ...size] = shape ?? [];
    if (shape?.length === 4 && typeof channels === 'number' && size.some((dim) => dim !== 1)) {
      return { value: inputs[0]!, channels, size };
    }
  }
  throw new LatheError(
    'unsupported',
    `"${model.graph.name}" has no map of features before a pool over all of its places`,
    {
      hint: 'Choose a method that compares predictions: --method logits.',
    },
  );
}
