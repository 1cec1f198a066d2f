export { type BarsOptions, bars } from './bars.ts';
export { type HistogramOptions, histogram } from './histogram.ts';
export { type IntervalRow, intervalPlot } from './interval.ts';
export { type LinePlotOptions, type LineSeries, linePlot, type Point } from './line.ts';
export { type MatrixPlotOptions, matrixPlot } from './matrix.ts';
export { reliabilityPlot } from './reliability.ts';
export { type ScatterOptions, scatterPlot } from './scatter.ts';
export { inlineSvg, PLOT_COLORS, PLOT_STYLES, type Plot, type PlotTable, standaloneSvg, type Tone } from './svg.ts';
