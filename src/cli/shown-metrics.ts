import type { TaskReport } from '../metrics/index.ts';

/** The metrics of a report that a line or a table has room for. */
export function shownMetrics(report: TaskReport): readonly string[] {
  if ('average' in report) return ['accuracy', 'precision', 'recall', 'f1'];
  return Object.keys(report.metrics).slice(0, 6);
}
