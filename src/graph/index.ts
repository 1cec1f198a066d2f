export * from './attributes.ts';
export * from './builder.ts';
export * from './ir.ts';
export { isKnownOperator, OPERATORS, type OperatorName } from './operators/names.ts';
export { stored, tensorOf } from './stored.ts';
