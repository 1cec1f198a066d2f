/** Elements whose content no reader sees. */
const UNSEEN = new Set('script style head title noscript template svg object applet select'.split(' '));

/** Elements that start on a line of their own. */
const BLOCKS = new Set(
  (
    'address article aside blockquote body br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr ' +
    'li main nav ol p pre section table tbody tfoot thead tr ul'
  ).split(' '),
);

/** Named character references that mail and web pages use; the rest are numeric in practice. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  sbquo: '‚',
  bdquo: '„',
  laquo: '«',
  raquo: '»',
  bull: '•',
  middot: '·',
  euro: '€',
  pound: '£',
  yen: '¥',
  cent: '¢',
  sect: '§',
  para: '¶',
  deg: '°',
  plusmn: '±',
  times: '×',
  divide: '÷',
  frac12: '½',
  frac14: '¼',
  frac34: '¾',
  sup1: '¹',
  sup2: '²',
  sup3: '³',
  iexcl: '¡',
  iquest: '¿',
  szlig: 'ß',
  aelig: 'æ',
  AElig: 'Æ',
  oslash: 'ø',
  Oslash: 'Ø',
  eth: 'ð',
  thorn: 'þ',
  ordf: 'ª',
  ordm: 'º',
  micro: 'µ',
  shy: '',
  zwnj: '',
  zwj: '',
  ensp: ' ',
  emsp: ' ',
  thinsp: ' ',
};

/** `eacute` and its family: a letter and a combining mark. */
const MARKS: Readonly<Record<string, string>> = {
  acute: '\u0301',
  grave: '\u0300',
  circ: '\u0302',
  uml: '\u0308',
  tilde: '\u0303',
  ring: '\u030a',
  cedil: '\u0327',
  caron: '\u030c',
};

/** Windows-1252 characters that pages write as `&#128;` to `&#159;` (WHATWG HTML, numeric character reference end state). */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/**
 * The text that a reader of an HTML page sees: tags and comments go, entities are decoded, scripts, styles and elements
 * hidden by their own style go with all they hold, and blocks start on lines of their own. Broken HTML gives what can be
 * read of it. Works in linear time, so that hostile mail cannot stall it.
 */
export function htmlToText(html: string): string {
  const out: string[] = [];
  const patience = { left: 64 };
  let position = 0;
  while (position < html.length) {
    const open = html.indexOf('<', position);
    if (open < 0) {
      out.push(spaced(html.slice(position)));
      break;
    }
    if (open > position) out.push(spaced(html.slice(position, open)));
    position = takeMarkup(html, open, out, patience);
  }
  return decodeEntities(out.join(''))
    .replace(/[^\S\n]+/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** Handles what starts with the `<` at `open` and returns where text goes on. */
function takeMarkup(html: string, open: number, out: string[], patience: { left: number }): number {
  if (html.startsWith('<!--', open)) {
    const end = html.indexOf('-->', open + 4);
    return end < 0 ? html.length : end + 3;
  }
  const first = html.charCodeAt(open + 1);
  const isTag = first === 0x2f || first === 0x21 || first === 0x3f || isLetter(first);
  if (!isTag) {
    out.push('<');
    return open + 1;
  }
  const end = endOfTag(html, open + 1);
  const inside = html.slice(open + 1, end);
  const after = Math.min(html.length, end + 1);
  const closing = first === 0x2f;
  const name = /^\/?([a-zA-Z][a-zA-Z0-9]*)/.exec(inside)?.[1]?.toLowerCase();
  if (name === undefined) return after;
  if (!closing && patience.left > 0 && (UNSEEN.has(name) || isHidden(inside))) {
    const past = pastElement(html, after, name, inside);
    if (past !== undefined) return past;
    // Each search that finds no end has read the rest of the page: a page made of such elements must not cost its square.
    patience.left--;
  }
  if (BLOCKS.has(name)) out.push('\n');
  else if (name === 'td' || name === 'th') out.push(' ');
  return after;
}

const LONGEST_ATTRIBUTE = 4096;

/** The `>` that ends the tag; one inside a quoted attribute does not. A quote that never closes is not a quote. */
function endOfTag(html: string, from: number): number {
  const plain = html.indexOf('>', from);
  if (plain < 0) return html.length;
  let position = from;
  while (position <= plain) {
    const code = html.charCodeAt(position);
    if ((code === 0x22 || code === 0x27) && html.charCodeAt(position - 1) === 0x3d) {
      const found = html.slice(position + 1, position + LONGEST_ATTRIBUTE).indexOf(html[position]!);
      if (found < 0) return plain;
      const close = position + 1 + found;
      if (close > plain) {
        const next = html.indexOf('>', close);
        return next < 0 ? plain : next;
      }
      position = close;
    }
    position++;
  }
  return plain;
}

const VOID = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));

function isHidden(tag: string): boolean {
  return /style\s*=\s*("|')?[^"'>]*(display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(px|pt|em|%)?\s*(;|"|'|$))/i.test(
    tag.slice(0, 2048),
  );
}

/** Where the text goes on behind an unseen element, or undefined when it never closes: then it hides nothing. */
function pastElement(html: string, from: number, name: string, tag: string): number | undefined {
  if (VOID.has(name) || tag.endsWith('/')) return from;
  const pattern = new RegExp(`<(/?)${name}\\b`, 'gi');
  pattern.lastIndex = from;
  let depth = 1;
  // Raw text elements do not nest; others may.
  const nests = name !== 'script' && name !== 'style' && name !== 'title';
  for (let steps = 0; steps < 1000; steps++) {
    const match = pattern.exec(html);
    if (match === null) return nests ? undefined : html.length;
    if (match[1] === '/') depth--;
    else if (nests) depth++;
    if (depth === 0) {
      const end = html.indexOf('>', match.index);
      return end < 0 ? html.length : end + 1;
    }
  }
  return undefined;
}

/** Decodes character references; what is none stays as it stands. */
export function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,8}));?/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return namedEntity(name) ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number.parseInt(decimal, 10);
      if (code >= 0x80 && code <= 0x9f) return WINDOWS_1252[code - 0x80]!;
      if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\ufffd';
      return String.fromCodePoint(code);
    },
  );
}

function namedEntity(name: string): string | undefined {
  if (Object.hasOwn(ENTITIES, name)) return ENTITIES[name];
  const mark = Object.hasOwn(MARKS, name.slice(1)) ? MARKS[name.slice(1)] : undefined;
  return mark === undefined ? undefined : `${name[0]}${mark}`.normalize('NFC');
}

/** White space in HTML source, line breaks included, is a space. */
function spaced(text: string): string {
  return text.replace(/\s+/g, ' ');
}

function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
