import { entitiesOfTags, tagSchemeOf } from '../../data/index.ts';
import { type Entity, entityScores } from '../../metrics/index.ts';
import type { ObjectiveRule } from './objective.ts';

/** F1 of entities, of the tokens that have a label: those of one row are one text. */
export const entities: ObjectiveRule<{ readonly labels: readonly string[] }> = {
  headline: 'f1',
  better: 'higher',
  start({ labels }, { dataset, labels: name, predictions }) {
    const column = dataset.columns[name]!;
    if (column.kind !== 'ragged') throw new Error(`the column "${name}" should have a label for each token`);
    const scheme = tagSchemeOf(labels);
    const truth: Entity[][] = [];
    const predicted: Entity[][] = [];
    let right = 0;
    let count = 0;
    return {
      outputs: [predictions],
      add(indices, outputs) {
        const { data, dims } = outputs[predictions]!;
        const [, length, width] = dims as [number, number, number];
        for (const [place, index] of indices.entries()) {
          const own = column.values.subarray(column.offsets[index]!, column.offsets[index + 1]!);
          const tags: string[] = [];
          const guesses: string[] = [];
          for (const [token, label] of own.entries()) {
            if (Number(label) < 0) continue;
            const start = (place * length + token) * width;
            let best = 0;
            for (let at = 1; at < width; at++) {
              if ((data as Float32Array)[start + at]! > (data as Float32Array)[start + best]!) best = at;
            }
            tags.push(labels[Number(label)]!);
            guesses.push(labels[best]!);
            if (best === Number(label)) right++;
            count++;
          }
          truth.push(entitiesOfTags(tags, scheme));
          predicted.push(entitiesOfTags(guesses, scheme));
        }
      },
      metrics() {
        const { micro } = entityScores(truth, predicted);
        return { ...micro, accuracy: count === 0 ? 0 : right / count };
      },
    };
  },
};
