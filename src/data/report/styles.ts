/** The look of a data report: system fonts, colours of the reader's choice of light or dark. */
export const STYLES = `
:root {
  --ground: #fbfbfa; --panel: #ffffff; --text: #1d2126; --soft: #5c6570; --line: #dfe2e6; --faint: #eceef1;
  --bar: #3b6fb6; --good: #1a7f4b; --good-ground: #e4f4eb; --warn: #8a5a00; --warn-ground: #fcf1d9;
  --bad: #b3261e; --bad-ground: #fbe6e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --panel: #1b1f24; --text: #e6e9ec; --soft: #9aa4af; --line: #323840; --faint: #262b31;
    --bar: #7aa7e8; --good: #6fd19b; --good-ground: #173425; --warn: #f0c46c; --warn-ground: #3a2e14;
    --bad: #ff9a91; --bad-ground: #43201d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .5rem; font-size: 1.15rem; }
h3 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.pictures { display: flex; flex-wrap: wrap; gap: .5rem; margin: .25rem 0 1rem; }
.pictures img { width: 64px; height: 64px; object-fit: contain; background: var(--faint); border-radius: .25rem; }
small, .aside, .kind { color: var(--soft); }
small { font-size: .8125rem; }
.kind { margin: 0; font-size: .875rem; }
.verdict { display: inline-block; margin: 0 0 1rem; padding: .35rem .8rem; border-radius: .4rem; font-weight: 600; }
.verdict.ready { color: var(--good); background: var(--good-ground); }
.verdict.warnings { color: var(--warn); background: var(--warn-ground); }
.verdict.leak { color: var(--bad); background: var(--bad-ground); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem 1.5rem; margin: 0 0 1rem; }
.figures div { border-top: 2px solid var(--line); padding-top: .35rem; }
.figures dt { color: var(--soft); font-size: .875rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-weight: 400; }
.findings { list-style: none; margin: 0; padding: 0; }
.findings li { display: grid; grid-template-columns: 5rem 1fr; gap: .5rem; padding: .4rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.findings b { font-weight: 600; }
.findings .leak b { color: var(--bad); } .findings .warning b { color: var(--warn); } .findings .note b { color: var(--soft); font-weight: 400; }
section { margin-top: 2rem; padding: 1.25rem; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; }
.table { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--faint); text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; border-color: var(--line); }
td.text { overflow-wrap: anywhere; min-width: 6rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .8125rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.bar { display: block; width: 100%; min-width: 5rem; height: 4px; margin-top: .3rem; border-radius: 2px; }
.bar rect { fill: var(--bar); } .bar .track { fill: var(--faint); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2rem; }
figure { margin: .25rem 0; }
figcaption { font-size: .875rem; color: var(--soft); }
.histogram { display: block; width: 100%; height: auto; margin-top: .25rem; }
.histogram .bars rect { fill: var(--bar); } .histogram line { stroke: var(--line); }
.histogram text { fill: var(--soft); font-size: 14px; font-variant-numeric: tabular-nums; }
details { margin-top: .75rem; }
summary { cursor: pointer; color: var(--soft); }
.examples { margin: .5rem 0 0; padding-left: 1.1rem; }
.examples li { margin-bottom: .6rem; overflow-wrap: anywhere; }
q { background: var(--faint); border-radius: .2rem; padding: 0 .25rem; quotes: none; }
.arrow { color: var(--soft); }
.tag { display: inline-block; padding: 0 .45rem; border-radius: .3rem; background: var(--faint); color: var(--soft); font-size: .8125rem; white-space: nowrap; }
.tag.predicts-label { background: var(--warn-ground); color: var(--warn); }
@media (max-width: 36rem) { main { padding: 1rem .75rem 3rem; } section { padding: 1rem .75rem; } .findings li { grid-template-columns: 1fr; gap: 0; } }
@media print { section { break-inside: avoid; } }`;
