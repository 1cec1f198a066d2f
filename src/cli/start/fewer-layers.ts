import { LatheError } from '../../base/index.ts';
import { studentLayers } from '../../compress/index.ts';
import { ARCHITECTURES, encoderSettings, modelTypeOf } from '../../nn/index.ts';
import type { ArchitectureStart } from './architecture.ts';
import type { Start } from './start.ts';

/** A start with `wanted` of its layers, evenly taken. Throws 'unsupported' where layers are not known or share parameters. */
export function withFewerLayers(start: Start, wanted: number): ArchitectureStart {
  if (start.kind !== 'architecture') {
    throw new LatheError(
      'unsupported',
      `"${start.source}": its layers are not known, so that some of them can be taken`,
      {
        hint: 'Name an architecture or a package as the student.',
      },
    );
  }
  const type = modelTypeOf(start.config);
  const { layers: count, groups } = encoderSettings(start.config, type);
  if (groups !== count) throw new LatheError('unsupported', `"${start.source}": its layers share their parameters`);
  const prefixOf = ARCHITECTURES[type].layers;
  const taken = studentLayers(count, wanted);
  const original = (name: string): string => {
    const place = taken.findIndex((_, at) => name.startsWith(`${prefixOf(at, 0)}.`));
    if (place < 0) return name;
    return prefixOf(taken[place]!, 0) + name.slice(prefixOf(place, 0).length);
  };
  const field = 'n_layers' in start.config ? 'n_layers' : 'num_hidden_layers';
  return {
    ...start,
    config: { ...start.config, [field]: wanted },
    weights: { get: (name) => start.weights.get(original(name)) },
  };
}
