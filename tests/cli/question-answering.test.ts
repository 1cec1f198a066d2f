import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerOf, jsonOf, lathe, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();

interface Result {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
}
interface Answer {
  readonly answer: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
}

const run = <T = Result>(words: string): Promise<T> => answerOf<T>(folder, words.split(' '));

const PEOPLE = ['Anna Berg', 'Juan', 'Mei Lin Wu', 'Oskar Novak', 'Priya', 'Tom'];
const PLACES = ['Paris', 'New York', 'Rio de Janeiro', 'Oslo', 'Cairo'];
const ASIDES = ['it rained for days', 'nobody said a word', 'the news came late', 'the road was long'];

/** A text with a person, a place, or only one of them, and the questions that both can be asked for. */
function paragraph(row: number) {
  const person = row % 4 === 3 ? undefined : PEOPLE[(row * 7) % PEOPLE.length]!;
  const place = row % 4 === 2 ? undefined : PLACES[(row * 3) % PLACES.length]!;
  const context = [
    row % 3 === 0 ? '😀' : 'then',
    `${ASIDES[row % 4]} .`,
    person === undefined ? 'no one came .' : `${person} came .`,
    place === undefined ? 'it was far away .' : `it was in ${place} .`,
    `entry ${row} w${row * 13} .`,
  ].join(' ');
  return { context, asked: { who: person, where: place } };
}

const ROWS = Array.from({ length: 200 }, (_, row) => paragraph(row));
const questions = ROWS.flatMap(({ context, asked }) =>
  (['who', 'where'] as const).map((word) => ({
    question: word === 'who' ? 'who came ?' : 'where was it ?',
    context,
    answer: asked[word],
  })),
);
const TRAINING =
  '--arch bert-tiny --vocabulary-size 300 --max-length 48 --cased --epochs 6 --patience 0 --batch-size 16 --learning-rate 2e-3';

describe("questions in SQuAD's layout", () => {
  // Places as Python counts them: in code points.
  const codePoints = (context: string, answer: string) => Array.from(context.slice(0, context.indexOf(answer))).length;
  const data = ROWS.map(({ context, asked }, row) => ({
    title: `article ${row}`,
    paragraphs: [
      {
        context,
        qas: (['who', 'where'] as const).map((word) => {
          const answer = asked[word];
          return {
            id: `${row}-${word}`,
            question: word === 'who' ? 'who came ?' : 'where was it ?',
            is_impossible: answer === undefined,
            answers: answer === undefined ? [] : [{ text: answer, answer_start: codePoints(context, answer) }],
          };
        }),
      },
    ],
  }));
  writeFileSync(join(folder, 'squad.json'), JSON.stringify({ version: 'v2.0', data }));
  let trained: Result;

  it('are prepared, no text on two sides of a split', async () => {
    await run('data prepare squad.json --target answers --out squad');
    const facts = JSON.parse(readFileSync(join(folder, 'squad', 'dataset.json'), 'utf8'));
    expect([facts.target, facts.labels, facts.rows.kept]).toEqual(['answers', [], 400]);
    expect(facts.columns).toMatchObject({ text: 'question', textPair: 'context', label: 'answers', group: 'context' });
    const contexts = ['train', 'validation', 'test'].map(
      (split) =>
        new Set(
          readFileSync(join(folder, 'squad', `${split}.jsonl`), 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line).context as string),
        ),
    );
    expect(contexts.reduce((sum, { size }) => sum + size, 0)).toBe(200);
  });

  it('are learned', { timeout: 180_000 }, async () => {
    trained = await run(`train --data squad --out reader ${TRAINING}`);
    expect(trained.task).toBe('question-answering');
    expect(Object.keys(trained.metrics)).toEqual([
      ...['exactMatch', 'f1', 'answeredExactMatch', 'answeredF1', 'noAnswerAccuracy'],
    ]);
    expect(trained.metrics.f1).toBeGreaterThan(0.9);
    const manifest = JSON.parse(readFileSync(join(folder, 'reader', 'lathe.json'), 'utf8'));
    expect(manifest.pipeline.settings).toMatchObject({ mayDecline: true, threshold: 0, maxAnswerTokens: 30 });
    expect(manifest.signature.outputs.map(({ name }: { name: string }) => name)).toEqual([
      'start_logits',
      'end_logits',
    ]);
    const report = readFileSync(join(folder, 'runs', 'reader', 'report.html'), 'utf8');
    expect(report).toContain('answer_f1|rules:squad2');
  });

  it('are measured', { timeout: 180_000 }, async () => {
    expect((await run('evaluate reader --data squad')).metrics).toEqual(trained.metrics);
    expect((await run('evaluate reader --data squad.json')).examples).toBe(400);
  });

  it('are answered, with the place of the answer', { timeout: 180_000 }, async () => {
    const text = '😀 nobody said a word . Anna Berg came . it was in Rio de Janeiro . entry 7 w91 .';
    const ask = async (context: string) => {
      const given = ['who came ?', 'where was it ?', '--text-pair', context, '--text-pair', context, '--json'];
      const ended = await lathe(folder, ['predict', 'reader', ...given]);
      return jsonOf<{ predictions: (Answer & { candidates: Answer[] })[] }>(ended).predictions;
    };
    const [who, where] = await ask(text);
    expect([who!.answer, where!.answer]).toEqual(['Anna Berg', 'Rio de Janeiro']);
    expect(text.slice(where!.start, where!.end)).toBe('Rio de Janeiro');
    // Several windows; "no answer" is a candidate of its own.
    const long = `${text} `.repeat(8);
    const { candidates } = (await ask(long))[0]!;
    for (const { answer, start, end } of candidates) expect(long.slice(start, end)).toBe(answer);
    expect(candidates.length).toBe(20 + 1);
    const nobody = 'then nobody said a word . no one came . it was in Oslo . entry 203 w2639 .';
    const none = await lathe(folder, ['predict', 'reader', 'who came ?', '--text-pair', nobody]);
    expect(none.stdout).toMatch(/^–\t0\.\d{4}\n$/);
    const alone = await lathe(folder, ['predict', 'reader', 'who came ?']);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringMatching(/1 texts and 0 second texts/)]);
  });
});

describe('questions in flat columns', () => {
  it('have a place for their answer, or where the text has it first', async () => {
    const quoted = (text: string) => `"${text}"`;
    const rows = questions.slice(0, 60).map(({ question, context, answer }, row) => {
      const start = answer === undefined || row % 2 === 0 ? '' : context.indexOf(answer);
      return [quoted(question), quoted(context), quoted(answer ?? ''), start].join(',');
    });
    rows.push('"who came ?","nobody came","Tom",0');
    writeFileSync(join(folder, 'flat.csv'), `question,context,answer,start\n${rows.join('\n')}\n`);
    await run('data prepare flat.csv --target answers --label answer --out flat');
    const [first] = readFileSync(join(folder, 'flat', 'train.jsonl'), 'utf8').split('\n');
    const { context, answer } = JSON.parse(first!);
    for (const [at, text] of answer.text.entries()) {
      expect(context.slice(answer.answer_start[at], answer.answer_start[at] + text.length)).toBe(text);
    }
    const facts = JSON.parse(readFileSync(join(folder, 'flat', 'dataset.json'), 'utf8'));
    expect(facts.rows).toMatchObject({ unusable: 1, kept: 60 });
    expect(await run('train --data flat --out x --dry-run')).toMatchObject({ task: 'question-answering' });
  });
});
