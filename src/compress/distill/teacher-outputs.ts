import { LatheError, sizeOf } from '../../base/index.ts';
import type { Column } from '../../data/index.ts';
import type { Example, Pipeline, PredictOptions, RowOutput, Task } from '../../pipeline/index.ts';

/**
 * What a teacher says of each example, as a column of float32 values in the shape of its first output. The teacher reads by
 * its own processing, tokenizer included: what a student reads of the same examples may differ. Throws 'unsupported' where
 * the examples and the teacher's rows are not one to one, and 'invalid-data' for outputs that are not finite.
 */
export async function teacherOutputs(
  teacher: Pipeline,
  examples: readonly Example[],
  options: PredictOptions = {},
): Promise<Extract<Column, { kind: 'fixed' }>> {
  const reader: Task<RowOutput> = { ...teacher.task, read: ([output]) => copyOf(output!) };
  const { rows, encoded } = await teacher.readAs(reader, examples, options);
  const dims = rows[0]?.dims ?? [];
  if (encoded.exampleOf !== undefined || rows.some((row) => row.dims.join() !== dims.join())) {
    throw new LatheError(
      'unsupported',
      `${teacher.task.name}: the teacher does not give one row of equal size an example`,
      {
        hint: 'Choose a method that runs the teacher beside the student.',
      },
    );
  }
  const width = sizeOf(dims);
  const values = new Float32Array(rows.length * width);
  for (const [index, { data }] of rows.entries()) {
    if (!data.every(Number.isFinite)) {
      throw new LatheError('invalid-data', `the teacher's output for example ${index + 1} is not finite: ${data}`);
    }
    values.set(data, index * width);
  }
  return { kind: 'fixed', values, dims, dtype: 'float32' };
}

/** What is read is a view of a whole batch. */
const copyOf = ({ data, dims }: RowOutput): RowOutput => ({ data: data.slice(), dims });
