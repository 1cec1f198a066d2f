import { LatheError } from '../../base/index.ts';

/**
 * The layers of a teacher of `count` layers that a student of `wanted` begins with: the first, the last, and evenly between (of 12
 * for 6: 0, 2, 4, 7, 9, 11, as DistilBERT has it). Throws 'usage' for a student without layers, or with more than the teacher.
 */
export function studentLayers(count: number, wanted: number): number[] {
  if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= count)) {
    throw new LatheError('usage', `layers of the student: expected 1 to ${count}, as the teacher has, got ${wanted}`);
  }
  if (wanted === 1) return [0];
  return Array.from({ length: wanted }, (_, layer) => Math.round((layer * (count - 1)) / (wanted - 1)));
}
