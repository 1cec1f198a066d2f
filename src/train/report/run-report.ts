import { type Html, html, htmlPage, trusted } from '../../base/index.ts';
import type { TaskReport } from '../../metrics/index.ts';
import { bytes, count, duration, metricName, percent, score } from './format.ts';
import { PAGE_STYLES } from './page-styles.ts';
import { inlineSvg, type Plot, type PlotTable } from './plots/index.ts';
import { plotsOfRun, type RunPlots } from './plots-of-run.ts';
import type { DataFacts, RunReportData, Speed } from './run-report-data.ts';
import { isClassification, verdict } from './verdict.ts';

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/**
 * The report of a run as one HTML file: no script, nothing fetched, light and dark, every plot with its numbers in a
 * table. Text from data and settings is escaped.
 */
export function renderRunReport(data: RunReportData): string {
  const plots = plotsOfRun(data);
  const sections = [
    quality(data, plots),
    mistakes(data),
    training(data, plots),
    dataSection(data.data, plots),
    settings(data),
    reproduce(data),
    next(data),
  ].filter((section) => section !== undefined);
  return htmlPage({
    title: `${data.title} – run report`,
    styles: PAGE_STYLES,
    body: html`<div class="wrap">
<header class="run">
<p>Run report</p>
<h1>${data.title}</h1>
<p>${data.model}, ${data.task.replaceAll('-', ' ')}, finished <time datetime="${data.finishedAt}">${readableTime(data.finishedAt)}</time></p>
<nav aria-label="Sections"><ul>${sections.map((one) => html`<li><a href="#${one.id}">${one.title}</a></li>`)}</ul></nav>
</header>
<main>
${summary(data, plots)}
${sections.map((one) => html`<section id="${one.id}" aria-labelledby="${one.id}-title">\n<h2 id="${one.id}-title">${one.title}</h2>\n${one.body}\n</section>\n`)}
</main>
<footer>Written by Lathe${data.environment?.lathe !== undefined && ` ${data.environment.lathe}`}. This file stands alone: it runs no script and loads nothing.</footer>
</div>`,
  });
}

const OUTCOMES = {
  better: 'Better than the baseline',
  same: 'No better than the baseline',
  worse: 'Worse than the baseline',
  alone: 'No baseline',
  untested: 'Not tested against the baseline',
} as const;

function summary(data: RunReportData, plots: RunPlots): Html {
  const { outcome, headline, sentences } = verdict(data);
  const { report } = data.evaluation;
  const notes = [...(data.notes ?? []), ...report.warnings];
  return html`<section aria-label="Verdict">
<div class="card verdict">
<div><span class="pill ${outcome}">${OUTCOMES[outcome]}</span>
<h2>${headline}</h2>
${sentences.map((sentence) => html`<p>${sentence}</p>\n`)}</div>
${
  plots.comparison !== undefined &&
  html`<div><p class="mini-title">${plots.comparison.title}${report.confidence !== undefined && `, with ${Number((100 * report.confidence).toFixed(1))} % intervals`}</p>${inlineSvg(plots.comparison)}</div>`
}
</div>
${numbers(report)}
${notes.length > 0 && html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
</section>`;
}

function numbers(report: TaskReport): Html {
  const intervals: Readonly<Record<string, { readonly low: number; readonly high: number }>> = report.intervals ?? {};
  return html`<dl class="numbers">${Object.entries(report.metrics).map(([name, value]) => {
    const interval = intervals[name];
    return html`<div><dt title="${report.signatures[name] ?? ''}">${metricName(name)}</dt><dd>${score(value)}${interval !== undefined && html`<small>${score(interval.low)} to ${score(interval.high)}</small>`}</dd></div>`;
  })}</dl>`;
}

function quality(data: RunReportData, plots: RunPlots): Section {
  const { report } = data.evaluation;
  return {
    id: 'quality',
    title: 'Quality',
    body: html`<div class="grid">${figures(plots, [
      'confusion',
      'confusion-normalized',
      'precision-recall',
      'roc',
      'f1-threshold',
      'calibration',
      'scores',
      'residuals',
    ])}${report.perClass !== undefined && perClass(report, report.perClass)}</div>
<details><summary>How each number is computed</summary>${table({
      columns: ['Metric', 'Signature'],
      rows: Object.entries(report.signatures).map(([name, signature]) => [metricName(name), signature]),
    })}</details>`,
  };
}

function perClass(report: TaskReport, scores: NonNullable<TaskReport['perClass']>): Html {
  const classes = Object.entries(scores);
  const averages = isClassification(report) ? Object.entries(report.averages) : [];
  const row = (name: string, of: { precision: number; recall: number; f1: number }, support: string): Html =>
    html`<tr><th scope="row">${name}</th>${[of.precision, of.recall].map((value) => html`<td class="right">${score(value)}</td>`)}<td class="right"><span class="meter" aria-hidden="true"><i style="width:${(100 * of.f1).toFixed(0)}%"></i></span>${score(of.f1)}</td><td class="right">${support}</td></tr>`;
  return html`<div class="${classes.length > 6 ? 'card wide' : 'card'}"><h3>By class</h3><div class="scroll" tabindex="0" role="region" aria-label="Scores by class"><table>
<thead><tr><th scope="col">Label</th><th scope="col" class="right">Precision</th><th scope="col" class="right">Recall</th><th scope="col" class="right">F1</th><th scope="col" class="right">Examples</th></tr></thead>
<tbody>${classes.map(([label, of]) => row(label, of, count(of.support)))}</tbody>
<tbody>${averages.map(([name, of]) => row(`${name} average`, of, ''))}</tbody>
</table></div></div>`;
}

function mistakes(data: RunReportData): Section | undefined {
  if (data.mistakes === undefined) return undefined;
  const { noun = 'examples' } = data.evaluation;
  return {
    id: 'mistakes',
    title: 'Worst mistakes',
    body:
      data.mistakes.length === 0
        ? html`<p>No wrong predictions among the ${noun} of this split.</p>`
        : html`<div class="card mistakes"><table>
<thead><tr><th scope="col">${data.mistakes.some(({ picture }) => picture !== undefined) ? 'Image' : 'Text'}</th><th scope="col">Truth</th><th scope="col">Predicted</th><th scope="col" class="right">Score</th></tr></thead>
<tbody>${data.mistakes.map(
            (one) =>
              html`<tr><td class="text">${one.picture !== undefined && html`<img src="${one.picture}" alt="">`}${one.text === '' ? html`<em>empty</em>` : one.text}</td><td data-name="truth">${one.truth}</td><td data-name="predicted" class="wrong">${one.prediction}</td><td class="right">${score(one.score)}</td></tr>\n`,
          )}</tbody>
</table></div>`,
  };
}

function training(data: RunReportData, plots: RunPlots): Section | undefined {
  const shown = figures(plots, ['loss', 'metrics', 'learning-rate']);
  const cost = speedAndSize(data);
  if (shown.length === 0 && cost === undefined) return undefined;
  return { id: 'training', title: 'Training', body: html`<div class="grid">${shown}${cost}</div>` };
}

function dataSection(facts: DataFacts | undefined, plots: RunPlots): Section | undefined {
  if (facts === undefined) return undefined;
  const dropped = facts.dropped ?? [];
  const total = dropped.reduce((sum, one) => sum + one.rows, 0);
  return {
    id: 'data',
    title: 'Data',
    body: html`<div class="grid"><div class="card">${factTable([
      ['Source', facts.source],
      ...facts.splits.map((split): Fact => [`${capital(split.name)} examples`, count(split.examples)]),
      ['Rows dropped', facts.dropped === undefined ? undefined : count(total)],
      ...dropped.map((one): Fact => [`– ${one.reason}`, count(one.rows)]),
      ['Tokens that were padding', facts.paddingShare === undefined ? undefined : percent(facts.paddingShare)],
      [
        'Texts cut to the maximum length',
        facts.truncatedShare === undefined ? undefined : percent(facts.truncatedShare),
      ],
      ['Content hash', facts.hash === undefined ? undefined : html`<code>${facts.hash}</code>`],
    ])}</div>${figures(plots, ['labels'])}</div>`,
  };
}

function speedAndSize(data: RunReportData): Html | undefined {
  const { speed: measured, size, baseline } = data;
  if (measured === undefined && size === undefined) return undefined;
  const of = (name: keyof Speed, format: (value: number) => string): string | undefined =>
    measured?.[name] === undefined ? undefined : format(measured[name]);
  return html`<div class="card"><h3>Speed and size</h3>${factTable([
    ['Training took', of('trainingSeconds', duration)],
    ['Training examples per second', of('examplesPerSecond', count)],
    ['Training tokens per second', of('tokensPerSecond', count)],
    ['Peak memory', of('peakMemoryBytes', bytes)],
    ['Predictions per second', of('predictionsPerSecond', count)],
    ['Parameters', size === undefined ? undefined : count(size.parameters)],
    ['Model file', size === undefined ? undefined : bytes(size.bytes)],
    ['Baseline model file', baseline?.size === undefined ? undefined : bytes(baseline.size.bytes)],
    [
      'Baseline predictions per second',
      baseline?.examplesPerSecond === undefined ? undefined : count(baseline.examplesPerSecond),
    ],
  ])}</div>`;
}

function settings(data: RunReportData): Section | undefined {
  const chosen = Object.entries(flattened(data.settings ?? {}));
  const environment = Object.entries(data.environment ?? {});
  if (chosen.length + environment.length === 0) return undefined;
  return {
    id: 'settings',
    title: 'Settings and environment',
    body: html`<div class="grid">${chosen.length > 0 && html`<div class="card"><h3>Settings</h3>${factTable(chosen)}</div>`}${environment.length > 0 && html`<div class="card"><h3>Environment</h3>${factTable(environment)}</div>`}</div>`,
  };
}

function reproduce(data: RunReportData): Section | undefined {
  if (data.command === undefined) return undefined;
  return {
    id: 'reproduce',
    title: 'Reproduce',
    body: html`<div class="card">${command(data.command)}</div>`,
  };
}

function next(data: RunReportData): Section | undefined {
  const steps = data.nextSteps ?? [];
  if (steps.length === 0) return undefined;
  return {
    id: 'next',
    title: 'Next steps',
    body: html`<div class="card"><ol class="next">${steps.map((step) => html`<li>${step.text}${step.command !== undefined && command(step.command)}</li>`)}</ol></div>`,
  };
}

function command(text: string): Html {
  return html`<pre><code>${text}</code></pre>`;
}

function figures(plots: RunPlots, names: readonly (keyof RunPlots)[]): Html[] {
  return names.flatMap((name) => {
    const plot = plots[name];
    return plot === undefined ? [] : [figure(name, plot)];
  });
}

function figure(name: string, plot: Plot): Html {
  return html`<figure id="plot-${name}" class="${plot.width > 500 ? 'wide' : 'half'}"><figcaption>${plot.title}</figcaption>${plot.width > 500 ? html`<div class="scroll" tabindex="0" role="region" aria-label="${plot.title}">${inlineSvg(plot)}</div>` : inlineSvg(plot)}${
    plot.table !== undefined && html`<details><summary>Show as a table</summary>${table(plot.table)}</details>`
  }</figure>\n`;
}

function table({ columns, rows }: PlotTable): Html {
  const right = columns.map((_, column) => column > 0 && rows.every((row) => typeof row[column] === 'number'));
  const cls = (column: number): Html => trusted(right[column] === true ? ' class="right"' : '');
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${columns.map((name, column) => html`<th scope="col"${cls(column)}>${name}</th>`)}</tr></thead><tbody>${rows.map(
    (row) => html`<tr>${row.map((cell, column) => html`<td${cls(column)}>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

type Fact = readonly [name: string, value: string | Html | undefined];

function factTable(facts: readonly Fact[]): Html {
  return html`<table class="facts"><tbody>${facts.map(
    ([name, value]) => value !== undefined && html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table>`;
}

/** `{ optimizer: { name: 'adamw' } }` → `{ 'optimizer.name': 'adamw' }`. */
function flattened(record: Readonly<Record<string, unknown>>, prefix = ''): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(record)) {
    if (value === undefined) continue;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      Object.assign(out, flattened(value as Readonly<Record<string, unknown>>, `${prefix}${key}.`));
    } else out[`${prefix}${key}`] = typeof value === 'string' ? value : String(JSON.stringify(value));
  }
  return out;
}

function readableTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  return `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })}, ${at.toISOString().slice(11, 16)} UTC`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
