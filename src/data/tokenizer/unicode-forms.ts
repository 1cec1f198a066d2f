import { type AlignedText, type Change, changed } from './aligned-text.ts';

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** A text in a normalization form of Unicode, with the places of the reference tokenizers. */
export function inUnicodeForm(old: AlignedText, form: UnicodeForm): AlignedText {
  const { text } = old;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII.
  if (/^[\x00-\x7f]*$/.test(text)) return old;
  const compatible = form === 'NFKC' || form === 'NFKD';
  const decomposed = decompositions(text, compatible ? 'NFKD' : 'NFD');
  return changed(old, form === 'NFD' || form === 'NFKD' ? decomposed : compositions(text.normalize(form), decomposed));
}

/**
 * The decomposition of a text: what a character becomes is the first of them in its place, the others put in. Marks carry
 * this along into their canonical order.
 */
function decompositions(text: string, form: 'NFD' | 'NFKD'): readonly Change[] {
  const parts: Change[] = [];
  for (const character of text) {
    let first = true;
    for (const part of character.normalize(form)) {
      parts.push([part, first ? 0 : 1]);
      first = false;
    }
  }
  const take = taker(parts);
  return Array.from(text.normalize(form), take);
}

/** What was decomposed, composed: a character stands for all that it is made of. */
function compositions(composed: string, parts: readonly Change[]): readonly Change[] {
  const take = taker(parts);
  return Array.from(composed, (character): Change => {
    const [first, ...others] = Array.from(character.normalize('NFD'), take);
    return [character, others.reduce((sum, [, change]) => sum + change - 1, first![1])];
  });
}

/** Takes parts by their character, the first that is left of each. */
function taker(parts: readonly Change[]): (character: string) => Change {
  const taken = new Uint8Array(parts.length);
  let first = 0;
  return (character) => {
    while (taken[first] === 1) first++;
    let place = first;
    while (place < parts.length && (taken[place] === 1 || parts[place]![0] !== character)) place++;
    // A character that the engine orders or composes in a way of its own stands for itself.
    if (place === parts.length) return [character, 0];
    taken[place] = 1;
    return parts[place]!;
  };
}
