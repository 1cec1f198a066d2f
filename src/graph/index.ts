export * from './attributes.ts';
export { boundInputs, type DimensionValues } from './bound-inputs.ts';
export * from './builder.ts';
export { check, problems } from './check.ts';
export { type GraphCosts, graphCosts, type NodeCost } from './costs.ts';
export {
  broadcastShapes,
  equalDimensions,
  evaluateDimension,
  evaluateShape,
  formatShape,
  productOfDimensions,
} from './dimension.ts';
export { decodeModel, decodeTensor, encodeModel, encodeTensor } from './encoding.ts';
export { evaluate } from './evaluate.ts';
export { loadExternalData, loadExternalTensor } from './external-data.ts';
export { type InferOptions, type InferredValue, inferShapes, inferTypes } from './infer.ts';
export * from './ir.ts';
export { mapTensors } from './map-tensors.ts';
export { isKnownOperator, OPERATORS, type OperatorName } from './operators/names.ts';
export type { Reference, ReferenceContext } from './operators/reference.ts';
export { REFERENCES, runReference } from './operators/references.ts';
export type { ShapeContext } from './operators/shape-rule.ts';
export { SHAPE_RULES } from './operators/shapes.ts';
export {
  extentOf,
  type KnownWindow,
  knownWindow,
  tapPositions,
  transposedWindow,
  type Window,
  windowOver,
} from './operators/window.ts';
export { RECURRENT as RECURRENT_EXPANSIONS } from './passes/contrib/recurrent.ts';
export { type ConvertOptions, convertOperatorSet } from './passes/convert-operator-set.ts';
export { eliminateCommonSubexpressions } from './passes/eliminate-common-subexpressions.ts';
export { CONTRIB_EXPANSIONS, expandContribOperators } from './passes/expand-contrib-operators.ts';
export { expandOperators, isExpandable } from './passes/expand-operators.ts';
export { type FoldOptions, foldConstants } from './passes/fold-constants.ts';
export { freeBatch } from './passes/free-batch.ts';
export { inlineFunctions } from './passes/inline-functions.ts';
export { liftConstants } from './passes/lift-constants.ts';
export type { Pass, PassResult } from './passes/pass.ts';
export { removeDeadNodes } from './passes/remove-dead-nodes.ts';
export { sortNodes } from './passes/sort-nodes.ts';
export { unrollRecurrentOperators } from './passes/unroll-recurrent-operators.ts';
export { printModel } from './print.ts';
export { readModel } from './read.ts';
export { capturesOf, mapSubgraphs, readsOf, subgraphsOf } from './reads.ts';
export { nodesGiving, replaceNodes } from './replace-nodes.ts';
export { denseOf } from './sparse.ts';
export { stored, tensorOf } from './stored.ts';
export { formatType, joinTypes, unifyTypes } from './value-types.ts';
export { type ExternalDataOptions, writeModel } from './write.ts';
