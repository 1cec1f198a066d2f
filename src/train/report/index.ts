export { isLowerBetter, metricName } from './format.ts';
export * from './plots/index.ts';
export { plotsOfRun, type RunPlotName, type RunPlots } from './plots-of-run.ts';
export { renderRunReport } from './run-report.ts';
export * from './run-report-data.ts';
export { type Headline, headlineOf, type Verdict, verdict } from './verdict.ts';
export { surestOf, type WorstMistake, worstMistakes } from './worst-mistakes.ts';
