import type { Tensor } from '../../base/index.ts';
import type { TensorDataset } from '../../data/index.ts';

/** Gathers what a model gives for the batches of a data set, and makes metrics of it. */
export interface Measure {
  /** Outputs of the model to fetch beside the loss. */
  readonly outputs: readonly string[];
  add(indices: Int32Array, outputs: Readonly<Record<string, Tensor>>): void;
  /** `loss` is that of the whole data set. */
  metrics(loss: number): Readonly<Record<string, number>>;
}

export interface MeasureContext {
  readonly dataset: TensorDataset;
  /** The column of the labels. */
  readonly labels: string;
  /** The output of the model that the loss reads. */
  readonly predictions: string;
}

/** How the outputs of a model become metrics in validation, and which of them picks the best checkpoint. */
export interface ObjectiveRule<Options> {
  /** A metric, or `loss`. */
  readonly headline: string;
  readonly better: 'higher' | 'lower';
  readonly start: (options: Options, context: MeasureContext) => Measure;
}

/** Gathers rows of one width: [examples, width]. */
export function gatherRows(
  { dataset, predictions }: MeasureContext,
  metrics: (rows: Float32Array, width: number) => Readonly<Record<string, number>>,
): Measure {
  let rows: Float32Array | undefined;
  let width = 1;
  return {
    outputs: [predictions],
    add(indices, outputs) {
      const data = outputs[predictions]!.data as Float32Array;
      width = data.length / indices.length;
      rows ??= new Float32Array(dataset.size * width);
      for (const [place, index] of indices.entries()) {
        rows.set(data.subarray(place * width, (place + 1) * width), index * width);
      }
    },
    metrics: () => metrics(rows ?? new Float32Array(0), width),
  };
}

/** The values of a column that has the same number of them for each row. */
export function truthOf({ dataset, labels }: MeasureContext): number[] {
  const column = dataset.columns[labels]!;
  if (column.kind !== 'fixed') throw new Error(`the column "${labels}" has rows of different lengths`);
  return Array.from(column.values, Number);
}
