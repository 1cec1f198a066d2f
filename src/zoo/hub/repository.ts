import { z } from 'zod';
import { LatheError } from '../../base/errors.ts';
import { type Answer, ask, type Manners, readJson, statusFailure, withRetries } from '../ask.ts';
import type { Digest } from '../digest.ts';
import { formatSource, type HubSource, isPathInside } from '../source.ts';
import { isCommit } from './cache.ts';
import type { HubSettings } from './settings.ts';

/** A repository at a commit. */
export interface HubRepository {
  readonly commit: string;
  readonly files: readonly HubFile[];
  /** As its model card says. */
  readonly licence?: string;
  readonly task?: string;
}

export interface HubFile {
  readonly path: string;
  readonly bytes?: number;
  /** The name of its content in the cache. */
  readonly etag?: string;
}

const answerSchema = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.looseObject({
      rfilename: z.string(),
      size: z.number().nullish(),
      blobId: z.string().nullish(),
      lfs: z.looseObject({ sha256: z.string().nullish(), size: z.number().nullish() }).nullish(),
    }),
  ),
  pipeline_tag: z.string().nullish(),
  cardData: z.looseObject({ license: z.unknown(), license_name: z.unknown() }).partial().nullish(),
});

/** Asks the Hub what a repository holds: commit, files, sizes and hashes, in one request. */
export async function describeRepository(
  source: HubSource,
  settings: HubSettings,
  manners: Manners,
): Promise<HubRepository> {
  const name = formatSource({ kind: 'hf', repository: source.repository, revision: source.revision });
  const url = `${settings.endpoint}/api/models/${source.repository}/revision/${encodeURIComponent(source.revision)}?blobs=true`;
  const json = await withRetries(async () => {
    const answer = await ask(url, { privateHeaders: authorization(settings) }, manners);
    if (answer.status !== 200) {
      answer.discard();
      throw hubFailure(answer, name, settings);
    }
    return readJson(answer, name);
  }, manners);
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success)
    throw new LatheError('network', `${name}: ${settings.endpoint} does not answer as the Hub does`, {
      hint: `${z.prettifyError(parsed.error)}\n  Is HF_ENDPOINT right?`,
      cause: parsed.error,
    });
  const { sha, siblings, pipeline_tag: task, cardData } = parsed.data;
  const licence = licenceOf(cardData?.license, cardData?.license_name);
  return {
    commit: sha,
    files: siblings.map(({ rfilename: path, size, blobId, lfs }) => {
      if (!isPathInside(path))
        throw new LatheError('corrupt', `${name}: the server lists "${path}", which leads out of the repository`);
      const bytes = lfs?.size ?? size;
      const etag = lfs?.sha256 ?? blobId;
      return { path, ...(bytes != null && { bytes }), ...(etag != null && { etag }) };
    }),
    ...(licence !== undefined && { licence }),
    ...(task != null && { task }),
  };
}

function licenceOf(licence: unknown, name: unknown): string | undefined {
  const said = licence === 'other' && typeof name === 'string' ? name : Array.isArray(licence) ? licence[0] : licence;
  return typeof said === 'string' ? said : undefined;
}

/** The size and tag of a file, for servers whose listing does not give them. */
export async function describeFile(
  source: HubSource,
  commit: string,
  path: string,
  settings: HubSettings,
  manners: Manners,
): Promise<HubFile & { readonly etag: string }> {
  const what = `hf:${source.repository}: ${path}`;
  const answer = await withRetries(async () => {
    const found = await ask(
      fileUrl(source, commit, path, settings),
      { method: 'HEAD', privateHeaders: authorization(settings) },
      manners,
    );
    found.discard();
    if (found.status !== 200) throw hubFailure(found, what, settings);
    return found;
  }, manners);
  // What a redirect says of the file is right even where the answer behind it is a storage's own.
  const said = (header: string): string | null =>
    [...answer.redirects, answer.headers].map((headers) => headers.get(header)).find((value) => value !== null) ?? null;
  const etag = (said('x-linked-etag') ?? said('etag'))?.replace(/^W\//, '').replaceAll('"', '');
  if (etag === undefined || etag === '')
    throw new LatheError('network', `${what}: ${settings.endpoint} gives no ETag, as the Hub does`, {
      hint: 'Is HF_ENDPOINT right?',
    });
  const bytes = said('x-linked-size') ?? answer.headers.get('content-length');
  return { path, etag, ...(bytes !== null && { bytes: Number(bytes) }) };
}

export function fileUrl(source: HubSource, commit: string, path: string, { endpoint }: HubSettings): string {
  return `${endpoint}/${source.repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The digest that a tag is: sha256 of a large file, git's sha1 of others. Undefined where a server has tags of its own. */
export function digestOfTag(etag: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return { algorithm: 'sha256', value: etag };
  return isCommit(etag) ? { algorithm: 'git-blob', value: etag } : undefined;
}

export function authorization({ token }: HubSettings): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** What a status of the Hub means for whoever wanted `what`, and what to do about it. */
export function hubFailure(answer: Answer, what: string, settings: HubSettings): LatheError {
  const { status, headers } = answer;
  const code = headers.get('x-error-code');
  const page = `${settings.endpoint}/${/^hf:([^/@]+\/[^/@:]+)/.exec(what)?.[1] ?? ''}`;
  if (code === 'GatedRepo')
    return new LatheError('access', `${what}: the repository is gated: its owner lets in who accepts the terms`, {
      hint: `Accept them at ${page}, then ${settings.token === undefined ? 'set HF_TOKEN to a token of your account' : 'try again: the token in use has not been let in yet'}.`,
    });
  if (code === 'RevisionNotFound')
    return new LatheError('not-found', `${what}: the repository has no such revision`, {
      hint: `Its branches and tags are listed at ${page}/tree/main.`,
    });
  if (code === 'EntryNotFound')
    return new LatheError('not-found', `${what}: the repository has no such file`, {
      hint: `Its files are listed at ${page}/tree/main.`,
    });
  if (status === 401 || status === 403 || code === 'RepoNotFound' || status === 404) {
    const known = settings.token !== undefined;
    const refused = status === 401 && known;
    return new LatheError(
      status === 404 ? 'not-found' : 'access',
      `${what}: ${refused ? 'the Hub does not accept the token in use' : 'there is no such repository, or it is private'} (${status})`,
      {
        hint: known
          ? `Check the name, and that the token (HF_TOKEN, or what "hf auth login" kept) may read it: ${page}`
          : `Check the name. For a private repository set HF_TOKEN, from ${settings.endpoint}/settings/tokens.`,
      },
    );
  }
  return statusFailure(answer, what);
}
