import { LatheError } from '../base/index.ts';
import {
  extendModel,
  formatShape,
  GraphBuilder,
  inferTypes,
  int,
  type Model,
  opsetOf,
  removeDeadNodes,
  tensorInfo,
  type Value,
} from '../graph/index.ts';
import { type Initialization, initialize } from './initialization.ts';
import { pooled } from './layers/pooling.ts';

export interface AttachHeadOptions {
  /** How many the head tells apart. */
  readonly classes: number;
  /** The value that it reads: float32 [batch, features] or [batch, sequence, features]. */
  readonly output: string;
  /** Of a sequence, one answer, from the mean of its places (default), or one for each of them. */
  readonly rows?: 'examples' | 'tokens';
  /** The input, int64 [batch, sequence], that says which places of the sequence count. */
  readonly mask?: string;
  /** Of the initialization; default 0. */
  readonly seed?: number;
}

/**
 * The model with a linear layer on features that one of its outputs gives. Its only output is `logits` then, float32
 * [batch, classes], or [batch, sequence, classes] where `rows` is tokens. `classifier.weight` ([classes, features], of tokens
 * [features, classes]) and `classifier.bias` are new, initialized as those of `replaceHead`. Throws LatheError('unsupported')
 * for features of another shape, and before operator set 13.
 */
export function attachHead(
  model: Model,
  { classes, output, rows = 'examples', mask, seed = 0 }: AttachHeadOptions,
): Model {
  const { graph } = model;
  const type = inferTypes(model).get(output)?.type;
  const shape = type?.kind === 'tensor' && type.dtype === 'float32' ? type.shape : undefined;
  const features = shape?.at(-1);
  if (shape === undefined || (shape.length !== 2 && shape.length !== 3) || typeof features !== 'number') {
    throw new LatheError(
      'unsupported',
      `a new head: output "${output}" is ${shape === undefined ? 'of no known shape' : `float32${formatShape(shape)}`}, expected features [batch, n] or [batch, sequence, n]`,
    );
  }
  const opset = opsetOf(model) ?? 0;
  const names = new GraphBuilder({ opset, extending: graph });
  const build = new GraphBuilder({ opset, extending: graph });
  const each = rows === 'tokens' && shape.length === 3;
  const read = shape.length === 2 || each ? output : mean(build, output, mask);
  const parameter = (wanted: string, dims: readonly number[], initialization: Initialization): Value => {
    const name = names.unique(wanted);
    return build.initializer(name, initialize(name, dims, initialization, seed));
  };
  const weight = parameter('classifier.weight', each ? [features, classes] : [classes, features], {
    normal: 1 / Math.sqrt(3 * features),
  });
  const bias = parameter('classifier.bias', [classes], 'zeros');
  const logits = names.unique('logits');
  if (each) build.op('Add', [build.matMul(read, weight), bias], {}, logits);
  else build.op('Gemm', [read, weight, bias], { transB: int(1) }, logits);
  const answer = tensorInfo(logits, { dtype: 'float32', shape: [...shape.slice(0, each ? 2 : 1), classes] });
  return removeDeadNodes(extendModel(model, build, { outputs: [answer] })).model;
}

function mean(build: GraphBuilder, sequence: Value, mask: string | undefined): Value {
  return mask === undefined ? build.reduceMean(sequence, [1], false) : pooled(build, sequence, mask, 'mean');
}
