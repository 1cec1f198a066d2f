/** What the report of every task has; those of classification have more. Everything here is plain JSON. */
export interface TaskReport {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** The metric that a model is judged by. Default: F1 of classification, R² of a regression. */
  readonly headline?: string;
  /** By label or type, in the order of the labels. */
  readonly perClass?: Readonly<
    Record<
      string,
      { readonly precision: number; readonly recall: number; readonly f1: number; readonly support: number }
    >
  >;
  readonly intervals?: Readonly<Record<string, { readonly low: number; readonly high: number }>>;
  readonly confidence?: number;
  readonly signatures: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}
