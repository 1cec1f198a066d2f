import { describe, expect, it } from 'vitest';
import { decodeEntities, htmlToText } from './html-to-text.ts';

describe('htmlToText', () => {
  const rows: readonly [what: string, html: string, text: string][] = [
    ['tags go, words stay', '<b>Hello</b> <i>world</i>', 'Hello world'],
    ['tags inside a word join it', 'V<font size=1></font>iagra', 'Viagra'],
    ['comments inside a word join it', 'cl<!-- x > y -->ick', 'click'],
    ['blocks start lines', '<p>one</p><p>two</p><div>three</div>', 'one\n\ntwo\n\nthree'],
    ['br ends a line', 'one<br>two<BR/>three', 'one\ntwo\nthree'],
    ['cells are apart', '<table><tr><td>a</td><td>b</td></tr></table>', 'a b'],
    ['source line breaks are spaces', 'one\n  two\r\nthree', 'one two three'],
    ['scripts and styles are unseen', '<style>p{}</style>a<script>if (a<b) "</p>"</script>b', 'ab'],
    ['the head is unseen', '<html><head><title>T</title></head><body>seen</body>', 'seen'],
    ['hidden elements go with all they hold', 'a<div style="display:none">x<div>y</div>z</div>b', 'ab'],
    ['hidden by size', 'a<span style="font-size:0px">x</span>b', 'ab'],
    ['an unclosed hidden element hides nothing', 'a<div style="display:none">b', 'a\nb'],
    ['an unclosed head hides nothing', '<head>text', 'text'],
    ['entities', '&lt;b&gt; &amp;amp; &#65;&#x42; &eacute;&Uuml; &nosuch; AT&T', '<b> &amp; AB éÜ &nosuch; AT&T'],
    ['no entity is decoded twice', '&amp;lt;', '&lt;'],
    ['Windows characters by number', '&#147;quoted&#148; &#128;5', '“quoted” €5'],
    ['impossible characters', '&#0;&#xD800;&#x110000;', '\ufffd\ufffd\ufffd'],
    ['a lone less-than is text', '1 < 2 and <3', '1 < 2 and <3'],
    ['a greater-than inside an attribute ends no tag', '<img alt="a > b">c', 'c'],
    ['a quote that never closes', '<a href="x>text</a>', 'text'],
    ['an unfinished tag', 'text <b', 'text'],
    ['an unfinished comment', 'text <!-- never closed', 'text'],
    ['nothing', '', ''],
  ];
  for (const [what, html, text] of rows) it(what, () => expect(htmlToText(html)).toBe(text));

  it('takes time in proportion to hostile pages', () => {
    const pages = [
      '<div style="display:none">'.repeat(40_000),
      '<a href="'.repeat(100_000),
      Array.from({ length: 40_000 }, (_, index) => `<x${index} style="display:none">`).join(''),
      '<!--'.repeat(200_000),
      '&'.repeat(500_000),
    ];
    const work = pages.map((page) => htmlToText(page).length);
    expect(work).toHaveLength(pages.length);
  });

  it('leaves references that are none', () => {
    expect(decodeEntities('&; &# &#x &constructor; &toString;')).toBe('&; &# &#x &constructor; &toString;');
  });
});
