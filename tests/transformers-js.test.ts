import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AutoModelForSequenceClassification, AutoTokenizer, env, pipeline } from '@huggingface/transformers';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeSafetensors } from '../src/base/index.ts';
import { tensorOf } from '../src/graph/index.ts';
import { fromConfig } from '../src/nn/index.ts';
import { openPipeline, type TaskName } from '../src/pipeline/index.ts';
import { lathe, temporaryFolder } from './cli/lathe.ts';

// Each trains a model, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

/** What transformers.js reads of a package is what is on disk: no network, and no cache of an earlier run. */
const folder = temporaryFolder();
const before = { ...env };
beforeAll(() => {
  Object.assign(env, { localModelPath: folder, allowRemoteModels: false, useFSCache: false, useBrowserCache: false });
});
afterAll(() => {
  Object.assign(env, before);
});

const ANIMALS = ['cat', 'dog', 'owl', 'fox'];
const OTHER = ['sat on the mat', 'ran in the park', 'sings at night', 'naps by day'];
const row = (at: number): string => `the ${ANIMALS[at % 4]} ${OTHER[(at >> 2) % 4]}, number ${at} of many`;
const rows = (columns: string, cells: (at: number) => string): string =>
  `${columns}\n${Array.from({ length: 96 }, (_, at) => cells(at)).join('\n')}\n`;
const classOf = (at: number): string => (at % 4 < 2 ? 'pet' : 'wild');

writeFileSync(
  join(folder, 'classes.csv'),
  rows('text,label', (at) => `"${row(at)}",${classOf(at)}`),
);
writeFileSync(
  join(folder, 'sets.csv'),
  rows('text,labels', (at) => `"${row(at)}",${classOf(at)}${(at >> 2) % 4 < 2 ? '' : '|quiet'}`),
);
writeFileSync(
  join(folder, 'pairs.csv'),
  rows('text,second,label', (at) => `"${row(at)}",a ${ANIMALS[(at * 7) % 4]} ${at},${at % 3 ? 'same' : 'other'}`),
);

const TAGS = ['O', 'B-ANIMAL', 'O', 'O', 'I-PLACE', 'I-PLACE'];
writeFileSync(
  join(folder, 'tags.jsonl'),
  Array.from({ length: 96 }, (_, at) => {
    const tokens = row(at).replace(/,.*/, '').split(' ');
    return `${JSON.stringify({ tokens: [...tokens, String(at)], tags: [...tokens.map((_, word) => TAGS[word] ?? 'O'), 'O'] })}\n`;
  }).join(''),
);

const contextOf = (at: number): string => `then the ${ANIMALS[at % 4]} ${OTHER[(at >> 2) % 4]} , item ${at} of many`;
writeFileSync(
  join(folder, 'squad.json'),
  JSON.stringify({
    version: 'v1.1',
    data: Array.from({ length: 64 }, (_, at) => {
      const answer = ANIMALS[at % 4]!;
      const context = contextOf(at);
      const answers = [{ text: answer, answer_start: context.indexOf(answer) }];
      return { title: '', paragraphs: [{ context, qas: [{ id: String(at), question: 'who was it ?', answers }] }] };
    }),
  }),
);

/** Texts with characters of several bytes, of unknown words, and of none. */
const TEXTS = ['The cat sat on the mat!', 'owls sing, at night …', 'Ünïcode 🦊 fox', 'the dog', ''];

const WORDPIECE = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
};
const BYTE_LEVEL = {
  pad_token: '<pad>',
  unk_token: '<unk>',
  cls_token: '<s>',
  sep_token: '</s>',
  mask_token: '<mask>',
};
const BERT = {
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 64,
  max_position_embeddings: 64,
};
const ROBERTA = { ...BERT, max_position_embeddings: 66, type_vocab_size: 1, pad_token_id: 1 };
const SIZES = {
  bert: { ...BERT, model_type: 'bert', architectures: ['BertForMaskedLM'] },
  roberta: { ...ROBERTA, model_type: 'roberta', architectures: ['RobertaForMaskedLM'] },
  'xlm-roberta': { ...ROBERTA, model_type: 'xlm-roberta', architectures: ['XLMRobertaForMaskedLM'] },
  distilbert: {
    model_type: 'distilbert',
    architectures: ['DistilBertForMaskedLM'],
    dim: 32,
    n_layers: 2,
    n_heads: 4,
    hidden_dim: 64,
    max_position_embeddings: 64,
  },
};
const TOKENIZERS = {
  wordpiece: (read: Read) => read('tokenizer.json'),
  'byte-level': (read: Read) => read('whole-byte-level.json').files.roberta,
  unigram: (read: Read) => read('whole-pieces.json').files['xlm-roberta'],
};
type Read = (file: string) => ReturnType<typeof JSON.parse>;
const idOf = ({ id }: { readonly id: number }): number => id;

/** The models that packages are made from: random ones, but far from all giving the same. */
const STARTS = {
  bert: { tokenizer: 'wordpiece', className: 'BertTokenizer' },
  roberta: { tokenizer: 'byte-level', className: 'RobertaTokenizer' },
  distilbert: { tokenizer: 'wordpiece', className: 'DistilBertTokenizer' },
  'xlm-roberta': { tokenizer: 'unigram', className: 'XLMRobertaTokenizer' },
} as const;

describe.each(Object.entries(STARTS))('transformers.js opens what %s became', (name, start) => {
  const mask = writeCheckpoint(name as keyof typeof STARTS, start);
  const trained = async (task: TaskName, args: string): Promise<string> => {
    const out = `${name}-${task}`;
    const settings = '--epochs 1 --learning-rate 1e-3 --max-length 60 --no-baseline --quiet';
    const ended = await lathe(folder, `train ${args} --model ${name} ${settings} --out ${out}`.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    return out;
  };
  const answers = async <Name extends TaskName>(
    out: string,
    task: Name,
    inputs: Parameters<Open<Name>['predict']>[0],
  ) => {
    const opened = await openPipeline(join(folder, out), { task });
    const given = await opened.predict(inputs);
    await opened.close();
    return given;
  };

  it('for one label', async () => {
    const out = await trained('text-classification', '--data classes.csv');
    const expected = await answers(out, 'text-classification', TEXTS);
    const classify = await pipeline('text-classification', out);
    const found = (await classify(TEXTS, { top_k: 2 })) as Scored[][];
    // No longer than the model reads: it has 64 places.
    expect(await classify(TEXTS.join(' ').repeat(20))).toHaveLength(1);
    await classify.dispose();
    expect(found.map((answer) => answer[0]!.label)).toEqual(expected.map(({ label }) => label));
    closeTo(
      found.map(byLabel),
      expected.map(({ scores }) => scores),
    );
  });

  // What is the same of all models is asked of one or two.
  it.runIf(name === 'bert')('for several labels', async () => {
    const out = await trained('multi-label-classification', '--data sets.csv --label labels --label-separator |');
    const expected = await answers(out, 'multi-label-classification', TEXTS);
    const classify = await pipeline('text-classification', out);
    const found = (await classify(TEXTS, { top_k: 3 })) as Scored[][];
    await classify.dispose();
    closeTo(
      found.map(byLabel),
      expected.map(({ scores }) => scores),
    );
  });

  it.runIf(name === 'bert' || name === 'roberta')(
    'for pairs of texts, which its pipeline does not take and its model does',
    async () => {
      const out = await trained('text-classification', '--data pairs.csv --text-pair second');
      // To transformers.js, an empty second text is none.
      const texts = TEXTS.filter((text) => text !== '');
      const pairs = texts.map((text, at) => ({ text, textPair: texts[(at + 1) % texts.length]! }));
      const expected = await answers(out, 'text-classification', pairs);
      const tokenizer = await AutoTokenizer.from_pretrained(out);
      const model = await AutoModelForSequenceClassification.from_pretrained(out);
      const inputs = tokenizer(
        pairs.map(({ text }) => text),
        { text_pair: pairs.map(({ textPair }) => textPair), padding: true, truncation: true },
      );
      const { logits } = (await model(inputs)) as { logits: { tolist(): number[][] } };
      await model.dispose();
      const labels = Object.keys(expected[0]!.scores);
      closeTo(
        logits.tolist().map((values) => {
          const total = values.reduce((sum, value) => sum + Math.exp(value), 0);
          return Object.fromEntries(labels.map((label, at) => [label, Math.exp(values[at]!) / total]));
        }),
        expected.map(({ scores }) => scores),
      );
    },
  );

  it('for the word behind a mask', async () => {
    const out = await trained('fill-mask', '--data classes.csv --task fill-mask');
    const texts = [`the ${mask} sat on the mat`, `the dog ran in the ${mask}, number 3`];
    const expected = await answers(out, 'fill-mask', texts);
    const fill = await pipeline('fill-mask', out);
    const found = (await fill(texts, { top_k: 5 })) as { score: number; token_str: string; sequence: string }[][];
    await fill.dispose();
    closeTo(
      found.map((words) => Object.fromEntries(words.map(({ token_str, score }) => [token_str.trim(), score]))),
      expected.map(({ masks }) => Object.fromEntries(masks[0]!.map(({ token, score }) => [token, score]))),
      0.005,
    );
    // Made of tokens there, and of the text here.
    if (mask === '[MASK]') expect(expected[0]!.text).toBe(found[0]![0]!.sequence);
  });

  it.runIf(name === 'bert' || name === 'roberta')('for the labels of tokens', async () => {
    const out = await trained('token-classification', '--data tags.jsonl --task token-classification');
    const texts = ['the cat sat on the mat', 'an owl ran by the park!'];
    const opened = await openPipeline(join(folder, out), { task: 'token-classification' });
    const { rows: expected } = await opened.read(texts);
    const { labels } = opened;
    await opened.close();
    const tag = await pipeline('token-classification', out);
    const found = (await tag(texts, { ignore_labels: [] })) as { index: number; entity: string; score: number }[][];
    await tag.dispose();
    for (const [text, tokens] of found.entries()) {
      // Lathe's are those of the text; the first of the whole is the model's own.
      expect(tokens).toHaveLength(expected[text]!.length / labels.length);
      const own = tokens.map(
        ({ index, entity }) => expected[text]![(index - 1) * labels.length + labels.indexOf(entity)]!,
      );
      closeTo(
        tokens.map(({ score }) => ({ score })),
        own.map((score) => ({ score })),
      );
    }
  });

  it.runIf(name === 'bert' || name === 'roberta')('for answers in a text', async () => {
    const out = await trained('question-answering', '--data squad.json --task question-answering');
    // Without numbers, which the vocabulary does not have: what transformers.js says is made of tokens.
    const contexts = [3, 17, 41].map((at) => contextOf(at).replace(/\d+ /, ''));
    const expected = await answers(
      out,
      'question-answering',
      contexts.map((textPair) => ({ text: 'who was it ?', textPair })),
    );
    const find = await pipeline('question-answering', out);
    for (const [at, context] of contexts.entries()) {
      const found = (await find('who was it ?', context, { top_k: 5 } as object)) as unknown as Answer[];
      const known = expected[at]!.candidates.filter(({ answer }) => answer !== '').slice(0, 5);
      const spelled = ({ answer }: Answer): string => answer.toLowerCase().replace(/[\s#]/g, '');
      expect(found.map(spelled)).toEqual(known.map(spelled));
      // Of the likeliest answers: their shares of one another. What else there might be is counted differently there.
      const shares = (all: readonly Answer[]): number[] => {
        const total = all.reduce((sum, { score }) => sum + score, 0);
        return all.map(({ score }) => score / total);
      };
      const own = shares(known);
      for (const [place, share] of shares(found).entries()) expect(Math.abs(share - own[place]!)).toBeLessThan(1e-4);
      expect(own[0]! - own[4]!).toBeGreaterThan(0.01);
    }
    await find.dispose();
  });

  it.runIf(name === 'bert' || name === 'roberta')('for embeddings', async () => {
    const out = await trained('feature-extraction', '--data classes.csv --task feature-extraction --text-pair label');
    const expected = await answers(out, 'feature-extraction', TEXTS);
    const extract = await pipeline('feature-extraction', out);
    const found = (await extract(TEXTS, { pooling: 'mean', normalize: true })).tolist() as number[][];
    await extract.dispose();
    const named = (values: readonly number[]) => Object.fromEntries(values.map((value, at) => [at, value]));
    closeTo(
      found.map(named),
      expected.map(({ embedding }) => named(embedding)),
    );
  });
});

describe('transformers.js opens a model of images', () => {
  it('of the size that it sees', async () => {
    for (const [label, colour] of Object.entries({ warm: [200, 90, 40], cold: [40, 90, 200] })) {
      mkdirSync(join(folder, 'images', label), { recursive: true });
      for (let image = 0; image < 24; image++) {
        // Not two are alike, and some are between the labels.
        const pixels = Uint8Array.from({ length: 16 * 16 * 3 }, (_, at) =>
          Math.min(255, colour[at % 3]! + ((at * (7 + image) + image * 31) % 90) - image),
        );
        const raw = { width: 16, height: 16, channels: 3 } as const;
        await sharp(pixels, { raw })
          .png()
          .toFile(join(folder, 'images', label, `${image}.png`));
      }
    }
    const settings = '--epochs 2 --batch-size 8 --threads 1 --quiet';
    const ended = await lathe(folder, `train --data images ${settings} --out image-model`.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    const files = ['warm/0.png', 'cold/5.png', 'warm/23.png'].map((file) => join(folder, 'images', file));
    const opened = await openPipeline(join(folder, 'image-model'), { task: 'image-classification' });
    const expected = await opened.predict(files.map((image) => ({ image })));
    await opened.close();
    const classify = await pipeline('image-classification', 'image-model');
    const found = (await classify(files, { top_k: 2 })) as unknown as Scored[][];
    await classify.dispose();
    closeTo(
      found.map(byLabel),
      expected.map(({ top }) => byLabel(top)),
    );
  });
});

type Open<Name extends TaskName> = Awaited<ReturnType<typeof openPipeline<Name>>>;

interface Answer {
  readonly answer: string;
  readonly score: number;
}

interface Scored {
  readonly label: string;
  readonly score: number;
}

function byLabel(answer: readonly Scored[]): Record<string, number> {
  return Object.fromEntries(answer.map(({ label, score }) => [label, score]));
}

/** The same names with scores that differ by 1e-4 at most, and scores that are not all alike. */
function closeTo(
  found: readonly Record<string, number>[],
  expected: readonly Record<string, number>[],
  spread = 0.05,
): void {
  expect(found.map((scores) => Object.keys(scores).sort())).toEqual(
    expected.map((scores) => Object.keys(scores).sort()),
  );
  const [name] = Object.keys(expected[0]!);
  const firsts = expected.map((scores) => scores[name!] ?? Object.values(scores)[0]!);
  expect(Math.max(...firsts) - Math.min(...firsts)).toBeGreaterThan(spread);
  for (const [at, scores] of expected.entries()) {
    for (const [name, score] of Object.entries(scores)) {
      expect(Math.abs(found[at]![name]! - score), `${at}: ${name}`).toBeLessThan(1e-4);
    }
  }
}

/** Writes a small random checkpoint with a tokenizer that the Python library made. Gives what hides a word. */
function writeCheckpoint(type: keyof typeof STARTS, { tokenizer, className }: (typeof STARTS)[typeof type]): string {
  const fixtures = new URL('../src/data/tokenizer/fixtures/', import.meta.url);
  const read = (file: string) => JSON.parse(readFileSync(new URL(file, fixtures), 'utf8'));
  const file = TOKENIZERS[tokenizer](read);
  const special = tokenizer === 'wordpiece' ? WORDPIECE : BYTE_LEVEL;
  const { vocab } = file.model;
  const ids: number[] = Array.isArray(vocab) ? [...vocab.keys()] : Object.values(vocab);
  const config = {
    ...SIZES[type],
    vocab_size: 1 + Math.max(...file.added_tokens.map(idOf), ...ids),
    initializer_range: 0.5,
  };
  const { initializers } = fromConfig(config, { head: 'masked-lm', seed: 1 }).graph;
  const weights = new Map(
    [...initializers].filter(([name]) => /\.(weight|bias)$/.test(name)).map(([name, value]) => [name, tensorOf(value)]),
  );
  mkdirSync(join(folder, type));
  const files = {
    'config.json': JSON.stringify(config),
    'tokenizer.json': JSON.stringify(file),
    'tokenizer_config.json': JSON.stringify({ tokenizer_class: className, model_max_length: 512, ...special }),
    'model.safetensors': Buffer.concat(encodeSafetensors(weights)),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, type, name), content);
  return special.mask_token;
}
