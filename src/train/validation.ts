import type { Tensor } from '../base/index.ts';
import { gatherBatch, type TensorDataset } from '../data/index.ts';
import { type Model, stored } from '../graph/index.ts';
import { openSession, type SessionOptions } from '../runtime/index.ts';
import type { Measure } from './objectives/objective.ts';
import type { Batch } from './stepper.ts';

/** The model with other values for some of its initializers; memory is shared. */
export function withParameters(model: Model, parameters: ReadonlyMap<string, Tensor>): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [name, value] of parameters) if (initializers.has(name)) initializers.set(name, stored(value));
  return { ...model, graph: { ...model.graph, initializers } };
}

export interface ValidationResult {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Runs a model with the outputs `loss` and `loss_weight` over a data set and measures what it gives. The weights are
 * constants here, which ONNX Runtime runs faster than weights that are fed.
 */
export async function validate(
  model: Model,
  dataset: TensorDataset,
  batches: readonly Int32Array[],
  options: {
    readonly measure: Measure;
    readonly session: SessionOptions;
    /** What is done to a batch before it is run. */
    readonly prepare?: (batch: Batch, indices: Int32Array) => Batch;
    readonly betweenBatches?: () => Promise<void>;
  },
): Promise<ValidationResult> {
  const { measure, prepare = (batch) => batch } = options;
  const session = await openSession(model, options.session);
  try {
    let loss = 0;
    let weight = 0;
    for (const indices of batches) {
      const results = await session.run(prepare(gatherBatch(dataset, indices), indices), {
        outputs: [...new Set([...measure.outputs, 'loss', 'loss_weight'])],
      });
      measure.add(indices, results);
      const batchWeight = Number(results.loss_weight!.data[0]);
      loss += Number(results.loss!.data[0]) * batchWeight;
      weight += batchWeight;
      await options.betweenBatches?.();
    }
    const mean = weight === 0 ? 0 : loss / weight;
    return { loss: mean, metrics: measure.metrics(mean) };
  } finally {
    await session.close();
  }
}
