import { type BlockScale, clampCode, codeOf, coveringScale } from './block-weights.ts';

const FIRST_PENALTY = 10;
const PENALTY_GROWTH = 1.01;
const STEPS = 20;

/**
 * The scale and zero point of a block by half-quadratic splitting (HQQ: Badri and Shaji 2023): the errors of rounding are
 * split into a sparse part, found by shrinking, and a rest whose squares the zero point makes least. As zero points are
 * integers here, the scale is fitted too, by least squares. The loss is the sum of √|error|, a norm below 1, for which
 * outliers hardly count, and which costs a square root where the 0.7 of the paper takes a power. The best of all steps is
 * taken, so that it is never worse than the scale that covers the block. No data is needed.
 */
export function halfQuadraticScale(values: Float64Array): BlockScale {
  const first = coveringScale(values);
  const targets = new Float64Array(values.length);
  let best = first;
  let least = lossOf(values, best);
  let current = best;
  let penalty = FIRST_PENALTY;
  for (let step = 0; step < STEPS; step++) {
    // The penalty is for weights around one: errors are measured in steps of the first scale.
    const next = nextScale(values, current, penalty, first.scale, targets);
    if (!(next.scale > 2 ** -126) || (next.scale === current.scale && next.zeroPoint === current.zeroPoint)) break;
    current = next;
    const loss = lossOf(values, current);
    if (loss < least) {
      least = loss;
      best = current;
    }
    penalty *= PENALTY_GROWTH;
  }
  return best;
}

/** `targets` is scratch: what the rounding is to hit, the values without the errors that count as outliers. */
function nextScale(
  values: Float64Array,
  from: BlockScale,
  penalty: number,
  unit: number,
  targets: Float64Array,
): BlockScale {
  const { scale, zeroPoint } = from;
  let shift = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const code = codeOf(value, from);
    const error = value - scale * (code - zeroPoint);
    targets[index] = value - unit * shrunk(error / unit, penalty);
    shift += code - targets[index]! / scale;
  }
  const nextZero = clampCode(Math.round(shift / values.length));
  let products = 0;
  let squares = 0;
  for (let index = 0; index < values.length; index++) {
    const steps = codeOf(values[index]!, from) - nextZero;
    products += targets[index]! * steps;
    squares += steps * steps;
  }
  return { scale: squares === 0 ? scale : Math.fround(products / squares), zeroPoint: nextZero };
}

/** The generalized soft threshold: what √|x| as a loss beside squares with a penalty leaves of an error. */
function shrunk(error: number, penalty: number): number {
  const size = Math.abs(error);
  if (size === 0) return 0;
  return Math.sign(error) * Math.max(0, size - 1 / (penalty * Math.sqrt(size)));
}

function lossOf(values: Float64Array, scale: BlockScale): number {
  let loss = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    loss += Math.sqrt(Math.abs(value - scale.scale * (codeOf(value, scale) - scale.zeroPoint)));
  }
  return loss;
}
