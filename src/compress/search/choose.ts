import { type Measured, paretoFront } from './pareto-front.ts';

/** What a compressed model is to keep, and what it is to be. */
export interface Wanted {
  /** The share of the source's score that it keeps, at least: 0.97. */
  readonly budget: number;
  /** Milliseconds of an answer, at most. */
  readonly latencyMs?: number | undefined;
  /** Of its file, at most. */
  readonly bytes?: number | undefined;
}

export type Choice<Model extends Measured> =
  | { readonly met: true; readonly chosen: Model; readonly reason: string }
  /** Nothing keeps the budget and meets the target; `closest` is what comes nearest, where there is anything. */
  | { readonly met: false; readonly closest?: Model; readonly reason: string };

/** Whether a model keeps the budget and meets the target. */
export function meets(model: Measured, source: Measured, wanted: Wanted): boolean {
  return keeps(model, source, wanted) && isSmallEnough(model, wanted);
}

/**
 * The model to take among those made from a source. With a target, of those that meet it and keep the budget the one with the
 * best score; without, the one that is smallest and fastest: whose gains in size and time, multiplied, are largest. A model
 * that is neither smaller nor faster than the source by a tenth is no choice.
 */
export function choose<Model extends Measured>(
  models: readonly Model[],
  source: Measured,
  wanted: Wanted,
): Choice<Model> {
  const made = models.filter((model) => model.bytes < 0.9 * source.bytes || model.latencyMs < 0.9 * source.latencyMs);
  const front = paretoFront(made);
  const kept = front.filter((model) => keeps(model, source, wanted));
  const fitting = kept.filter((model) => isSmallEnough(model, wanted));
  const hasTarget = wanted.latencyMs !== undefined || wanted.bytes !== undefined;
  const gain = ({ bytes, latencyMs }: Measured): number => (source.bytes / bytes) * (source.latencyMs / latencyMs);
  const best = (of: readonly Model[], worth: (model: Model) => number): Model | undefined =>
    of.reduce<Model | undefined>(
      (most, model) => (most === undefined || worth(model) > worth(most) ? model : most),
      undefined,
    );
  const chosen = best(fitting, hasTarget ? ({ score }) => score : gain);
  if (chosen !== undefined) {
    const why = hasTarget ? 'it has the best score' : 'it is the smallest and fastest';
    const others = fitting.length === 1 ? 'nothing else does so' : `${why} of the ${fitting.length} that do so`;
    return {
      met: true,
      chosen,
      reason: `${chosen.name} keeps ${share(chosen, source)} of the score (budget ${percent(wanted.budget)}), is ${times(source.bytes / chosen.bytes)} smaller and ${times(source.latencyMs / chosen.latencyMs)} as fast; ${others}`,
    };
  }
  const closest = best(kept.length > 0 ? kept : front, kept.length > 0 ? gain : ({ score }) => score);
  if (closest === undefined)
    return { met: false, reason: 'nothing that was made is smaller or faster than the source' };
  const what = `${closest.name} keeps ${share(closest, source)} of the score with ${closest.bytes.toLocaleString('en')} bytes and ${closest.latencyMs.toFixed(2)} ms`;
  return {
    met: false,
    closest,
    reason:
      kept.length > 0
        ? `nothing meets the target within the budget of ${percent(wanted.budget)}; closest: ${what}`
        : `nothing keeps the budget of ${percent(wanted.budget)}; closest: ${what}`,
  };
}

function keeps(model: Measured, source: Measured, { budget }: Wanted): boolean {
  return model.score >= budget * source.score;
}

function isSmallEnough(
  model: Measured,
  { latencyMs = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY }: Wanted,
): boolean {
  return model.latencyMs <= latencyMs && model.bytes <= bytes;
}

function share(model: Measured, source: Measured): string {
  return percent(model.score / source.score);
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)} times`;
}
