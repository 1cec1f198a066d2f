import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { thumbnail } from '../images/thumbnail.ts';
import { type Source, sourceTitle } from '../sources/source.ts';
import type { DataReport } from './data-report.ts';
import { renderDataReport } from './render.ts';

/** The page of a report with all that it shows, pictures too. `directory` is what the source's paths are relative to. */
export async function dataReportPage(
  report: DataReport,
  source: Source,
  directory: string = process.cwd(),
): Promise<string> {
  const thumbnails = new Map<string, string>();
  const folder = resolve(directory, source.kind === 'folder' ? source.path : '.');
  for (const { files } of report.images?.examples ?? []) {
    for (const file of files) thumbnails.set(file, await thumbnail(await readFile(join(folder, file))));
  }
  return renderDataReport(report, sourceTitle(source), thumbnails);
}
