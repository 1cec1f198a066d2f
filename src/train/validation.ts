import type { Tensor } from '../base/index.ts';
import { gatherBatch, type TensorDataset } from '../data/index.ts';
import { type Model, stored } from '../graph/index.ts';
import { classificationReport, regressionReport } from '../metrics/index.ts';
import { softmax } from '../pipeline/index.ts';
import { openSession, type SessionOptions } from '../runtime/index.ts';

/** What the outputs of a model mean, so that a score can be made of them. */
export type Objective =
  | { readonly kind: 'classification'; readonly labels: readonly string[]; readonly positive?: string }
  | { readonly kind: 'regression' };

export interface Outputs {
  /** Row-major [examples, width]: logits, or predictions of a regression. */
  readonly predictions: Float32Array;
  readonly width: number;
  readonly loss: number;
}

export interface ValidationResult {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The metric that picks the best checkpoint, larger is better: F1 (macro, or of the positive label), or −MSE. */
export function scoreOf(objective: Objective, metrics: Readonly<Record<string, number>>): number {
  return objective.kind === 'classification' ? metrics.f1! : -metrics.mse!;
}

/** The model with other values for some of its initializers; memory is shared. */
export function withParameters(model: Model, parameters: ReadonlyMap<string, Tensor>): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [name, value] of parameters) if (initializers.has(name)) initializers.set(name, stored(value));
  return { ...model, graph: { ...model.graph, initializers } };
}

/**
 * Runs a model with outputs `logits`, `loss` and `loss_weight` over a data set. The weights are constants here, which
 * ONNX Runtime runs faster than weights that are fed.
 */
export async function runOver(
  model: Model,
  dataset: TensorDataset,
  batches: readonly Int32Array[],
  options: {
    readonly predictions: string;
    readonly session: SessionOptions;
    readonly betweenBatches?: () => Promise<void>;
  },
): Promise<Outputs> {
  const session = await openSession(model, options.session);
  try {
    let predictions: Float32Array | undefined;
    let width = 1;
    let loss = 0;
    let weight = 0;
    for (const indices of batches) {
      const results = await session.run(gatherBatch(dataset, indices), {
        outputs: [options.predictions, 'loss', 'loss_weight'],
      });
      const output = results[options.predictions]!.data as Float32Array;
      width = output.length / indices.length;
      predictions ??= new Float32Array(dataset.size * width);
      for (let row = 0; row < indices.length; row++) {
        predictions.set(output.subarray(row * width, (row + 1) * width), indices[row]! * width);
      }
      const batchWeight = Number(results.loss_weight!.data[0]);
      loss += Number(results.loss!.data[0]) * batchWeight;
      weight += batchWeight;
      await options.betweenBatches?.();
    }
    return { predictions: predictions ?? new Float32Array(0), width, loss: weight === 0 ? 0 : loss / weight };
  } finally {
    await session.close();
  }
}

/** Metrics of outputs against the truth: class indices, or values. */
export function measure(objective: Objective, outputs: Outputs, truth: ArrayLike<number | bigint>): ValidationResult {
  const expected = Array.from(truth, Number);
  if (objective.kind === 'regression')
    return { loss: outputs.loss, metrics: regressionReport(expected, outputs.predictions, { resamples: 0 }).metrics };
  const report = classificationReport(
    Int32Array.from(expected),
    softmax(outputs.predictions, outputs.width),
    objective.labels,
    {
      resamples: 0,
      ...(objective.positive !== undefined && { positive: objective.positive }),
    },
  );
  return { loss: outputs.loss, metrics: report.metrics };
}
