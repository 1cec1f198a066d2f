export { allocateTensors } from './arena.ts';
export { type ElementwiseKernel, type ElementwiseOptions, elementwiseKernel } from './kernel/elementwise.ts';
export { type OperatorCost, profileByOperator } from './profile.ts';
export { openSession, type RunOptions, type Session, type SessionOptions } from './session.ts';
export { type TimedInTurns, timeInTurns } from './time-in-turns.ts';
