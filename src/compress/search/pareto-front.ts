/** A model as a choice among models sees it. */
export interface Measured {
  readonly name: string;
  /** Of the metric that all are judged by, on the same examples; more is better. */
  readonly score: number;
  readonly bytes: number;
  /** Milliseconds of an answer, the median. */
  readonly latencyMs: number;
}

/**
 * The models that no other beats: none of the others is as small, as fast and as good, and better in one of these. In the
 * order of their size. Of models that are equal in everything the first is kept. A score that is not a number is beaten by all.
 */
export function paretoFront<Model extends Measured>(models: readonly Model[]): Model[] {
  const front = models.filter(
    (model, at) => !models.some((other, place) => other !== model && beats(other, model, place < at)),
  );
  return front.sort((one, other) => one.bytes - other.bytes || one.latencyMs - other.latencyMs);
}

function beats(one: Measured, other: Measured, isFirst: boolean): boolean {
  const [score, least] = [one, other].map((model) =>
    Number.isNaN(model.score) ? Number.NEGATIVE_INFINITY : model.score,
  );
  if (score! < least! || one.bytes > other.bytes || one.latencyMs > other.latencyMs) return false;
  return score! > least! || one.bytes < other.bytes || one.latencyMs < other.latencyMs || isFirst;
}
