import { encoderSettings, IMAGE_ARCHITECTURE_NAMES, modelTypeOf, PRESETS, presetConfig } from '../../nn/index.ts';
import type { Package } from '../../pipeline/index.ts';

/** Architectures to distil a package to, the smallest first: those of its kind that compute less. None for a linear model. */
export async function smallerArchitectures(source: Package): Promise<readonly string[]> {
  const { pipeline, variants } = source.manifest;
  if (pipeline.features.kind === 'image') {
    // The smallest one has 78,000 parameters: of use wherever the source has many more.
    return variants.fp32!.parameters > 1e6 ? IMAGE_ARCHITECTURE_NAMES.slice(0, 1) : [];
  }
  if (pipeline.features.kind !== 'tokens') return [];
  const own = workOf(JSON.parse(await source.readText('config.json')) as Parameters<typeof modelTypeOf>[0]);
  return PRESETS.filter((name) => workOf(presetConfig(name, { vocabularySize: 1, labels: ['a', 'b'] })) < own);
}

/** What a layer's products cost, times the layers. Infinite for what is no transformer that Lathe knows: a student may suit it. */
function workOf(config: Parameters<typeof modelTypeOf>[0]): number {
  try {
    const { hidden, layers } = encoderSettings(config, modelTypeOf(config));
    return layers * hidden ** 2;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
