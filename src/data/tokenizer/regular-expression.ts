import { LatheError } from '../../base/index.ts';

/**
 * A regular expression of a `tokenizer.json`, which is one of Oniguruma in its Ruby syntax, as one of JavaScript (flags
 * `gv`) that matches the same. Throws 'unsupported' with the part that JavaScript has no equal for.
 */
export function regularExpression(source: string): RegExp {
  const parser: Parser = { source, characters: Array.from(source), at: 0, groups: 0 };
  const translated = alternatives(parser, false);
  if (parser.at < parser.characters.length) refuse(parser, 'an unmatched )');
  try {
    return new RegExp(translated, 'gv');
  } catch (cause) {
    throw new LatheError('unsupported', `tokenizer.json: the regular expression ${JSON.stringify(source)}`, { cause });
  }
}

/** The expression that matches a text as it stands. */
export function literalExpression(text: string): RegExp {
  return new RegExp(Array.from(text, literal).join(''), 'gv');
}

interface Parser {
  readonly source: string;
  readonly characters: readonly string[];
  at: number;
  /** Of atomic groups, which are numbered by name. */
  groups: number;
}

// Outside of brackets and inside of them the same.
const CLASSES: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  S: '\\P{White_Space}',
  w: '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]',
  W: '[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]',
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  h: '[0-9a-fA-F]',
  H: '[^0-9a-fA-F]',
};
const CONTROLS: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  f: '\f',
  v: '\v',
  a: '\u0007',
  e: '\u001b',
};
const POSIX: Readonly<Record<string, string>> = {
  alpha: '\\p{Alphabetic}',
  digit: '\\p{Nd}',
  alnum: '[\\p{Alphabetic}\\p{M}\\p{Nd}]',
  upper: '\\p{Uppercase}',
  lower: '\\p{Lowercase}',
  space: '\\p{White_Space}',
  word: CLASSES.w!,
  xdigit: CLASSES.h!,
};
const WORD = CLASSES.w!;
const ANCHORS: Readonly<Record<string, string>> = {
  b: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  B: `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`,
  A: '^',
  z: '$',
  Z: '(?=\\n?$)',
};

function alternatives(parser: Parser, anyCase: boolean): string {
  let written = '';
  let ignoresCase = anyCase;
  for (;;) {
    const character = parser.characters[parser.at];
    if (character === undefined || character === ')') return written;
    if (character === '|') {
      written += '|';
      parser.at++;
      continue;
    }
    // (?i) holds to the end of the group.
    const rest = parser.characters.slice(parser.at, parser.at + 4).join('');
    if (rest === '(?i)') {
      ignoresCase = true;
      parser.at += 4;
      continue;
    }
    written += quantified(parser, ignoresCase);
  }
}

function quantified(parser: Parser, anyCase: boolean): string {
  let written = atom(parser, anyCase);
  for (;;) {
    const rest = parser.characters.slice(parser.at, parser.at + 24).join('');
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})/.exec(rest)?.[0];
    if (quantifier === undefined) return written;
    parser.at += quantifier.length;
    const mode = parser.characters[parser.at];
    const greedy = `${written}${quantifier.replace('{,', '{0,')}`;
    if (mode === '?') {
      parser.at++;
      written = `${greedy}?`;
    } else if (mode === '+' && !quantifier.startsWith('{')) {
      parser.at++;
      written = atomic(parser, greedy);
    } else if (/^[*+?{]/.test(mode ?? '')) {
      refuse(parser, 'a quantifier behind a quantifier');
    } else written = greedy;
  }
}

/** JavaScript has no atomic groups, but does not go back into a lookahead. */
function atomic(parser: Parser, written: string): string {
  const name = `atomic${++parser.groups}`;
  return `(?:(?=(?<${name}>${written}))\\k<${name}>)`;
}

function atom(parser: Parser, anyCase: boolean): string {
  const character = parser.characters[parser.at++]!;
  switch (character) {
    case '(':
      return group(parser, anyCase);
    case '[':
      return brackets(parser, anyCase);
    case '.':
      return '[^\\n]';
    // Of lines: not behind a line feed that ends the text.
    case '^':
      return '(?:^|(?<=\\n)(?!$))';
    case '$':
      return '(?:(?=\\n)|(?<!\\n)$)';
    case '\\': {
      const anchor = ANCHORS[parser.characters[parser.at]!];
      if (anchor !== undefined) {
        parser.at++;
        return anchor;
      }
      const found = escaped(parser);
      return found.length === 1 || found.codePointAt(0)! > 0xffff ? letter(parser, found, anyCase) : found;
    }
    case '*':
    case '+':
    case '?':
      return refuse(parser, `a ${character} behind nothing`);
    default:
      return letter(parser, character, anyCase);
  }
}

const GROUPS = ['?:', '?=', '?!', '?<=', '?<!'] as const;

function group(parser: Parser, anyCase: boolean): string {
  const rest = parser.characters.slice(parser.at, parser.at + 3).join('');
  let open = '(?:';
  let inside = anyCase;
  let isAtomic = false;
  if (rest.startsWith('?')) {
    const known = GROUPS.find((mark) => rest.startsWith(mark));
    if (known !== undefined) open = `(${known}`;
    else if (rest === '?i:') inside = true;
    else if (rest.startsWith('?>')) isAtomic = true;
    else refuse(parser, `a group of the kind (${rest}`);
    parser.at += known?.length ?? (isAtomic ? 2 : 3);
  }
  const written = alternatives(parser, inside);
  if (parser.characters[parser.at++] !== ')') refuse(parser, 'a group without its end');
  return isAtomic ? atomic(parser, written) : `${open}${written})`;
}

function brackets(parser: Parser, anyCase: boolean): string {
  let written = '[';
  if (parser.characters[parser.at] === '^') {
    written += '^';
    parser.at++;
  }
  let isFirst = true;
  for (;;) {
    const character = parser.characters[parser.at];
    if (character === undefined) return refuse(parser, 'a [ without its ]');
    if (character === ']' && !isFirst) {
      parser.at++;
      return `${written}]`;
    }
    isFirst = false;
    const rest = parser.characters.slice(parser.at, parser.at + 12).join('');
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (posix !== null) {
      const named = POSIX[posix[2]!] ?? refuse(parser, `the class ${posix[0]}`);
      written += posix[1] === '^' ? `[^${named}]` : named;
      parser.at += posix[0].length;
    } else if (character === '[') {
      parser.at++;
      written += brackets(parser, anyCase);
    } else if (rest.startsWith('&&')) {
      written += '&&';
      parser.at += 2;
    } else written += member(parser, anyCase);
  }
}

/** A character, a class or a range inside of brackets. */
function member(parser: Parser, anyCase: boolean): string {
  const one = (): string => {
    const character = parser.characters[parser.at++]!;
    return character === '\\' ? escaped(parser) : character;
  };
  const first = one();
  const isCharacter = Array.from(first).length === 1;
  const next = parser.characters[parser.at + 1];
  if (!isCharacter || parser.characters[parser.at] !== '-' || next === undefined || next === ']') {
    return isCharacter ? inBothCases(parser, first, anyCase).map(literal).join('') : first;
  }
  parser.at++;
  const last = one();
  if (!anyCase) return `${literal(first)}-${literal(last)}`;
  const [from, to] = [first.codePointAt(0)!, last.codePointAt(0)!];
  if (to > 0x7f) refuse(parser, `the range ${first}-${last} in any case`);
  return Array.from({ length: to - from + 1 }, (_, index) => String.fromCodePoint(from + index))
    .flatMap((character) => inBothCases(parser, character, anyCase))
    .map(literal)
    .join('');
}

/** What stands behind a \: a character as it is, or a class in JavaScript's way. */
function escaped(parser: Parser): string {
  const character = parser.characters[parser.at++] ?? refuse(parser, 'a \\ at the end');
  const named = CLASSES[character] ?? CONTROLS[character];
  if (named !== undefined) return named;
  const rest = parser.characters.slice(parser.at, parser.at + 48).join('');
  if (character === 'p' || character === 'P') {
    const property = /^\{(\^?)([\w= ]+)\}/.exec(rest) ?? refuse(parser, 'a property without its name');
    parser.at += property[0].length;
    const mark = (character === 'P') !== (property[1] === '^') ? 'P' : 'p';
    for (const name of [property[2]!, `Script=${property[2]}`]) {
      try {
        new RegExp(`\\p{${name}}`, 'v');
        return `\\${mark}{${name}}`;
      } catch {}
    }
    return refuse(parser, `the property ${property[2]}`);
  }
  const code = character === 'x' || character === 'u' ? /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2,4}))/.exec(rest) : null;
  if (code !== null) {
    const digits = code[1] ?? (character === 'x' ? code[2]!.slice(0, 2) : code[2]!);
    parser.at += code[1] === undefined ? digits.length : code[0].length;
    return String.fromCodePoint(Number.parseInt(digits, 16));
  }
  return /[a-zA-Z0-9]/.test(character) ? refuse(parser, `\\${character}`) : character;
}

function letter(parser: Parser, character: string, anyCase: boolean): string {
  const cases = inBothCases(parser, character, anyCase);
  return cases.length === 1 ? literal(character) : `[${cases.map(literal).join('')}]`;
}

/** Letters outside of ASCII that are one of its letters in another case. */
const OTHER_CASES: Readonly<Record<string, string>> = { s: 'ſ', k: '\u212a' };

function inBothCases(parser: Parser, character: string, anyCase: boolean): readonly string[] {
  if (!anyCase || !/\p{L}/u.test(character)) return [character];
  if (character > '\u007f') refuse(parser, `${character} in any case`);
  const lower = character.toLowerCase();
  return [lower, lower.toUpperCase(), ...(OTHER_CASES[lower] ?? [])];
}

function literal(character: string): string {
  return /^[a-zA-Z0-9]$/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function refuse(parser: Parser, what: string): never {
  throw new LatheError(
    'unsupported',
    `tokenizer.json: the regular expression ${JSON.stringify(parser.source)} has ${what}, before position ${parser.at}`,
  );
}
