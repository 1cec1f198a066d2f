import { LatheError } from '../../base/index.ts';
import { type GraphBuilder, int, type Value } from '../../graph/index.ts';
import { type Loss, positiveOption } from './loss.ts';

export interface ClassRelationsOptions {
  /** Default 1. */
  readonly temperature?: number;
  /** The factor of what is between the classes of an example; default 1. */
  readonly between?: number;
  /** The factor of what is within a class, over the examples of a batch; default 1. */
  readonly within?: number;
}

/**
 * DIST (Huang et al., 2022): T² · (1 − Pearson correlation) of softened probabilities with those of a teacher, between the
 * classes of each example and, over the batch, within each class: a student has to keep the teacher's order and distances, and
 * not its confidence. Predictions are logits [batch, classes], labels the teacher's, float32 of the same shape. What is within
 * classes is one number a batch, which counts as often as the batch has examples. Of two classes the correlation between them is
 * always 1 or −1 and teaches nothing. Throws 'usage' for options that are not above 0, and 'shape' for logits of another rank.
 */
export function classRelations(options: ClassRelationsOptions = {}): Loss {
  const name = 'relations of classes';
  const positive = (option: keyof ClassRelationsOptions): number => positiveOption(name, option, options[option] ?? 1);
  const [temperature, between, within] = [positive('temperature'), positive('between'), positive('within')];
  return {
    name,
    labels: (predictions) => {
      if (predictions.length === 2) return { dtype: 'float32', shape: predictions };
      throw new LatheError('shape', `${name}: expected logits [batch, classes], got ${predictions.length} dimensions`);
    },
    terms: (predictions) => predictions.slice(0, 1),
    build(graph, { predictions, labels }) {
      const soften = (logits: Value): Value =>
        graph.op('Softmax', [graph.mul(logits, graph.scalar(1 / temperature, 'float32'))], { axis: int(-1) });
      const [student, teacher] = [soften(predictions), soften(labels)];
      const scaled = (distance: Value, factor: number): Value =>
        graph.mul(distance, graph.scalar(temperature ** 2 * factor, 'float32'));
      const ofExamples = scaled(pearsonDistance(graph, student, teacher, 1), between); // [batch]
      const ofClasses = graph.reduceMean(pearsonDistance(graph, student, teacher, 0), [0], true); // [1]
      return { losses: graph.add(ofExamples, scaled(ofClasses, within)) };
    },
  };
}

/** 1 − Pearson correlation along an axis of matrices; 1 where there is no spread. */
function pearsonDistance(graph: GraphBuilder, a: Value, b: Value, axis: number): Value {
  const centred = (x: Value): Value => graph.sub(x, graph.reduceMean(x, [axis], true));
  const [x, y] = [centred(a), centred(b)];
  const dot = (one: Value, other: Value): Value => graph.reduceSum(graph.mul(one, other), [axis], false);
  // A batch of one has no spread within its classes: the smallest product keeps the root's gradient finite.
  const spreads = graph.op('Max', [graph.mul(dot(x, x), dot(y, y)), graph.scalar(SMALLEST, 'float32')]);
  return graph.sub(graph.scalar(1, 'float32'), graph.div(dot(x, y), graph.sqrt(spreads)));
}

const SMALLEST = 1e-16;
