export { attentionDistance } from './distill/attention-distance.ts';
export { type AugmentOptions, augmentTexts } from './distill/augment-texts.ts';
export { channelDistance } from './distill/channel-distance.ts';
export { cosineDistance, hiddenDistance, type StateProjection } from './distill/hidden-distance.ts';
export {
  INNER_METHODS,
  type InnerDistance,
  type InnerMethod,
  type InnerOptions,
  innerDistance,
  withDistance,
  withoutDropout,
} from './distill/inner-distance.ts';
export { distillationGraph, type JointGraph, TEACHER_PREFIX, type TeacherValue } from './distill/joint-graph.ts';
export { type NearestWords, nearestWords } from './distill/nearest-words.ts';
export { type Relation, relationDistance } from './distill/relation-distance.ts';
export { type SoftTargets, softTargets } from './distill/soft-targets.ts';
export { studentLayers } from './distill/student-layers.ts';
export { answersOf } from './distill/teacher-answers.ts';
export { teacherOutputs } from './distill/teacher-outputs.ts';
export {
  type AttentionLayer,
  type Projection,
  type TransformerValues,
  transformerValues,
} from './distill/transformer-values.ts';
export {
  lossesWithout,
  type ResidualBranch,
  residualBranches,
  withoutBranch,
  withoutBranches,
} from './prune/branches.ts';
export { type ChooseOptions, chooseUnits } from './prune/choose.ts';
export { type WithoutConstants, withoutConstantUnits } from './prune/constant-units.ts';
export { cut, type Removal } from './prune/cut.ts';
export {
  type Dependencies,
  dependenciesOf,
  type Group,
  type PinnedWeight,
  type Unit,
  type WeightSlice,
} from './prune/dependencies.ts';
export {
  IMPORTANCES,
  type Importance,
  type ImportanceData,
  importanceOf,
  needsData,
  type Scores,
} from './prune/importance.ts';
export { type Masked, type MaskOptions, maskWeights } from './prune/masks.ts';
export { cutTo, type Reached } from './prune/reach.ts';
export { type Speed, timeInTurns } from './prune/speed.ts';
export { type CalibrationOptions, calibrate } from './quantize/calibrate.ts';
export { type DynamicOptions, quantizeDynamic } from './quantize/dynamic.ts';
export { exportQuantized, type FakeQuantizationOptions, withFakeQuantization } from './quantize/fake-quantization.ts';
export { foldIntoConvolutions } from './quantize/fold-into-convolutions.ts';
export { inputMoments } from './quantize/input-moments.ts';
export { type IntegerWeightOptions, type IntegerWeights, integerWeights } from './quantize/integer-weights.ts';
export { OBSERVERS, type Observer, type Range } from './quantize/observers.ts';
export { writePiecewise } from './quantize/piecewise-activations.ts';
export type { ProductOptions, Quantized } from './quantize/products.ts';
export { fewestLeft, type Sensitivity, sensitivityOf } from './quantize/sensitivity.ts';
export { prepareStatic, quantizeStatic, type StaticallyQuantized, type StaticOptions } from './quantize/static.ts';
export { quantizeWeights4, type Weights4Options } from './quantize/weights4.ts';
export { type Choice, choose, meets, type Wanted } from './search/choose.ts';
export { type Measured, paretoFront } from './search/pareto-front.ts';
