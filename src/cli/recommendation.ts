import type { PairedBootstrap } from '../metrics/index.ts';

/** What a choice among models weighs. */
export interface Weighed {
  readonly name: string;
  /** Of the metric that all are judged by. */
  readonly value: number;
  /** Milliseconds of an answer, the median. */
  readonly p50Ms: number;
  readonly bytes: number;
}

export interface Recommendation {
  readonly recommended: number;
  /** In a sentence. */
  readonly reason: string;
}

/** Faster or smaller by less than this is the same. */
const NOTICEABLE = 0.9;

/**
 * The model to take: the best, or a lighter one that the same examples do not show to be worse. Lighter is faster, or as fast
 * and smaller. `differences` are those of the best to each other model, where they were tested; an untested model is no
 * choice.
 */
export function recommend(
  models: readonly Weighed[],
  best: number,
  differences: readonly (Pick<PairedBootstrap, 'difference' | 'low' | 'high'> | undefined)[],
  metric: string,
): Recommendation {
  const first = models[best]!;
  const asGood = models.flatMap((_, at) => {
    const difference = differences[at];
    return at !== best && difference !== undefined && difference.low <= 0 ? [at] : [];
  });
  const isLighter = ({ p50Ms, bytes }: Weighed): boolean =>
    p50Ms <= NOTICEABLE * first.p50Ms || (p50Ms * NOTICEABLE <= first.p50Ms && bytes <= NOTICEABLE * first.bytes);
  const [lightest] = asGood
    .filter((at) => isLighter(models[at]!))
    .sort((one, other) => models[one]!.p50Ms - models[other]!.p50Ms || models[one]!.bytes - models[other]!.bytes);
  if (lightest !== undefined) {
    const { name, p50Ms, bytes } = models[lightest]!;
    const { difference, low, high } = differences[lightest]!;
    const gains = [
      ...(p50Ms <= NOTICEABLE * first.p50Ms ? [`answers ${times(first.p50Ms / p50Ms)} as fast`] : []),
      ...(bytes <= NOTICEABLE * first.bytes ? [`is ${times(first.bytes / bytes)} smaller`] : []),
    ].join(' and ');
    return {
      recommended: lightest,
      reason: `${name} ${gains}, and these examples do not show that it is worse: ${first.name}, the best, is ahead by ${figure(difference)} in ${metric}, which may be chance (95 % between ${figure(low)} and ${figure(high)}).`,
    };
  }
  const untested = models.some((_, at) => at !== best && differences[at] === undefined);
  const why =
    models.length === 1
      ? 'it is the only one'
      : untested
        ? 'no paired test says whether the others are worse, or only seem so here'
        : asGood.length === 0
          ? 'the others are worse by more than chance explains'
          : `what these examples do not show to be worse (${asGood.map((at) => models[at]!.name).join(', ')}) is not lighter`;
  return { recommended: best, reason: `${first.name} has the best ${metric} (${figure(first.value)}); ${why}.` };
}

function figure(value: number): string {
  return value.toFixed(4).replace('-', '−');
}

function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)} times`;
}
