import { LatheError } from '../../base/errors.ts';
import type { Tensor } from '../../base/tensor.ts';
import { describeNode } from '../attributes.ts';
import { isKnownOperator, type OperatorName } from './names.ts';
import type { Reference, ReferenceContext } from './reference.ts';
import { ACTIVATIONS } from './references/activations.ts';
import { ARITHMETIC } from './references/arithmetic.ts';
import { CAST } from './references/cast.ts';
import { CHANNEL_NORMALIZATION } from './references/channel-normalization.ts';
import { CONTROL_FLOW } from './references/control-flow.ts';
import { CONVOLUTION } from './references/convolution.ts';
import { EINSUM } from './references/einsum.ts';
import { GENERATOR } from './references/generator.ts';
import { INDEXING } from './references/indexing.ts';
import { LAYOUT } from './references/layout.ts';
import { LOGIC } from './references/logic.ts';
import { LOSS } from './references/loss.ts';
import { MATRIX } from './references/matrix.ts';
import { NORMALIZATION } from './references/normalization.ts';
import { POOLING } from './references/pooling.ts';
import { QUANTIZATION } from './references/quantization.ts';
import { REDUCTION } from './references/reduction.ts';
import { RESIZE } from './references/resize.ts';
import { SAMPLING } from './references/sampling.ts';
import { SPACE } from './references/space.ts';

/** The definition of every operator that Lathe knows, computed plainly in float64. */
export const REFERENCES = {
  ...ACTIVATIONS,
  ...ARITHMETIC,
  ...CAST,
  ...CHANNEL_NORMALIZATION,
  ...CONTROL_FLOW,
  ...CONVOLUTION,
  ...EINSUM,
  ...GENERATOR,
  ...INDEXING,
  ...LAYOUT,
  ...LOGIC,
  ...LOSS,
  ...MATRIX,
  ...NORMALIZATION,
  ...QUANTIZATION,
  ...POOLING,
  ...REDUCTION,
  ...RESIZE,
  ...SAMPLING,
  ...SPACE,
} satisfies Record<OperatorName, Reference>;

/** Runs one node. Errors name it; an operator without a reference is one. */
export function runReference(context: ReferenceContext): readonly Tensor[] {
  const { node } = context;
  if (!isKnownOperator(node))
    throw new LatheError('unsupported', `${describeNode(node)}: there is no reference for this operator`);
  try {
    return REFERENCES[node.opType](context);
  } catch (error) {
    const where = `${describeNode(node)}: `;
    if (!(error instanceof LatheError) || error.message.startsWith(where)) throw error;
    throw new LatheError(error.code, where + error.message, { cause: error });
  }
}
