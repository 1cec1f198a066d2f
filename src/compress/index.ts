export { type Choice, choose, meets, type Wanted } from './search/choose.ts';
export { type Measured, paretoFront } from './search/pareto-front.ts';
