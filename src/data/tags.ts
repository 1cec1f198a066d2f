/** A stretch of words [start, end) that has a name: words are counted from 0. */
export interface TaggedEntity {
  readonly label: string;
  readonly start: number;
  readonly end: number;
}

/** How tags say where an entity begins and ends; a plain scheme has names without a prefix. */
export type TagScheme = 'IOB2' | 'IOBES' | 'BILOU' | 'plain';

/** The scheme that tags are written in, by their prefixes. */
export function tagSchemeOf(tags: Iterable<string>): TagScheme {
  const prefixes = new Set<string>();
  for (const tag of tags) {
    if (tag === 'O') continue;
    const prefix = /^([BIESLU])-./.exec(tag)?.[1];
    if (prefix === undefined) return 'plain';
    prefixes.add(prefix);
  }
  if (prefixes.has('L') || prefixes.has('U')) return 'BILOU';
  return prefixes.has('E') || prefixes.has('S') ? 'IOBES' : 'IOB2';
}

/** A tag as its prefix and the name of what it is a part of. */
export interface TagParts {
  /** `O` outside of entities; `I` for a name without a prefix. L and U (of BILOU) are E and S. */
  readonly prefix: 'B' | 'I' | 'O' | 'E' | 'S';
  readonly label: string;
}

const SAME = { L: 'E', U: 'S' } as const;

export function tagPartsOf(tag: string, scheme: TagScheme): TagParts {
  if (tag === 'O' || tag === '') return { prefix: 'O', label: '' };
  if (scheme === 'plain') return { prefix: 'I', label: tag };
  const prefix = tag[0] as 'B' | 'I' | 'E' | 'S' | 'L' | 'U';
  return { prefix: prefix === 'L' || prefix === 'U' ? SAME[prefix] : prefix, label: tag.slice(2) };
}

/**
 * The entities that tags say, as conlleval (and the default of seqeval) reads them: an entity begins where it must,
 * though its first tag be no B.
 */
export function entitiesOfTags(tags: readonly string[], scheme: TagScheme): TaggedEntity[] {
  const entities: TaggedEntity[] = [];
  let start = 0;
  let previous: TagParts = { prefix: 'O', label: '' };
  for (let at = 0; at <= tags.length; at++) {
    const next: TagParts = at === tags.length ? { prefix: 'O', label: '' } : tagPartsOf(tags[at]!, scheme);
    const goesOn = continues(previous, next);
    if (previous.prefix !== 'O' && !goesOn) entities.push({ label: previous.label, start, end: at });
    if (next.prefix !== 'O' && !goesOn) start = at;
    previous = next;
  }
  return entities;
}

/** Whether a tag goes on with the entity of the tag before it. */
export function continues(previous: TagParts, next: TagParts): boolean {
  return (
    (previous.prefix === 'B' || previous.prefix === 'I') &&
    (next.prefix === 'I' || next.prefix === 'E') &&
    previous.label === next.label
  );
}

/**
 * The entities that are tagged as their scheme asks for (seqeval's strict mode): from a B, or an S alone, to the end that
 * IOBES and BILOU mark. Plain names have no such rules, and are read as {@link entitiesOfTags} does.
 */
export function strictEntitiesOfTags(tags: readonly string[], scheme: TagScheme): TaggedEntity[] {
  if (scheme === 'plain') return entitiesOfTags(tags, scheme);
  const marksEnd = scheme !== 'IOB2';
  const entities: TaggedEntity[] = [];
  for (let at = 0; at < tags.length; ) {
    const first = tagPartsOf(tags[at]!, scheme);
    if (first.prefix !== 'B' && first.prefix !== 'S') {
      at++;
      continue;
    }
    let previous = first;
    let end = at + 1;
    for (; end < tags.length; end++) {
      const next = tagPartsOf(tags[end]!, scheme);
      if (!continues(previous, next)) break;
      previous = next;
    }
    if (!marksEnd || previous.prefix === 'E' || previous.prefix === 'S') {
      entities.push({ label: first.label, start: at, end });
    }
    at = end;
  }
  return entities;
}
