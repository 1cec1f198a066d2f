import { sizeOf } from '../../base/index.ts';
import type { Removal } from './cut.ts';
import type { Dependencies, Group } from './dependencies.ts';
import type { Scores } from './importance.ts';

export interface ChooseOptions {
  /**
   * `global` (default): units of all groups stand in one row, by their score beside the mean of their group; groups that
   * matter little lose more. `layer`: every group loses the same share.
   */
  readonly scope?: 'global' | 'layer';
  /**
   * Kernels like round numbers: what stays of an axis is a multiple of this where it was one, or was longer. A head of 64
   * columns is one already. Default 1.
   */
  readonly multiple?: number;
  /** The least that stays of a group, as a share; one unit always does. Default 0.1. */
  readonly least?: number;
  /** Whether a width that a layer normalization is computed over may be cut as well. Default false. */
  readonly widths?: boolean;
}

/** The least important units: `share` (0 to 1) of the weights of what can be cut, or of the units of each group. */
export function chooseUnits(
  dependencies: Dependencies,
  scores: Scores,
  share: number,
  options: ChooseOptions = {},
): Removal[] {
  const { scope = 'global', multiple = 1, least = 0.1, widths = false } = options;
  const groups = dependencies.groups
    .map((group, index) => ({ group, index }))
    .filter(({ group }) => widths || group.preserving);
  const removed = new Map<number, number>();
  if (scope === 'layer') {
    for (const { group, index } of groups) removed.set(index, Math.floor(share * group.units.length + 1e-9));
  } else {
    const row = groups.flatMap(({ group, index }) => rowOf(dependencies, group, index, scores[index]!));
    row.sort((a, b) => a.value - b.value || a.group - b.group || a.unit - b.unit);
    const total = row.reduce((sum, { weights }) => sum + weights, 0);
    let left = share * total;
    for (const { group, weights } of row) {
      if (left < weights) break;
      left -= weights;
      removed.set(group, (removed.get(group) ?? 0) + 1);
    }
  }
  return groups.flatMap(({ group: { units }, index }) => {
    const count = units.length;
    const atLeast = Math.max(1, Math.ceil(least * count));
    const wanted = Math.max(atLeast, count - (removed.get(index) ?? 0));
    const step = stepOf(units, multiple);
    const kept = Math.min(count, Math.ceil(wanted / step) * step);
    if (kept >= count) return [];
    const own = scores[index]!;
    const order = [...units.keys()].sort((a, b) => own[a]! - own[b]! || a - b);
    return [{ group: index, units: order.slice(0, count - kept).sort((a, b) => a - b) }];
  });
}

/** The number of units that makes a multiple of indices. */
function stepOf(units: Group['units'], multiple: number): number {
  const size = Math.max(...units[0]!.slices.map(({ indices }) => indices.length));
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  return multiple / divisor(multiple, size);
}

function rowOf({ model }: Dependencies, { units }: Group, group: number, scores: Float64Array) {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  // Movement may be negative: what counts is how far below or above the group's others.
  const scale = scores.reduce((sum, score) => sum + Math.abs(score), 0) / scores.length;
  const shift = mean < 0 ? -mean : 0;
  return units.map(({ slices }, unit) => ({
    group,
    unit,
    value: scale === 0 ? 0 : (scores[unit]! + shift) / scale,
    weights: slices.reduce((sum, { tensor, axis, indices }) => {
      const { dims } = model.graph.initializers.get(tensor)!;
      return sum + (sizeOf(dims) / dims[axis]!) * indices.length;
    }, 0),
  }));
}
