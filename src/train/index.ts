export { type Checkpoint, type Position, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
export type { StopReason, TrainEvent } from './events.ts';
export { type Cut, cutFrozenPart, keepFeatures } from './frozen-part.ts';
export { formsOf, type GraphForms, type GraphFormsOptions, graphForms } from './graph-forms.ts';
export { makeJobFolder } from './job-folder.ts';
export type { Objective } from './objectives/objectives.ts';
export { type AdamWOptions, adamW } from './optimizers/adam-w.ts';
export { type LionOptions, lion } from './optimizers/lion.ts';
export type { Optimizer, ParameterUpdate } from './optimizers/optimizer.ts';
export { type SgdOptions, sgd } from './optimizers/sgd.ts';
export { prepareModel } from './prepare-model.ts';
export { learningRateAt, type ScheduleOptions } from './schedule.ts';
export { DEFAULT_SETTINGS, matching, type OptimizerSettings, type TrainSettings } from './settings.ts';
export { type Batch, openStepper, type Stepper, type StepperOptions, type StepResult } from './stepper.ts';
export {
  type Details,
  type Forms,
  type Judged,
  type LossChoices,
  type TrainableTask,
  textOfExample,
} from './tasks/trainable-task.ts';
export { TRAINABLE_TASKS } from './tasks/trainable-tasks.ts';
export { type Scalar, TensorBoardWriter } from './tensorboard.ts';
export { type TrainOptions, train, trainedModel } from './train.ts';
export { type Trainability, trainability, trainableParameters } from './trainable.ts';
export {
  type BufferSlot,
  type GradientGraph,
  type GradientGraphOptions,
  gradientGraph,
  type ParameterSlot,
  type TrainingGraph,
  type TrainingGraphOptions,
  trainingGraph,
} from './training-graph.ts';
export { withParameters } from './validation.ts';
