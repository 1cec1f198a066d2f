export { accuracy, balancedAccuracy, predictedLabels, topKAccuracy } from './accuracy.ts';
export { cohenKappa, matthewsCorrelation } from './agreement.ts';
export * from './answers.ts';
export {
  type BootstrapOptions,
  bootstrapInterval,
  bootstrapIntervals,
  bootstrapIntervalsOfCounts,
  type Interval,
  type MetricOfExamples,
  type PairedBootstrap,
  pairedBootstrap,
  pairedBootstrapOfCounts,
  take,
} from './bootstrap.ts';
export * from './brier.ts';
export * from './calibration.ts';
export { type ClassCounts, classCounts } from './class-counts.ts';
export * from './classification-curves.ts';
export {
  type ClassificationReport,
  type ClassificationReportOptions,
  classificationReport,
} from './classification-report.ts';
export * from './compare-classifiers.ts';
export * from './confusion.ts';
export * from './correlation.ts';
export * from './entities.ts';
export type { Labels, Scores, Values } from './inputs.ts';
export * from './log-loss.ts';
export * from './mcnemar.ts';
export type { Measurement } from './measurement.ts';
export * from './multi-label.ts';
export * from './multi-label-report.ts';
export type { RankingOptions } from './one-versus-rest.ts';
export { perplexity } from './perplexity.ts';
export * from './precision-recall-curve.ts';
export {
  type Average,
  type ClassificationScores,
  type ClassScores,
  f1,
  type PrecisionRecallF1,
  precision,
  precisionRecallF1,
  recall,
} from './precision-recall-f1.ts';
export {
  meanAbsoluteError,
  meanSquaredError,
  r2,
  rootMeanSquaredError,
} from './regression.ts';
export * from './regression-report.ts';
export { meanReciprocalRank, retrievalAccuracy, retrievalRanks } from './retrieval.ts';
export * from './roc-curve.ts';
export type { TaskReport } from './task-report.ts';
