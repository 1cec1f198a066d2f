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
export { decodeModel, decodeTensor } from './read.ts';
export { stored, tensorOf } from './stored.ts';
export { formatType, joinTypes, unifyTypes } from './value-types.ts';
export { encodeModel, encodeTensor } from './write.ts';
