export * from './attributes.ts';
export * from './builder.ts';
export {
  broadcastShapes,
  equalDimensions,
  evaluateDimension,
  evaluateShape,
  formatShape,
  productOfDimensions,
} from './dimension.ts';
export { evaluate } from './evaluate.ts';
export { type InferOptions, type InferredValue, inferShapes, inferTypes } from './infer.ts';
export * from './ir.ts';
export { isKnownOperator, OPERATORS, type OperatorName } from './operators/names.ts';
export type { Reference, ReferenceContext } from './operators/reference.ts';
export { REFERENCES, runReference } from './operators/references.ts';
export { eliminateCommonSubexpressions } from './passes/eliminate-common-subexpressions.ts';
export { type FoldOptions, foldConstants } from './passes/fold-constants.ts';
export type { Pass, PassResult } from './passes/pass.ts';
export { removeDeadNodes } from './passes/remove-dead-nodes.ts';
export { sortNodes } from './passes/sort-nodes.ts';
export { decodeModel, decodeTensor } from './read.ts';
export { capturesOf, mapSubgraphs, readsOf, subgraphsOf } from './reads.ts';
export { denseOf } from './sparse.ts';
export { stored, tensorOf } from './stored.ts';
export { formatType, joinTypes, unifyTypes } from './value-types.ts';
export { encodeModel, encodeTensor } from './write.ts';
