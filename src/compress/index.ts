export { cut, type Removal } from './prune/cut.ts';
export {
  type Dependencies,
  dependenciesOf,
  type Group,
  type PinnedWeight,
  type Unit,
  type WeightSlice,
} from './prune/dependencies.ts';
export { type Choice, choose, meets, type Wanted } from './search/choose.ts';
export { type Measured, paretoFront } from './search/pareto-front.ts';
