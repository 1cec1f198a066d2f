/** The value of a metric, together with what must be known to compare it with a value from elsewhere. */
export interface Measurement {
  /** NaN where the metric is not defined for the examples; `warnings` then says why. */
  readonly value: number;
  /** Name and settings, e.g. `f1|average:macro|zero_division:0`: two values are comparable when these are equal. */
  readonly signature: string;
  /** What a reader of the value should know: a class that was never predicted, a score that is not a probability. */
  readonly warnings: readonly string[];
}

export function measurement(
  name: string,
  settings: Readonly<Record<string, string | number>>,
  value: number,
  warnings: readonly string[] = [],
): Measurement {
  return { value, signature: signature(name, settings), warnings };
}

export function signature(name: string, settings: Readonly<Record<string, string | number>>): string {
  return [name, ...Object.entries(settings).map(([key, value]) => `${key}:${value}`)].join('|');
}
