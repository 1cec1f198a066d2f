import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { numbersOf } from '../../src/base/index.ts';
import { readModel, tensorOf } from '../../src/graph/index.ts';
import { answerOf, jsonOf, lathe, temporaryFolder } from './lathe.ts';

// Most train models, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

const folder = temporaryFolder();

interface Result {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass?: Readonly<Record<string, { readonly support: number }>>;
}

const run = (words: string): Promise<Result> => answerOf<Result>(folder, words.split(' '));

/** Words of a row alone, so that no row is nearly another. */
const fillers = (row: number): string => Array.from({ length: 8 }, (_, word) => `w${row * 8 + word}`).join(' ');

describe('several labels for a text', () => {
  const topics = ['sport', 'money', 'weather'];
  writeFileSync(
    join(folder, 'topics.csv'),
    `text,topics\n${Array.from({ length: 240 }, (_, row) => {
      const set = topics.filter((_, topic) => ((row % 7) + 1) & (1 << topic));
      return `${set.map((topic) => `${topic} ${topic}s`).join(' ')} ${fillers(row)} ${row},${set.join(' | ')}`;
    }).join('\n')}\n`,
  );

  it('are learned, measured and predicted', async () => {
    const args = 'train --data topics.csv --label topics --label-separator | --arch linear --epochs 8 --out topics';
    const trained = await run(args);
    expect(trained.task).toBe('multi-label-classification');
    expect(trained.metrics.microF1).toBeGreaterThan(0.9);
    expect(Object.keys(trained.perClass!).sort()).toEqual([...topics].sort());
    const config = JSON.parse(readFileSync(join(folder, 'topics', 'config.json'), 'utf8'));
    expect(config.problem_type).toBe('multi_label_classification');

    const measured = await run('evaluate topics --data topics.csv --split test');
    expect(measured).toMatchObject({ task: trained.task, examples: trained.examples, metrics: trained.metrics });

    const ended = await lathe(folder, ['predict', 'topics', 'sport sports and weather weathers', '--json']);
    const [prediction] = jsonOf<{ predictions: { labels: string[]; scores: Record<string, number> }[] }>(
      ended,
    ).predictions;
    expect([...prediction!.labels].sort()).toEqual(['sport', 'weather']);
    expect(prediction!.scores.money).toBeLessThan(0.5);
  });

  it('are lists in prepared data, which say what task they are for', async () => {
    const rows = Array.from({ length: 60 }, (_, row) => ({
      text: `alpha ${fillers(row)} ${row}`,
      labels: row % 2 ? ['a'] : ['a', 'b'],
    }));
    writeFileSync(join(folder, 'lists.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    await run('data prepare lists.jsonl --label labels --target classes --clean [] --out lists');
    const facts = JSON.parse(readFileSync(join(folder, 'lists', 'dataset.json'), 'utf8'));
    expect([facts.target, facts.labels]).toEqual(['classes', ['a', 'b']]);
    expect(await run('train --data lists --out x --dry-run')).toMatchObject({ task: 'multi-label-classification' });
    const refused = await lathe(folder, 'train --data lists --task text-regression --out x --dry-run'.split(' '));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/holds labels of the kind "classes", text-regression needs "number"/);
  });

  it('that the model does not know are refused with their row', async () => {
    writeFileSync(join(folder, 'unknown.csv'), 'text,topics\nsport today,sport\nwar today,sport|war\n');
    const ended = await lathe(folder, ['evaluate', 'topics', '--data', 'unknown.csv']);
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/row 2 of test: label "war" is not one of/)]);
  });
});

describe('a number for a text', () => {
  writeFileSync(
    join(folder, 'grades.csv'),
    `text,grade\n${Array.from({ length: 240 }, (_, row) => {
      const good = row % 5;
      return `${'good '.repeat(good)}${'bad '.repeat(4 - good)}${fillers(row)} ${row},${good / 2}`;
    }).join('\n')}\n`,
  );

  it('is learned, measured and predicted', async () => {
    const trained = await run('train --data grades.csv --label grade --target number --arch linear --out grades');
    expect(trained.task).toBe('text-regression');
    expect(trained.metrics.r2).toBeGreaterThan(0.8);
    expect(Object.keys(trained.metrics)).toEqual(['mse', 'rmse', 'mae', 'r2', 'pearson', 'spearman']);
    const measured = await run('evaluate grades --data grades.csv --split test');
    expect(measured.metrics).toEqual(trained.metrics);
    const ended = await lathe(folder, ['predict', 'grades', 'good good good good', 'bad bad bad bad', '--json']);
    const [high, low] = jsonOf<{ predictions: { value: number }[] }>(ended).predictions;
    expect(high!.value).toBeGreaterThan(low!.value + 1);
  });

  it('is refused where the cell holds none', async () => {
    writeFileSync(
      join(folder, 'words.csv'),
      `text,grade\n${Array.from({ length: 30 }, (_, row) => `${fillers(row)},one`).join('\n')}\n`,
    );
    const ended = await lathe(folder, 'train --data words.csv --label grade --target number --out x'.split(' '));
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/column "grade": expected numbers, got "one"/),
    ]);
  });
});

describe('pairs of texts', () => {
  const animals = ['cat', 'dog', 'owl', 'fox'];
  writeFileSync(
    join(folder, 'pairs.csv'),
    `first,second,label\n${Array.from({ length: 320 }, (_, row) => {
      const [one, other] = [animals[row % 4]!, animals[(row >> 2) % 4]!];
      return `the ${one} ${fillers(row)},a ${other} ${row},${one === other ? 'same' : 'other'}`;
    }).join('\n')}\n`,
  );

  it('go through the model as one sequence with two types', async () => {
    const args =
      'train --data pairs.csv --text first --text-pair second --arch bert-tiny --vocabulary-size 300 --max-length 24 --epochs 1 --no-baseline --out pairs';
    const trained = await run(args);
    expect(trained.task).toBe('text-classification');
    const manifest = JSON.parse(readFileSync(join(folder, 'pairs', 'lathe.json'), 'utf8'));
    expect(manifest.columns).toEqual({ text: 'first', textPair: 'second', label: 'label' });
    expect((await run('evaluate pairs --data pairs.csv --split test')).metrics).toEqual(trained.metrics);
    const predict = async (...words: string[]) => {
      const ended = await lathe(folder, ['predict', 'pairs', ...words, '--json']);
      return jsonOf<{ predictions?: { score: number }[]; error?: { message: string } }>(ended);
    };
    const [one] = (await predict('the cat', '--text-pair', 'a cat')).predictions!;
    const [other] = (await predict('the cat', '--text-pair', 'a dog')).predictions!;
    expect(one!.score).not.toBe(other!.score);
    expect((await predict('the cat')).error!.message).toMatch(/1 texts and 0 second texts/);
  });

  it('keep rows that share a first text', async () => {
    const rows = Array.from(
      { length: 40 },
      (_, row) => `same premise ${row % 4},hypothesis ${row},${row % 2 ? 'yes' : 'no'}`,
    );
    writeFileSync(join(folder, 'nli.csv'), `text,second,label\n${rows.join('\n')}\n`);
    const ended = await lathe(folder, 'train --data nli.csv --text-pair second --out x --dry-run --json'.split(' '));
    const { rows: splits } = jsonOf<{ rows: Record<string, number> }>(ended);
    expect(splits.train! + splits.validation! + splits.test!).toBe(40);
  });
});

describe('embeddings of texts', () => {
  const animals = ['cat', 'dog', 'owl', 'fox', 'bear', 'hen', 'duck', 'goat'];
  const cells = (row: number): string[] => [animals[row % 8]!, animals[(row >> 3) % 8]!];
  writeFileSync(
    join(folder, 'questions.csv'),
    `question,answer\n${Array.from({ length: 240 }, (_, row) => `what does the ${cells(row)[0]} eat ${row},the ${cells(row)[0]} eats ${row % 3}`).join('\n')}\n`,
  );
  writeFileSync(
    join(folder, 'alike.csv'),
    `text,pair,score\n${Array.from({ length: 240 }, (_, row) => {
      const [one, other] = cells(row);
      return `the ${one} ${row},a ${other} ${row % 3},${one === other ? 5 : row % 2}`;
    }).join('\n')}\n`,
  );
  const settings = '--arch bert-tiny --vocabulary-size 300 --max-length 16 --epochs 1 --pooling max';
  const predict = async (name: string, ...words: string[]) => {
    const ended = await lathe(folder, ['predict', name, ...words, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    return jsonOf<{ predictions: { embedding: number[]; similarity?: number }[] }>(ended).predictions;
  };

  it('find what belongs together, learned from pairs', async () => {
    const data = '--data questions.csv --task feature-extraction --text question --text-pair answer';
    const trained = await run(`train ${data} ${settings} --out search`);
    expect(trained.task).toBe('feature-extraction');
    expect(trained.metrics.accuracyAt10).toBeGreaterThanOrEqual(trained.metrics.accuracyAt1!);
    expect((await run('evaluate search --data questions.csv --split test')).metrics).toEqual(trained.metrics);
    const read = (file: string) => JSON.parse(readFileSync(join(folder, 'search', file), 'utf8'));
    expect(read('lathe.json').pipeline.settings).toEqual({ pooling: 'max', normalize: true });
    expect(read('1_Pooling/config.json')).toMatchObject({
      word_embedding_dimension: 128,
      pooling_mode_max_tokens: true,
    });
    expect(read('modules.json')).toHaveLength(3);
    const [one, other] = await predict('search', 'the cat', 'a dog');
    const length = ({ embedding }: { embedding: number[] }) => Math.hypot(...embedding);
    expect([length(one!), length(other!), one!.similarity]).toEqual([
      expect.closeTo(1, 6),
      expect.closeTo(1, 6),
      undefined,
    ]);
    const [pair] = await predict('search', 'the cat', '--text-pair', 'a dog');
    const product = one!.embedding.reduce((sum, value, at) => sum + value * other!.embedding[at]!, 0);
    expect(pair!.similarity).toBeCloseTo(product, 6);
  });

  it('say how alike two texts are, learned from pairs with a number', async () => {
    const begun = '--model search --max-length 16 --epochs 1';
    const trained = await run(`train --data alike.csv --task sentence-similarity ${begun} --out alike`);
    // Pooled as the model that it began with.
    const manifest = JSON.parse(readFileSync(join(folder, 'alike', 'lathe.json'), 'utf8'));
    expect(manifest.pipeline.settings.pooling).toBe('max');
    expect(Object.keys(trained.metrics)).toEqual(['spearman', 'pearson']);
    expect((await run('evaluate alike --data alike.csv --split test')).metrics).toEqual(trained.metrics);
    expect((await predict('alike', 'the cat', '--text-pair', 'the cat'))[0]!.similarity).toBeCloseTo(1, 9);
  });

  it('have no head that could be trained alone', async () => {
    const ended = await lathe(
      folder,
      'train --data alike.csv --task sentence-similarity --model search --max-length 16 --freeze-backbone --out x'.split(
        ' ',
      ),
    );
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(/sentence-similarity has no head to train/)]);
  });

  it('are not pooled for tasks that have none', async () => {
    const ended = await lathe(folder, 'train --data pairs.csv --pooling cls --text first --out x'.split(' '));
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(/text-classification has no embeddings/)]);
  });
});

describe('masked words', () => {
  const lines = [
    'the cat sat on the mat',
    'a dog ran in the park',
    'rain falls on the street',
    'we eat bread and cheese',
  ];
  const rows = Array.from({ length: 160 }, (_, row) => `${lines[row % 4]} ${lines[(row >> 2) % 4]} ${fillers(row)}`);
  writeFileSync(join(folder, 'words.txt.csv'), `text\n${rows.join('\n')}\n`);
  writeFileSync(
    join(folder, 'animals.csv'),
    `text,label\n${rows.map((text) => `${text},${text.startsWith('the') || text.startsWith('a dog') ? 'animal' : 'other'}`).join('\n')}\n`,
  );

  it('are learned without labels, measured and found', async () => {
    const args =
      'train --task fill-mask --data words.txt.csv --arch bert-tiny --vocabulary-size 300 --max-length 24 --epochs 1 --whole-words --out words';
    const trained = await run(args);
    expect(trained.task).toBe('fill-mask');
    expect(trained.metrics.perplexity).toBeGreaterThan(1);
    const config = JSON.parse(readFileSync(join(folder, 'words', 'config.json'), 'utf8'));
    expect([config.architectures, config.id2label]).toEqual([['BertForMaskedLM'], undefined]);
    const measured = await run('evaluate words --data words.txt.csv');
    expect(measured.metrics.masks).toBeGreaterThan(160);
    const ended = await lathe(folder, ['predict', 'words', 'the cat [MASK] on the mat', '--json']);
    const [answer] = jsonOf<{ predictions: { text: string; masks: { token: string }[][] }[] }>(ended).predictions;
    expect(answer!.masks).toHaveLength(1);
    expect(answer!.text).toBe(`the cat ${answer!.masks[0]![0]!.token} on the mat`);
  });

  it('are where a classifier begins: encoder and tokenizer stay, the head is new', async () => {
    const args =
      'train --data animals.csv --model words --epochs 1 --max-length 24 --no-baseline --freeze bert.e* --out animals';
    const ended = await lathe(folder, [...args.split(' '), '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/begins with words; new: bert\.pooler\.dense, classifier/);
    const text = (name: string, file: string): string => readFileSync(join(folder, name, file), 'utf8');
    expect(text('animals', 'tokenizer.json')).toBe(text('words', 'tokenizer.json'));
    const config = JSON.parse(text('animals', 'config.json'));
    expect(config.architectures).toEqual(['BertForSequenceClassification']);
    expect(config.id2label).toEqual({ 0: 'animal', 1: 'other' });
    const [before, after] = await Promise.all(
      ['words', 'animals'].map(
        async (name) => (await readModel(join(folder, name, 'onnx', 'model.onnx'))).graph.initializers,
      ),
    );
    const frozen = 'bert.encoder.layer.1.output.dense.weight';
    expect(numbersOf(tensorOf(after!.get(frozen)!))).toEqual(numbersOf(tensorOf(before!.get(frozen)!)));
    const { lineage } = JSON.parse(text('animals', 'lathe.json'));
    expect(lineage.settings).toMatchObject({ model: 'words' });
  });

  it('are features for a head that is trained alone', async () => {
    const args =
      'train --data animals.csv --model words --freeze-backbone --epochs 2 --max-length 24 --no-baseline --out quick';
    const ended = await lathe(folder, args.split(' '));
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringMatching(/features by words: 1\d\d examples/)]);
    const [before, after] = await Promise.all(
      ['words', 'quick'].map(
        async (name) => (await readModel(join(folder, name, 'onnx', 'model.onnx'))).graph.initializers,
      ),
    );
    for (const [name, value] of before!) {
      if (!name.startsWith('bert.')) continue;
      expect(numbersOf(tensorOf(after!.get(name)!)), name).toEqual(numbersOf(tensorOf(value)));
    }
  });

  it('have adapters beside all weights that are larger than these', async () => {
    const args = 'train --data animals.csv --model words --lora rank=2 --epochs 1 --max-length 24 --no-baseline';
    await run(`${args} --out adapted`);
  });

  it('cannot be the start from a linear model', async () => {
    const ended = await lathe(folder, 'train --data animals.csv --model grades --out x'.split(' '));
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/"grades" is a linear model/)]);
  });
});
