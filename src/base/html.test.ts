import { describe, expect, it } from 'vitest';
import { escapeHtml, html, htmlPage, trusted } from './html.ts';

describe('html', () => {
  it('escapes text in elements and in quoted attributes', () => {
    const hostile = `"><script>alert('x')</script>&\``;
    expect(html`<td title="${hostile}">${hostile}</td>`.html).not.toMatch(/<script|title=""|'|`/);
    expect(escapeHtml('<&>"')).toBe('&#60;&#38;&#62;&#34;');
  });

  it('keeps HTML, joins lists, and leaves out what is absent', () => {
    const rows = ['a', '<b>'].map((text) => html`<li>${text}</li>`);
    expect(html`<ul>${rows}${undefined}${null}${false}${0}</ul>`.html).toBe('<ul><li>a</li><li>&#60;b&#62;</li>0</ul>');
    expect(html`${trusted('<b>')}`.html).toBe('<b>');
  });

  it('replaces what no document may hold', () => {
    expect(escapeHtml('a\u0000b\u001b\ud800c\n\t😀')).toBe('a\uFFFDb\uFFFD\uFFFDc\n\t😀');
  });

  it('writes a page that allows no script and nothing from elsewhere', () => {
    const page = htmlPage({ title: '</title><script>', styles: 'p { color: red }', body: html`<p>x</p>` });
    expect(page).toContain(`default-src 'none'`);
    expect(page).not.toContain('<script>');
    expect(page.startsWith('<!doctype html>')).toBe(true);
  });
});
