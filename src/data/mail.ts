import PostalMime, { type Address } from 'postal-mime';
import { htmlToText } from './html-to-text.ts';

/** What a reader of a mail sees: nothing of the headers that relays, lists and collections add. */
export interface Mail {
  /** `Name <address>`, as far as the mail says it. */
  readonly from: string;
  readonly subject: string;
  /** The decoded body: plain text when the mail has some, else its HTML as text. */
  readonly body: string;
  /** `From:`, `Subject:`, an empty line, and the body. */
  readonly text: string;
}

/**
 * Reads a mail (RFC 822 with MIME): multiparts, transfer encodings, character sets and HTML are decoded. Never throws on
 * a broken mail: what MIME cannot make sense of is read as plain text behind the first empty line.
 */
export async function parseMail(raw: Uint8Array | string): Promise<Mail> {
  // A line `From sender date` before the headers, as mailbox files have it, is no header and goes with the rest.
  const bytes = typeof raw === 'string' ? new TextEncoder().encode(raw) : raw;
  try {
    const mail = await PostalMime.parse(bytes, { maxNestingDepth: 64, maxRfc822NestingDepth: 3 });
    const plain = mail.text?.trim() ?? '';
    const body = plain.length > 0 ? plain : htmlToText(mail.html ?? '');
    return compose(formatAddress(mail.from), mail.subject ?? '', body);
  } catch {
    return parseBroken(bytes);
  }
}

/** The input of a mail model, from the parts of a mail: the same in training and in production. */
export function mailText(from: string, subject: string, body: string): string {
  return `From: ${from}\nSubject: ${subject}\n\n${body}`;
}

function compose(from: string, subject: string, body: string): Mail {
  const parts = {
    from: oneLine(from),
    subject: oneLine(subject),
    // A mail in plain text may still be one that a client wrote as HTML without saying so.
    body: (looksLikeHtml(body) ? htmlToText(body) : body).replace(/\r\n?/g, '\n').replaceAll('\u0000', '').trim(),
  };
  return { ...parts, text: mailText(parts.from, parts.subject, parts.body) };
}

/** The reading of a mail that MIME refuses: header lines by hand, the body as Latin-1 or UTF-8. */
function parseBroken(bytes: Uint8Array): Mail {
  const text = decode(bytes).replace(/\r\n?/g, '\n');
  const gap = text.indexOf('\n\n');
  const head = gap < 0 ? text : text.slice(0, gap);
  const header = (name: string): string => new RegExp(`^${name}:[ \t]*(.*)$`, 'im').exec(head)?.[1] ?? '';
  return compose(header('From'), header('Subject'), gap < 0 ? '' : text.slice(gap + 2));
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function looksLikeHtml(body: string): boolean {
  return /^\s*<(!doctype\s+html|html|head|body)\b/i.test(body.slice(0, 500));
}

function formatAddress(address: Address | undefined): string {
  if (address === undefined) return '';
  if (address.address === undefined) return address.name;
  return address.name.length > 0 ? `${address.name} <${address.address}>` : address.address;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
