import { LatheError } from '../../base/index.ts';
import { entitiesOfTags, type Span, type TaggedEntity, tagSchemeOf } from '../../data/index.ts';
import { type EntityLists, entityCounts, entityReport, microF1Of } from '../../metrics/index.ts';
import { crossEntropy, fromConfig } from '../../nn/index.ts';
import {
  type Example,
  type LabelledPart,
  labelledParts,
  namedEntities,
  TASKS,
  type TaggedExamples,
  type TextExample,
  type TokenScores,
  wholeText,
} from '../../pipeline/index.ts';
import { surestOf, type WorstMistake } from '../report/index.ts';
import { comparedBy } from './compared-by.ts';
import type { Judged, TrainableTask } from './trainable-task.ts';

/** Tokens that teach nothing: those of the template, and all but the first of a word. */
const IGNORED = -100;

export const tokenClassification: TrainableTask<TokenScores> = {
  task: TASKS['token-classification'] as unknown as TrainableTask<TokenScores>['task'],
  head: 'token-classification',
  config: { className: 'ForTokenClassification' },
  // Of spans every token is taught; of tags the first of each word.
  settings: ([first]) => ({ aggregation: typeof (first as TextExample).text === 'string' ? 'simple' : 'first' }),
  transformer: (config, options) => ({
    model: fromConfig(config, { ...options, head: 'token-classification' }),
    trainingForm: fromConfig(config, { ...options, head: 'token-classification', form: 'training' }),
  }),
  check(_examples, labels) {
    if (labels.some((label) => label !== 'O')) return;
    throw new LatheError('invalid-data', 'no word has another tag than O', { hint: 'Check --label and --target.' });
  },
  targets(examples, encoded, labels, where) {
    const { dataset, windows, texts, exampleOf } = encoded as TaggedExamples;
    const column = dataset.columns.input_ids!;
    if (column.kind !== 'ragged') throw new LatheError('internal', 'input_ids should be a ragged column');
    const indexOf = labelLookup(labels, where);
    const taught = examples.map((example, at) => tokenLabels(example as TextExample, texts[at]!, indexOf, at));
    const values = new Int32Array(column.values.length).fill(IGNORED);
    for (const [row, { before, start, end }] of windows.entries()) {
      const own = taught[exampleOf[row]!]!;
      const origin = Math.max(0, texts[exampleOf[row]!]!.encoding.texts.indexOf(0)) + before;
      values.set(own.subarray(origin, origin + end - start), column.offsets[row]! + start);
    }
    return { labels: { kind: 'ragged', values, offsets: column.offsets, dtype: 'int64', padValue: IGNORED } };
  },
  loss({ examples, labels, labelSmoothing, classWeights }) {
    if (classWeights === 'none') return crossEntropy({ labelSmoothing });
    const counts = tagCounts(examples as readonly TextExample[], labels);
    const total = counts.reduce((sum, count) => sum + count, 0);
    return crossEntropy({
      labelSmoothing,
      classWeights: counts.map((count) => (count === 0 ? 1 : total / (labels.length * count))),
    });
  },
  objective: (labels) => ({ kind: 'entities', labels }),
  report(judged, { seed = 0 } = {}) {
    const { truth, predictions, accuracy } = entitiesOfAll(judged);
    return entityReport(truth, predictions, {
      task: 'token-classification',
      seed,
      ...(accuracy !== undefined && { more: { accuracy } }),
    });
  },
  compare: comparedBy((judged) => {
    const { truth, predictions } = entitiesOfAll(judged);
    const counts = entityCounts(truth, predictions);
    return (indices) => microF1Of(counts, indices);
  }),
  details: (judged) => ({ mistakes: worstEntities(judged) }),
};

type LabelIndex = (names: readonly string[], example: number) => number;

/** Finds the first of some names that the model has. Throws LatheError('invalid-data') when it has none. */
function labelLookup(labels: readonly string[], where: (example: number) => string): LabelIndex {
  const indexOf = new Map(labels.map((label, index) => [label, index]));
  return (names, example) => {
    for (const name of names) {
      const index = indexOf.get(name);
      if (index !== undefined) return index;
    }
    throw new LatheError(
      'invalid-data',
      `${where(example)}: tag ${JSON.stringify(names[0])} is not one of the model's (${labels.join(', ')})`,
    );
  };
}

/** What each token of an example is to be taken for. */
function tokenLabels(
  { text, label }: TextExample,
  { encoding, words }: TaggedExamples['texts'][number],
  indexOf: LabelIndex,
  example: number,
): Int32Array {
  const { offsets } = encoding;
  const taught = new Int32Array(words.length).fill(IGNORED);
  if (typeof text !== 'string') {
    let previous = -1;
    for (const [token, word] of words.entries()) {
      if (word >= 0 && word !== previous) taught[token] = indexOf([(label as readonly string[])[word]!], example);
      if (word >= 0) previous = word;
    }
    return taught;
  }
  const spans = [...(label as unknown as readonly Span[])].sort((one, other) => one.start - other.start);
  const begun = new Set<Span>();
  for (let token = 0; token < taught.length; token++) {
    const [start, end] = [offsets[token * 2]!, offsets[token * 2 + 1]!];
    if (encoding.texts[token] !== 0 || start === end) continue;
    const span = spans.find((one) => one.start < end && one.end > start);
    if (span === undefined) taught[token] = indexOf(['O'], example);
    else {
      const begins = !begun.has(span);
      begun.add(span);
      const [first, second] = begins ? ['B', 'I'] : ['I', 'B'];
      taught[token] = indexOf([`${first}-${span.label}`, `${second}-${span.label}`, span.label], example);
    }
  }
  return taught;
}

/** How many words have each tag; of spans, words are what spaces divide. */
function tagCounts(examples: readonly TextExample[], labels: readonly string[]): number[] {
  const counts = new Map(labels.map((label) => [label, 0]));
  const count = (tag: string): void => void counts.set(tag, (counts.get(tag) ?? 0) + 1);
  for (const { text, label } of examples) {
    if (typeof text !== 'string') {
      for (const tag of label as readonly string[]) count(tag);
      continue;
    }
    const spans = label as unknown as readonly Span[];
    for (const { index } of text.matchAll(/\S+/g)) {
      const span = spans.find(({ start, end }) => start <= index && end > index);
      count(span === undefined ? 'O' : `${span.start === index ? 'B' : 'I'}-${span.label}`);
    }
  }
  return labels.map((label) => counts.get(label)!);
}

interface JudgedEntities {
  readonly truth: EntityLists;
  readonly predictions: EntityLists;
  /** Share of words whose tag is right, where the truth is tags. */
  readonly accuracy?: number;
}

/** Entities of words where the truth is tags, else of characters. */
function entitiesOfAll({ examples, readings, labels }: Judged<TokenScores>): JudgedEntities {
  const scheme = tagSchemeOf(labels);
  const truth: TaggedEntity[][] = [];
  const predictions: TaggedEntity[][] = [];
  let right = 0;
  let words = 0;
  for (const [at, parts] of partsOfAll(readings, labels).entries()) {
    const example = examples[at] as TextExample;
    if (typeof example.text === 'string') {
      truth.push((example.label as unknown as readonly Span[]).map(({ label, start, end }) => ({ label, start, end })));
      predictions.push(
        namedEntities(parts, labels, example.text).map(({ label, start, end }) => ({ label, start, end })),
      );
      continue;
    }
    const tags = example.label as readonly string[];
    const guesses = predictedTags(parts, labels, tags.length);
    truth.push(entitiesOfTags(tags, scheme));
    predictions.push(entitiesOfTags(guesses, scheme));
    words += tags.length;
    for (const [word, tag] of tags.entries()) if (tag === guesses[word]) right++;
  }
  return { truth, predictions, ...(words > 0 && { accuracy: right / words }) };
}

/** By example, what the model says of its words or tokens. */
function partsOfAll(
  { rows, encoded }: Judged<TokenScores>['readings'],
  labels: readonly string[],
): readonly (readonly LabelledPart[])[] {
  const { exampleOf, texts } = encoded as TaggedExamples;
  let row = 0;
  return texts.map((_, example) => {
    const first = row;
    while (exampleOf[row] === example) row++;
    return labelledParts(rows.slice(first, row), { labels, encoded }, first);
  });
}

/** A word of which the model sees nothing is none. */
function predictedTags(parts: readonly LabelledPart[], labels: readonly string[], words: number): string[] {
  const tags = new Array<string | undefined>(words).fill(undefined);
  for (const { word, label } of parts) if (word >= 0) tags[word] ??= labels[label]!;
  return tags.map((tag) => tag ?? 'O');
}

/** The wrong entities that the model was surest of. */
function worstEntities({ examples, readings, labels }: Judged<TokenScores>): WorstMistake[] {
  const mistakes: Omit<WorstMistake, 'text'>[] = [];
  for (const [at, parts] of partsOfAll(readings, labels).entries()) {
    const example = examples[at] as Example & TextExample;
    const text = wholeText(example);
    const truth = truthInText(example, labels);
    for (const found of namedEntities(parts, labels, text)) {
      const near = truth.find(({ start, end }) => start < found.end && end > found.start);
      if (near?.label === found.label && near.start === found.start && near.end === found.end) continue;
      mistakes.push({
        example: at,
        truth: near === undefined ? '–' : `${text.slice(near.start, near.end)} (${near.label})`,
        prediction: `${found.text} (${found.label})`,
        score: found.score,
      });
    }
  }
  return surestOf(mistakes, (example) => wholeText(examples[example] as TextExample));
}

/** The true entities by their places in the text. */
function truthInText({ text, label }: TextExample, labels: readonly string[]): readonly Span[] {
  if (typeof text === 'string') return label as unknown as readonly Span[];
  const starts: number[] = [];
  let start = 0;
  for (const word of text) {
    starts.push(start);
    start += word.length + 1;
  }
  return entitiesOfTags(label as readonly string[], tagSchemeOf(labels)).map((entity) => ({
    label: entity.label,
    start: starts[entity.start]!,
    end: starts[entity.end - 1]! + text[entity.end - 1]!.length,
  }));
}
