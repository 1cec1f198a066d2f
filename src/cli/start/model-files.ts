import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LatheError } from '../../base/index.ts';
import type { HuggingFaceConfig } from '../../nn/index.ts';
import { MANIFEST_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from '../../pipeline/index.ts';
import { checkpointRefusal, type Fetched, fetchModel, formatBytes, parseSource, shownSource } from '../../zoo/index.ts';
import { countOf, followed } from '../follow-fetch.ts';
import type { Terminal } from '../terminal.ts';

/** What a source of the zoo turned out to be, on this machine. */
export interface ModelFiles {
  /** How the user named it, fit to be shown. */
  readonly source: string;
  /**
   * `package`: what Lathe wrote; `checkpoint`: config.json with safetensors, of an architecture that Lathe builds; `graph`:
   * an ONNX file.
   */
  readonly kind: 'package' | 'checkpoint' | 'graph';
  /** Of the package or the checkpoint; of a graph, where its config.json and tokenizer are looked for. */
  readonly folder: string;
  /** Of a graph. */
  readonly modelFile?: string;
  /** Of a repository of the Hub. */
  readonly commit?: string;
}

/** Files beyond this size are not fetched unasked: `lathe zoo pull --max-size` fetches them. */
const MOST_BYTES = 5e9;

/**
 * Finds or fetches what a source of the zoo names. Throws what the zoo throws: types that nothing can be done with are
 * refused before their weights are fetched; 'usage' where there are several models to choose from.
 */
export async function findModel(source: string, terminal: Terminal): Promise<ModelFiles> {
  const parsed = parseSource(source);
  if (parsed.kind === 'file' && existsSync(join(parsed.path, MANIFEST_FILE))) {
    return { source, kind: 'package', folder: parsed.path };
  }
  const name = shownSource(parsed);
  const fetched = await followed(terminal, `${name}: fetched`, (onProgress) =>
    fetchModel(parsed, {
      mostBytes: MOST_BYTES,
      signal: terminal.signal,
      onProgress,
      refusal: checkpointRefusal,
      notice: (line) => terminal.warn(line),
      onPlan: ({ files, bytes }) => terminal.say(`${name}: ${countOf(files.length)} to fetch, ${formatBytes(bytes)}`),
    }),
  );
  return {
    source: name,
    ...(await kindOf(fetched, name)),
    ...(fetched.commit !== undefined && { commit: fetched.commit }),
  };
}

/** How records name the model that a run began with: a URL may carry a signature, and packages are given to others. */
export function recordedName(source: string): string {
  return shownSource(parseSource(source));
}

/** The paths of this machine that a source names: what is not a path is named with its revision, or is whatever there is. */
export function pathsOf(source: string | undefined): readonly string[] {
  if (source === undefined) return [];
  const parsed = parseSource(source);
  return parsed.kind === 'file' ? [parsed.path] : [];
}

async function kindOf(
  { folder, files }: Fetched,
  name: string,
): Promise<Pick<ModelFiles, 'kind' | 'folder' | 'modelFile'>> {
  const paths = files.map(({ path }) => path);
  const weights = paths.filter((path) => /^model(-\d+-of-\d+)?\.safetensors$/.test(path));
  if (weights.length > 0 && checkpointRefusal(await readConfig(folder)) === undefined) {
    return { kind: 'checkpoint', folder };
  }
  const onnx = paths.filter((path) => path.endsWith('.onnx'));
  const usual = onnx.filter((path) => path === 'model.onnx' || path === 'onnx/model.onnx');
  const chosen = onnx.length === 1 ? onnx[0] : usual.length === 1 ? usual[0] : undefined;
  if (chosen !== undefined) {
    const modelFile = join(folder, ...chosen.split('/'));
    return { kind: 'graph', folder: folderAbout(modelFile, folder), modelFile };
  }
  if (onnx.length > 1) {
    throw new LatheError('usage', `${name}: there are ${onnx.length} ONNX files`, {
      hint: `Name one of ${onnx.slice(0, 12).join(', ')}.`,
    });
  }
  if (weights.length > 0) {
    throw new LatheError('unsupported', `${name}: ${checkpointRefusal(await readConfig(folder))}`, {
      hint: 'Export it to ONNX, and name the ONNX file.',
    });
  }
  throw new LatheError('not-found', `${name}: there is neither a package, nor a checkpoint, nor an ONNX file`, {
    hint: paths.length === 0 ? 'The folder is empty.' : `There are ${paths.slice(0, 12).join(', ')}.`,
  });
}

/** Exporters put the graph beside its tokenizer, or into a folder `onnx` beside it. */
function folderAbout(modelFile: string, root: string): string {
  const own = dirname(modelFile);
  const above = own !== root || basename(own) === 'onnx' ? dirname(own) : undefined;
  const has = (folder: string): boolean =>
    [TOKENIZER_FILE, 'config.json', 'preprocessor_config.json'].some((file) => existsSync(join(folder, file)));
  return above !== undefined && !has(own) && has(above) ? above : own;
}

/** The parsed config.json of a folder, or undefined without one. */
export function readConfig(folder: string): Promise<HuggingFaceConfig | undefined> {
  return readJson(folder, 'config.json');
}

/** A parsed JSON file of a folder, or undefined without it. Throws 'corrupt' for one that is no JSON object. */
export async function readJson(folder: string, file: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const path = join(folder, file);
  if (!existsSync(path)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new LatheError('corrupt', `${path}: is not JSON`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new LatheError('corrupt', `${path}: expected a JSON object`);
  return content as Readonly<Record<string, unknown>>;
}

/** The two files of a tokenizer; the second may be missing. Throws 'not-found' that begins with `source`. */
export async function readTokenizerFiles(folder: string, source: string): Promise<Readonly<Record<string, string>>> {
  const file = await readFile(join(folder, TOKENIZER_FILE), 'utf8').catch((cause: unknown) => {
    throw new LatheError('not-found', `"${source}": there is no ${TOKENIZER_FILE} beside the model`, {
      hint: 'Name the folder that has it with --tokenizer.',
      cause,
    });
  });
  const config = await readFile(join(folder, TOKENIZER_CONFIG_FILE), 'utf8').catch(() => '{}\n');
  return { [TOKENIZER_FILE]: file, [TOKENIZER_CONFIG_FILE]: config };
}
