import { LatheError, sizeOf } from '../../base/index.ts';
import type { Column, Value } from '../../data/index.ts';
import type { TaskName } from '../../pipeline/index.ts';

type Outputs = Pick<Extract<Column, { kind: 'fixed' }>, 'values' | 'dims'>;

/**
 * What a teacher's outputs (`teacherOutputs`) answer for an example, in the form of a label: for examples that have none. Throws
 * 'unsupported' for tasks that answer with other things.
 */
export function answersOf(
  task: TaskName,
  { values, dims }: Outputs,
  labels: readonly string[],
): (row: number) => Value {
  const width = sizeOf(dims);
  const rowOf = (row: number): number[] => Array.from(values.subarray(row * width, (row + 1) * width), Number);
  switch (task) {
    case 'text-classification':
    case 'image-classification':
      return (row) => {
        const scores = rowOf(row);
        return labels[scores.indexOf(Math.max(...scores))]!;
      };
    case 'multi-label-classification':
      return (row) => {
        const scores = rowOf(row);
        return labels.filter((_, label) => scores[label]! >= 0);
      };
    case 'text-regression':
      return (row) => rowOf(row)[0]!;
    default:
      throw new LatheError('unsupported', `${task}: a teacher's outputs are no labels`);
  }
}
