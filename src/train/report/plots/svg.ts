import { type Html, html, trusted } from '../../../base/index.ts';

/** A picture with its words: what it shows for people who see it, hear it, or want the numbers. */
export interface Plot {
  readonly title: string;
  /** One sentence for screen readers: what is drawn and what it comes to. */
  readonly description: string;
  /** The size of the drawing in its own units; a page scales it. */
  readonly width: number;
  readonly height: number;
  readonly marks: Html;
  /** The same numbers as a table. */
  readonly table?: PlotTable;
}

export interface PlotTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/**
 * The role that a line, bar or dot plays, which fixes its colour everywhere: `model` is what the run made (validation
 * and test), `train` what it learned from, `baseline` what it is compared with. `one` to `four` tell classes apart.
 */
export type Tone = 'model' | 'train' | 'baseline' | 'good' | 'bad' | 'muted' | 'one' | 'two' | 'three' | 'four';

/** Width of the charts that stand beside each other. Text is 12 units, readable when a telephone scales this down. */
export const CHART_WIDTH = 440;

/** The colours of plots, as custom properties; a page and a single picture both start from these. */
export const PLOT_COLORS = `
:root {
  --surface: #ffffff; --ink: #14181f; --muted: #586372; --grid: #e4e8ed; --axis: #aab3be;
  --model: #0a6c9a; --train: #67758a; --baseline: #a9540c; --good: #1a7848; --bad: #b3261e;
  --one: #0a6c9a; --two: #a62f78; --three: #6650b0; --four: #1a7848;
  --heat: #63b3d8; --heat-bad: #f09383;
}
@media (prefers-color-scheme: dark) {
  :root {
    --surface: #171b21; --ink: #e6eaef; --muted: #9ba6b3; --grid: #272e37; --axis: #56616e;
    --model: #56b7e2; --train: #8693a3; --baseline: #eda55e; --good: #63ca93; --bad: #ff8f80;
    --one: #56b7e2; --two: #f08cc4; --three: #b3a1f2; --four: #63ca93;
    --heat: #1f6f98; --heat-bad: #9f3d2f;
  }
}`;

const TONES: readonly Tone[] = ['model', 'train', 'baseline', 'good', 'bad', 'muted', 'one', 'two', 'three', 'four'];

/** How the marks of plots look; everything is under `svg.plot`. */
export const PLOT_STYLES = `
svg.plot { display: block; width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg.plot text { fill: var(--muted); font-variant-numeric: tabular-nums; }
svg.plot .title { fill: var(--ink); font-weight: 600; font-size: 14px; }
svg.plot .strong { fill: var(--ink); }
svg.plot .label { font-weight: 600; }
svg.plot .halo { paint-order: stroke; stroke: var(--surface); stroke-width: 4px; stroke-linejoin: round; }
svg.plot .grid { stroke: var(--grid); stroke-width: 1; }
svg.plot .axis { stroke: var(--axis); stroke-width: 1; }
svg.plot .guide { stroke: var(--axis); stroke-width: 1; stroke-dasharray: 3 3; fill: none; }
svg.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg.plot .thin { stroke-width: 1; }
svg.plot .faint { stroke-opacity: .35; stroke-width: 1; }
svg.plot .area { stroke: none; fill-opacity: .16; }
svg.plot .heat { fill: var(--heat); }
svg.plot .heat-bad { fill: var(--heat-bad); }
svg.plot .cell { stroke: var(--grid); stroke-width: 1; fill: none; }
${TONES.map((tone) => `svg.plot .stroke-${tone} { stroke: var(--${tone}); } svg.plot .fill-${tone}, svg.plot text.fill-${tone} { fill: var(--${tone}); }`).join('\n')}`;

/** The plot as part of a page that holds {@link PLOT_COLORS} and {@link PLOT_STYLES}. */
export function inlineSvg(plot: Plot): Html {
  return html`<svg class="plot" role="img" aria-label="${`${plot.title}. ${plot.description}`}" viewBox="0 0 ${number(plot.width)} ${number(plot.height)}">${plot.marks}</svg>`;
}

const HEADER = 34;
const SIDE = 8;

/** The plot as an .svg file of its own, with its title, colours and background. */
export function standaloneSvg(plot: Plot): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${
    html`<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" width="${number(plot.width + 2 * SIDE)}" height="${number(plot.height + HEADER + SIDE)}" viewBox="${-SIDE} ${-HEADER} ${number(plot.width + 2 * SIDE)} ${number(plot.height + HEADER + SIDE)}">
<title>${plot.title}</title>
<desc>${plot.description}</desc>
<style>${trusted(`${PLOT_COLORS}${PLOT_STYLES}\nsvg.plot { background: var(--surface); }`)}</style>
<text class="title" x="8" y="${-12}">${plot.title}</text>
${plot.marks}
</svg>
`.html
  }`;
}

/** A coordinate with at most two decimals, so that files stay small. */
export function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** About how wide text is, in the units of a plot: no font is at hand to measure with. */
export function textWidth(text: string, size = 12): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0)! > 0x2e80 ? 1 : (WIDTHS[character] ?? 0.56)) * size;
  return width;
}

const WIDTHS: Readonly<Record<string, number>> = Object.fromEntries(
  [..."ijl.,:;|!' "].map((character) => [character, 0.28]).concat([...'mwMW@%'].map((character) => [character, 0.86])),
);

/** Text cut to a width, with an ellipsis. */
export function fitText(text: string, width: number, size = 12): string {
  if (textWidth(text, size) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (textWidth(`${kept}${character}…`, size) > width) break;
    kept += character;
  }
  return `${kept}…`;
}
