import { describe, expect, it } from 'vitest';
import { parseMail } from './mail.ts';

const lines = (...all: string[]): string => all.join('\r\n');

describe('parseMail', () => {
  it('keeps From, Subject and body and no other header', async () => {
    const mail = await parseMail(
      lines(
        'From list@example.org  Thu Aug 22 13:17:22 2002',
        'Return-Path: <bounce@collection.example>',
        'Received: from relay.example by collection.example',
        'From: =?iso-8859-1?Q?Andr=E9?= <andre@example.org>',
        'To: <someone@example.org>',
        'X-Spam-Status: Yes',
        'Subject: =?utf-8?B?R3LDvMOfZQ==?=',
        ' again',
        '',
        'Hello.',
      ),
    );
    expect(mail.text).toBe('From: André <andre@example.org>\nSubject: Grüße again\n\nHello.');
  });

  it('decodes transfer encodings and character sets', async () => {
    const quoted = await parseMail(
      lines(
        'Content-Type: text/plain; charset=iso-8859-15',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'caf=E9 =A4 long=',
        'er',
      ),
    );
    expect(quoted.body).toBe('café € longer');
    const base64 = await parseMail(
      lines('Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '', 'w6ljbGFpciDwn5iA'),
    );
    expect(base64.body).toBe('éclair 😀');
  });

  it('reads bytes of another character set as that set', async () => {
    const head = new TextEncoder().encode(lines('Content-Type: text/plain; charset=windows-1251', '', ''));
    const mail = await parseMail(Uint8Array.from([...head, 0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]));
    expect(mail.body).toBe('Привет');
  });

  it('prefers plain text to HTML, and shows HTML as a reader sees it', async () => {
    const parts = (plain: string): string =>
      lines(
        'Content-Type: multipart/alternative; boundary=b',
        '',
        '--b',
        'Content-Type: text/plain',
        '',
        plain,
        '--b',
        'Content-Type: text/html',
        '',
        '<style>x</style><p>Buy&nbsp;<b>now</b></p><span style="display:none">hash</span>',
        '--b--',
      );
    expect((await parseMail(parts('plain'))).body).toBe('plain');
    expect((await parseMail(parts('  '))).body).toBe('Buy now');
  });

  it('reads HTML that a mail sends as plain text', async () => {
    expect((await parseMail(lines('Subject: x', '', '<html><body>Hi <b>you</b></body></html>'))).body).toBe('Hi you');
  });

  it('survives broken mails', async () => {
    expect((await parseMail('')).text).toBe('From: \nSubject: \n\n');
    expect((await parseMail('no header at all')).body).toBeDefined();
    const unclosed = await parseMail(
      lines('Subject: s', 'Content-Type: multipart/mixed; boundary="never', '', '--never', '', 'inside'),
    );
    expect(unclosed.subject).toBe('s');
    const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) & 255);
    expect(typeof (await parseMail(bytes)).text).toBe('string');
    const deep = 'Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n'.repeat(300);
    expect((await parseMail(`From: a@b.c\r\n${deep}`)).from).toBe('a@b.c');
  });
});
