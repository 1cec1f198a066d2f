import { LatheError, type Tensor, tensor } from '../base/index.ts';
import type { Model } from '../graph/index.ts';
import { tensorOf } from '../graph/index.ts';
import { allocateTensors, openSession, type SessionOptions } from '../runtime/index.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import {
  type AccumulatingGraphs,
  accumulatingGraphs,
  type ParameterSlot,
  type TrainingGraph,
  type TrainingGraphOptions,
  trainingGraph,
} from './training-graph.ts';

export type Batch = Readonly<Record<string, Tensor>>;

export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
}

/**
 * Owns the parameters and the optimizer state of a run, and moves them by one step. Both exist twice: a step reads one
 * set and writes the other, then they change places. ONNX Runtime must not write what it reads.
 */
export interface Stepper {
  readonly slots: readonly ParameterSlot[];
  /** One step over the micro-batches of `batches` (one, without accumulation). `step` counts from 1. */
  step(batches: readonly Batch[], step: number, learningRate: number): Promise<StepResult>;
  /** Parameters and state by name, as they are now: valid until the next step. */
  tensors(): ReadonlyMap<string, Tensor>;
  /** The parameters alone. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Sets parameters and state, from a checkpoint. Throws LatheError('corrupt') when a tensor is missing or has another shape. */
  restore(tensors: ReadonlyMap<string, Tensor>): void;
  close(): Promise<void>;
}

export interface StepperOptions extends TrainingGraphOptions {
  readonly accumulation: number;
  readonly session: SessionOptions;
}

export async function openStepper(model: Model, options: StepperOptions): Promise<Stepper> {
  return options.accumulation > 1
    ? openAccumulating(accumulatingGraphs(model, options), model, options)
    : openFused(trainingGraph(model, options), model, options);
}

async function openFused(
  graph: TrainingGraph,
  model: Model,
  { optimizer, session: sessionOptions }: StepperOptions,
): Promise<Stepper> {
  const session = await openSession(graph.model, sessionOptions);
  const memory = doubleBuffer(model, graph.parameters);
  return {
    slots: graph.parameters,
    ...memory.access,
    async step([batch], step, learningRate) {
      const results = await session.run(
        { ...batch, ...memory.feeds(), ...scalarFeeds(optimizer, step, learningRate) },
        { outputs: [graph.loss, graph.gradientNorm], into: memory.targets() },
      );
      const result = { loss: scalarOf(results[graph.loss]), gradientNorm: scalarOf(results[graph.gradientNorm]) };
      // A step that is not finite is not taken: the caller can look into what caused it.
      if (Number.isFinite(result.loss) && Number.isFinite(result.gradientNorm)) memory.swap();
      return result;
    },
    close: () => session.close(),
  };
}

async function openAccumulating(
  graphs: AccumulatingGraphs,
  model: Model,
  { optimizer, session: sessionOptions }: StepperOptions,
): Promise<Stepper> {
  const accumulate = await openSession(graphs.accumulate, sessionOptions);
  const apply = await openSession(graphs.apply, sessionOptions);
  const memory = doubleBuffer(model, graphs.parameters);
  const sumShapes = graphs.parameters.map(({ name, dims }) => [graphs.sumOf(name), dims] as const);
  let sums = allocateTensors(sumShapes);
  let nextSums = allocateTensors(sumShapes);
  return {
    slots: graphs.parameters,
    ...memory.access,
    async step(batches, step, learningRate) {
      for (const sum of sums.values()) (sum.data as Float32Array).fill(0);
      let loss = 0;
      let weight = 0;
      for (const batch of batches) {
        const results = await accumulate.run(
          { ...batch, ...memory.parameterFeeds(), ...Object.fromEntries(sums) },
          {
            outputs: ['loss', 'loss_weight'],
            into: Object.fromEntries(Array.from(nextSums, ([name, value]) => [`${name}_next`, value])),
          },
        );
        const micro = scalarOf(results.loss_weight);
        loss += scalarOf(results.loss) * micro;
        weight += micro;
        [sums, nextSums] = [nextSums, sums];
      }
      if (weight === 0) return { loss: 0, gradientNorm: 0 };
      const results = await apply.run(
        {
          ...memory.feeds(),
          ...Object.fromEntries(sums),
          ...scalarFeeds(optimizer, step, learningRate),
          total_weight: scalar(weight),
        },
        { outputs: [graphs.gradientNorm], into: memory.targets() },
      );
      const result = { loss: loss / weight, gradientNorm: scalarOf(results[graphs.gradientNorm]) };
      if (Number.isFinite(result.loss) && Number.isFinite(result.gradientNorm)) memory.swap();
      return result;
    },
    async close() {
      await accumulate.close();
      await apply.close();
    },
  };
}

interface DoubleBuffer {
  readonly access: Pick<Stepper, 'tensors' | 'parameters' | 'restore'>;
  feeds(): Record<string, Tensor>;
  parameterFeeds(): Record<string, Tensor>;
  targets(): Record<string, Tensor>;
  swap(): void;
}

function doubleBuffer(model: Model, slots: readonly ParameterSlot[]): DoubleBuffer {
  const shapes = slots.flatMap(({ name, dims, state }) => [
    [name, dims] as const,
    ...state.map(({ input }) => [input, dims] as const),
  ]);
  const nextOf = new Map(
    slots.flatMap(({ name, next, state }) => [
      [name, next] as const,
      ...state.map((item) => [item.input, item.next] as const),
    ]),
  );
  let front = allocateTensors(shapes);
  let back = allocateTensors(shapes);
  const fill = (name: string, source: Tensor): void =>
    (front.get(name)!.data as Float32Array).set(source.data as Float32Array);
  for (const { name } of slots) fill(name, tensorOf(model.graph.initializers.get(name)!));
  const parameters = (): Map<string, Tensor> => new Map(slots.map(({ name }) => [name, front.get(name)!]));
  return {
    access: {
      tensors: () => front,
      parameters,
      restore(tensors) {
        for (const [name, dims] of shapes) {
          const saved = tensors.get(name);
          if (saved === undefined || saved.dtype !== 'float32' || saved.dims.join() !== dims.join()) {
            throw new LatheError(
              'corrupt',
              `the checkpoint does not fit the model: "${name}" should be float32 [${dims}], it ${saved === undefined ? 'is missing' : `is ${saved.dtype} [${saved.dims}]`}`,
            );
          }
          fill(name, saved);
        }
      },
    },
    feeds: () => Object.fromEntries(front),
    parameterFeeds: () => Object.fromEntries(parameters()),
    targets: () => Object.fromEntries(Array.from(back, ([name, value]) => [nextOf.get(name)!, value])),
    swap() {
      [front, back] = [back, front];
    },
  };
}

function scalarFeeds(optimizer: Optimizer, step: number, learningRate: number): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(optimizer.scalarValues(step, learningRate)).map(([name, value]) => [name, scalar(value)]),
  );
}

function scalar(value: number): Tensor {
  return tensor('float32', [], new Float32Array([value]));
}

function scalarOf(value: Tensor | undefined): number {
  return Number(value!.data[0]);
}
