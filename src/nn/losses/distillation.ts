import { LatheError } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import { elementwiseLoss, type Loss, positiveOption } from './loss.ts';

export interface Distillation {
  /** Compares predictions with what a teacher says: `klDivergence`, `softBinaryCrossEntropy` or `meanSquaredError`. */
  readonly teacher: Loss;
  /** How much of the loss is the teacher's, from 0 to 1. */
  readonly alpha: number;
  /** The column of the teacher's outputs; default `teacher`. */
  readonly column?: string;
}

/**
 * alpha · teacher's loss + (1 − alpha) · own loss (Hinton, Vinyals and Dean, 2015). The teacher's outputs are a further
 * column of the data, of the type that its loss has for labels. An example counts for both as much as the own loss has it
 * count: what that ignores is ignored, and class weights weigh both. Throws 'usage' for an alpha that is not from 0 to 1,
 * and 'shape' where the two losses have not one term for the same things.
 */
export function distillation(own: Loss, { teacher, alpha, column = 'teacher' }: Distillation): Loss {
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new LatheError('usage', `distillation: alpha should be from 0 to 1, got ${alpha}`);
  }
  const name = `${own.name} with ${teacher.name} to a teacher`;
  return {
    name,
    labels: own.labels,
    terms: own.terms,
    columns(predictions) {
      const [ours, theirs] = [own.terms(predictions), teacher.terms(predictions)];
      if (ours.join() !== theirs.join()) {
        throw new LatheError('shape', `${name}: one has a term for each of [${ours}], the other for [${theirs}]`);
      }
      return { ...own.columns?.(predictions), [column]: teacher.labels(predictions) };
    },
    build(graph, inputs) {
      const { losses, weights } = own.build(graph, inputs);
      const soft = teacher.build(graph, { ...inputs, labels: column });
      const share = (value: Value, part: number): Value => graph.mul(value, graph.scalar(part, 'float32'));
      const counted = weights === undefined ? soft.losses : graph.mul(soft.losses, weights);
      return { losses: graph.add(share(counted, alpha), share(losses, 1 - alpha)), ...(weights && { weights }) };
    },
  };
}

/**
 * T² · binary cross entropy of logits [batch, labels] at temperature T with σ(teacher / T), where the labels are the
 * teacher's logits, float32 of the same shape. Its gradient is that of the KL divergence of each label. Throws 'usage' for
 * a temperature that is not above 0.
 */
export function softBinaryCrossEntropy(options: { /** Default 1. */ readonly temperature?: number } = {}): Loss {
  const temperature = positiveOption('soft binary cross entropy', 'temperature', options.temperature ?? 1);
  return elementwiseLoss('soft binary cross entropy', 'float32', (graph, logits, teacher) => {
    const softened = (x: Value): Value => graph.mul(x, graph.scalar(1 / temperature, 'float32'));
    const student = softened(logits);
    const target = graph.op('Sigmoid', [softened(teacher)]);
    // −p log σ(s) − (1 − p) log(1 − σ(s)) = softplus(s) − p · s, which does not overflow.
    const terms = graph.sub(graph.op('Softplus', [student]), graph.mul(target, student));
    return graph.mul(terms, graph.scalar(temperature ** 2, 'float32'));
  });
}
