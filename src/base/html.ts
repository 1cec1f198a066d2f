/** Text that is already HTML. Only {@link html} and {@link trusted} make it, so that everything else gets escaped. */
export interface Html {
  readonly html: string;
}

/** What a template takes: text and numbers are escaped, HTML is kept, lists are joined, and absence leaves nothing. */
export type HtmlValue = string | number | Html | undefined | null | false | readonly HtmlValue[];

/** A template of HTML or SVG whose values are escaped: `` html`<td title="${text}">${text}</td>` ``. Quote attributes. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = parts[0]!;
  for (let index = 0; index < values.length; index++) text += render(values[index]) + parts[index + 1]!;
  return { html: text };
}

/** Marks text as HTML without escaping it: for style sheets and text that the program itself wrote, never for data. */
export function trusted(text: string): Html {
  return { html: text };
}

/** Escaped for HTML text and for quoted attributes. Characters that no XML may hold become U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`).replace(FORBIDDEN, '\uFFFD');
}

/** Control characters other than tab and line ends, lone surrogates, and the two code points that XML leaves out. */
const FORBIDDEN = /[^\P{Cc}\t\n\r]|\p{Cs}|[\uFFFE\uFFFF]/gu;

/**
 * A whole page that stands alone: its policy forbids scripts and everything from elsewhere, so that a mistake in a
 * template cannot run or fetch anything.
 */
export function htmlPage(page: { readonly title: string; readonly styles: string; readonly body: Html }): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${page.title}</title>
<style>
${trusted(page.styles)}
</style>
</head>
<body>
${page.body}
</body>
</html>
`.html;
}

function render(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return '';
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  if ('html' in value) return value.html;
  return value.map(render).join('');
}
