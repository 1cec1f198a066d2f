import { type Html, type HtmlValue, html, htmlPage } from '../../base/index.ts';
import { formatLocation } from '../collect.ts';
import type { StepEffect } from '../dataset.ts';
import { SPLITS } from '../split.ts';
import { type DataReport, percent } from './data-report.ts';
import type { Distribution } from './distribution.ts';
import { format, histogram } from './histogram.ts';
import { STYLES } from './styles.ts';

/** The report as a page that stands alone: no scripts, nothing fetched, light and dark, readable on a phone. */
export function renderDataReport(
  report: DataReport,
  title: string,
  thumbnails: ReadonlyMap<string, string> = new Map(),
): string {
  return htmlPage({
    title: `Data: ${title}`,
    styles: STYLES,
    body: html`<main>
${header(report, title)}
${leaks(report)}
${labels(report)}
${lengths(report)}
${images(report, thumbnails)}
${cleaning(report)}
${columns(report)}
${unusable(report)}
</main>`,
  });
}

const VERDICTS: Readonly<Record<DataReport['verdict'], (warnings: number) => string>> = {
  ready: () => 'Ready to train on',
  warnings: (count) => `Ready, with ${count === 1 ? 'one warning' : `${count} warnings`}`,
  leak: () => 'Leaks: a test on this data would flatter',
};

function header(report: DataReport, title: string): Html {
  const { rows, splits, findings, verdict } = report;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  return html`<header>
<p class="kind">Data report</p>
<h1>${title}</h1>
<p class="verdict ${verdict}">${VERDICTS[verdict](warnings)}</p>
<dl class="figures">
${figure('rows kept', rows.kept, `of ${format(rows.read)} read`)}
${SPLITS.map((split) => figure(split, splits[split], percent(splits[split] / Math.max(1, rows.kept))))}
${figure('dropped', rows.dropped, 'by cleaning')}
${figure('unusable', rows.unusable, 'broken or empty')}
</dl>
${findings.length > 0 && html`<ul class="findings">${findings.map(({ level, message }) => html`<li class="${level}"><b>${level}</b> <span>${message}</span></li>`)}</ul>`}
</header>`;
}

function figure(name: string, value: number, beside: string): Html {
  return html`<div><dt>${name}</dt><dd>${format(value)} <small>${beside}</small></dd></div>`;
}

function leaks({ leaks: { examples, exact, near, group } }: DataReport): HtmlValue {
  if (examples.length === 0) return undefined;
  const rows = examples.map(({ kind, at, split, other, otherSplit, similarity, excerpt }) => [
    kind,
    html`<code>${at}</code><br>${split}`,
    html`<code>${other}</code><br>${otherSplit}`,
    percent(similarity),
    excerpt,
  ]);
  return section(
    'Leaks',
    `${format(exact + near + group)} rows are on both sides of a split. The first ${examples.length}:`,
    table(['kind', 'row', 'repeats', 'alike', 'text'], [3], rows),
  );
}

function labels(report: DataReport): HtmlValue {
  const { labels: all, splits, rows } = report;
  if (all.length === 0) return undefined;
  const most = Math.max(...all.map(({ total }) => total));
  const shown = all
    .slice(0, 100)
    .map(({ label, rows: counts, total }) => [
      html`${label}${bar(total / most)}`,
      ...SPLITS.flatMap((split) => [
        format(counts[split]),
        splits[split] === 0 ? '–' : percent(counts[split] / splits[split]),
      ]),
      format(total),
      percent(total / rows.kept),
    ]);
  const head = ['label', ...SPLITS.flatMap((split) => [split, '%']), 'all', '%'];
  return section(
    'Labels and splits',
    `A label's share of a split differs by at most ${percent(report.largestShareDifference)} from its share of all rows.`,
    table(head, [1, 2, 3, 4, 5, 6, 7, 8], shown),
    all.length > 100 && html`<p>… and ${all.length - 100} more labels.</p>`,
  );
}

function images({ images: shown }: DataReport, thumbnails: ReadonlyMap<string, string>): HtmlValue {
  if (shown === undefined) return undefined;
  const { width, height, examples } = shown;
  const facts = (name: string, { min, median, mean, p95, max }: Distribution): string[] => [
    name,
    ...[min, median, mean, p95, max].map(format),
  ];
  const picture = (file: string): HtmlValue => {
    const source = thumbnails.get(file);
    return source !== undefined && html`<img src="${source}" alt="${file}" title="${file}">`;
  };
  return section(
    'Images',
    undefined,
    html`<div class="pair"><figure><figcaption>Width in pixels</figcaption>${histogram(width, 'pixels of width')}</figure>
<figure><figcaption>Height in pixels</figcaption>${histogram(height, 'pixels of height')}</figure></div>`,
    table(
      ['', 'smallest', 'median', 'mean', '95 % below', 'largest'],
      [1, 2, 3, 4, 5],
      [facts('width', width), facts('height', height)],
    ),
    thumbnails.size > 0 &&
      examples.map(({ label, files }) => html`<h3>${label}</h3><div class="pictures">${files.map(picture)}</div>`),
  );
}

function lengths({ lengths: shown }: DataReport): HtmlValue {
  if (shown === undefined) return undefined;
  const { characters, words, truncated, tokensAreCounted } = shown;
  const facts = (name: string, { min, median, mean, p95, max }: typeof words): HtmlValue[] => [
    name,
    ...[min, median, mean, p95, max].map(format),
  ];
  return section(
    'Lengths',
    undefined,
    html`<div class="pair"><figure><figcaption>Words a row</figcaption>${histogram(words, 'words')}</figure>
<figure><figcaption>Characters a row</figcaption>${histogram(characters, 'characters')}</figure></div>`,
    table(
      ['', 'shortest', 'median', 'mean', '95 % below', 'longest'],
      [1, 2, 3, 4, 5],
      [facts('words', words), facts('characters', characters)],
    ),
    html`<h3>Texts that training cuts</h3>`,
    table(
      ['at most', 'texts cut', ''],
      [1],
      truncated.map(({ maxLength, share }) => [`${maxLength} tokens`, percent(share), bar(share)]),
    ),
    !tokensAreCounted && html`<p class="aside">Tokens are estimated as 1.3 a word.</p>`,
  );
}

function cleaning({ cleaning: steps, duplicates, rows }: DataReport): Html {
  const kept = [
    duplicates.exactKept > 0 && `${format(duplicates.exactKept)} repeated rows`,
    duplicates.nearKept > 0 && `${format(duplicates.nearKept)} nearly repeated rows`,
  ].filter((text): text is string => text !== false);
  return section(
    'Cleaning',
    steps.length === 0
      ? 'No step was asked for.'
      : `In this order, from ${format(rows.read)} rows to ${format(rows.kept)}.`,
    steps.length > 0 &&
      table(
        ['step', 'rows in', 'changed', 'dropped', 'grouped'],
        [1, 2, 3, 4],
        steps.map((effect) => [
          stepName(effect),
          format(effect.rowsIn),
          format(effect.changed),
          format(effect.dropped),
          format(effect.grouped),
        ]),
      ),
    kept.length > 0 && html`<p>Kept on one side of every split: ${kept.join(' and ')}.</p>`,
    steps.filter(({ examples }) => examples.length > 0).map(stepExamples),
  );
}

function stepName({ step: { step, ...settings } }: StepEffect): Html {
  const text = Object.entries(settings)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
  return html`${step}${text !== '' && html`<br><small>${text}</small>`}`;
}

function stepExamples({ step, examples }: StepEffect): Html {
  const items = examples.map(
    ({ at, what, before, after, other, similarity }) =>
      html`<li><code>${at}</code> ${what}${
        other !== undefined &&
        html`: ${what === 'conflict' ? 'another label than' : similarity === 1 ? 'same as' : `${percent(similarity ?? 0)} as`} <code>${other}</code>`
      }<br><q>${before}</q>${after !== undefined && html` <span class="arrow">→</span> <q>${after}</q>`}</li>`,
  );
  return html`<details><summary>Examples: ${step.step}</summary><ul class="examples">${items}</ul></details>`;
}

const COLUMN_FINDINGS = {
  constant: 'the same in every row',
  unique: 'differs in every row',
  'predicts-label': 'tells the label',
};

function columns({ columns: all, rows }: DataReport): HtmlValue {
  if (all.length === 0) return undefined;
  return section(
    'Other columns',
    'Kept beside the text and the label; no part of what a model reads.',
    table(
      ['column', 'type', 'missing', 'distinct', 'example', ''],
      [2, 3],
      all.map(({ name, type, missing, distinct, example, findings }) => [
        name,
        type,
        missing === 0 ? '–' : percent(missing / Math.max(1, rows.kept)),
        format(distinct),
        example,
        findings.map((finding) => html`<span class="tag ${finding}">${COLUMN_FINDINGS[finding]}</span> `),
      ]),
    ),
  );
}

function unusable({ unusable: { reasons, examples }, rows }: DataReport): HtmlValue {
  if (rows.unusable === 0) return undefined;
  return section(
    'Rows that could not be used',
    undefined,
    table(
      ['reason', 'rows'],
      [1],
      reasons.slice(0, 30).map(({ reason, rows: count }) => [reason, format(count)]),
    ),
    html`<details><summary>Where the first ${examples.length} stand</summary>${table(
      ['row', 'reason', 'beginning'],
      [],
      examples.map(({ file, line, reason, excerpt }) => [
        html`<code>${formatLocation({ file, line })}</code>`,
        reason,
        excerpt,
      ]),
    )}</details>`,
  );
}

function section(title: string, intro: string | undefined, ...content: HtmlValue[]): Html {
  return html`<section><h2>${title}</h2>${intro !== undefined && html`<p>${intro}</p>`}${content}</section>`;
}

/** A table whose columns in `numeric` stand at the right. */
function table(head: readonly string[], numeric: readonly number[], rows: readonly (readonly HtmlValue[])[]): Html {
  const align = (index: number): string => (numeric.includes(index) ? 'number' : 'text');
  return html`<div class="table"><table><thead><tr>${head.map((name, index) => html`<th scope="col" class="${align(index)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell, index) => html`<td class="${align(index)}">${cell}</td>`)}</tr>\n`)}</tbody></table></div>`;
}

function bar(share: number): Html {
  const width = Math.max(0, Math.min(100, share * 100));
  return html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="4"/><rect width="${Math.round(width * 10) / 10}" height="4"/></svg>`;
}
