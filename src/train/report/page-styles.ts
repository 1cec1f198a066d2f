import { PLOT_COLORS, PLOT_STYLES } from './plots/index.ts';

/** The whole style sheet of a run report. */
export const PAGE_STYLES = `${PLOT_COLORS}
:root { color-scheme: light dark; --page: #f5f7f9; --line: #dce1e7; --soft: #eef1f5; --tint: #e4f1f8; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1216; --line: #2a313a; --soft: #1d222a; --tint: #12303f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; -webkit-text-size-adjust: 100%; }
.wrap { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header.run { padding: 36px 0 20px; }
header.run p { margin: 0; color: var(--muted); }
h1 { margin: 2px 0 4px; font-size: 30px; line-height: 1.2; letter-spacing: -.015em; font-weight: 680; overflow-wrap: anywhere; }
h2 { margin: 0 0 14px; font-size: 19px; letter-spacing: -.005em; font-weight: 650; }
h3, figcaption { margin: 0 0 8px; font-size: 14px; font-weight: 600; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 0; padding: 0; list-style: none; }
a { color: var(--model); text-underline-offset: 3px; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--model); outline-offset: 2px; }
section { margin: 0 0 40px; scroll-margin-top: 12px; }
.card, figure { margin: 0; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 18px; min-width: 0; }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); align-items: start; }
.grid > .wide { grid-column: 1 / -1; }
figure svg.plot { max-width: 640px; margin: 0 auto; }
figure.wide svg.plot { max-width: none; min-width: 720px; }
.verdict { display: grid; gap: 12px 36px; grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); align-items: center; padding: 26px; }
.verdict h2 { margin: 0 0 10px; font-size: 25px; line-height: 1.25; letter-spacing: -.015em; text-wrap: balance; }
.verdict p { margin: 0 0 6px; color: var(--muted); max-width: 66ch; }
.verdict p:first-of-type { color: var(--ink); }
.verdict .mini-title { margin: 0 0 4px; font-size: 13px; color: var(--muted); }
.pill { display: inline-block; margin: 0 0 10px; padding: 2px 10px; border: 1px solid currentColor; border-radius: 99px; font-size: 12.5px; font-weight: 600; }
.pill.better { color: var(--good); } .pill.worse { color: var(--bad); } .pill.same { color: var(--baseline); } .pill.alone, .pill.untested { color: var(--muted); }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(152px, 1fr)); margin: 16px 0 0; padding: 0; overflow: hidden; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
.numbers div { padding: 12px 16px; box-shadow: 1px 1px 0 0 var(--line); }
.numbers dt { color: var(--muted); font-size: 13px; }
.numbers dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; letter-spacing: -.01em; }
.numbers dd small { display: block; font-size: 12px; font-weight: 400; color: var(--muted); letter-spacing: 0; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px 7px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child > td, tr:last-child > th { border-bottom: 0; }
thead th { color: var(--muted); font-weight: 600; font-size: 13px; white-space: nowrap; border-bottom: 1px solid var(--axis); }
tbody th { font-weight: 500; }
tbody + tbody tr:first-child > * { border-top: 1px solid var(--axis); }
tbody + tbody > tr > * { color: var(--muted); font-weight: 400; }
.right { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.facts th { width: 40%; color: var(--muted); font-weight: 400; }
.facts td { overflow-wrap: anywhere; }
.mistakes td.text { width: 64%; overflow-wrap: anywhere; }
.mistakes img { width: 64px; height: 64px; object-fit: contain; margin-right: 12px; vertical-align: middle; background: var(--soft); border-radius: 4px; }
.mistakes .wrong { color: var(--bad); font-weight: 600; }
.meter { display: inline-block; width: 56px; height: 6px; margin-right: 8px; border-radius: 3px; background: var(--soft); vertical-align: 2px; overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--model); }
code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { margin: 0; padding: 12px 14px; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--soft); border-radius: 8px; }
details { margin-top: 10px; font-size: 13px; color: var(--muted); }
details table { color: var(--ink); font-size: 13px; margin-top: 6px; }
summary { cursor: pointer; width: fit-content; }
.notes { margin: 16px 0 0; padding: 12px 16px 12px 34px; background: var(--tint); border-radius: 10px; }
ol.next { margin: 0; padding-left: 22px; } ol.next li { margin: 0 0 12px; } ol.next pre { margin-top: 6px; }
footer { padding: 4px 0 48px; color: var(--muted); font-size: 13px; }
${PLOT_STYLES}
@media (max-width: 720px) {
  .wrap { padding: 0 14px; } .card, figure { padding: 14px; } .verdict { grid-template-columns: minmax(0, 1fr); padding: 18px; }
  figure:not(.wide) svg.plot { font-size: 13px; }
  h1 { font-size: 25px; } .verdict h2 { font-size: 21px; }
  .numbers { grid-template-columns: repeat(2, 1fr); }
  .mistakes thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .mistakes table, .mistakes tbody { display: block; }
  .mistakes tr { display: flex; flex-wrap: wrap; gap: 2px 14px; padding: 10px 0; border-bottom: 1px solid var(--line); }
  .mistakes tr:last-child { border-bottom: 0; }
  .mistakes td { display: block; padding: 0; border: 0; overflow-wrap: anywhere; } .mistakes td.text { flex: 1 0 100%; width: auto; }
  .mistakes td[data-name]::before { content: attr(data-name) " "; color: var(--muted); font-weight: 400; }
}
@media print { body { background: none; } details { display: none; } section { break-inside: avoid; } nav { display: none; } }`;
