import { describe, expect, it } from 'vitest';
import {
  formatSource,
  isPathInside,
  type ModelSource,
  parseSource,
  shownSource,
  withoutSecrets,
  withSha256,
} from './source.ts';

const HASH = 'ab'.repeat(32);

const SOURCES: readonly (readonly [text: string, source: ModelSource])[] = [
  ['hf:org/name', { kind: 'hf', repository: 'org/name', revision: 'main' }],
  ['hf:org/name@v1.0', { kind: 'hf', repository: 'org/name', revision: 'v1.0' }],
  ['hf:org/name/onnx/model.onnx', { kind: 'hf', repository: 'org/name', revision: 'main', path: 'onnx/model.onnx' }],
  ['hf:a-b/c.d_e@abc123/f', { kind: 'hf', repository: 'a-b/c.d_e', revision: 'abc123', path: 'f' }],
  ['hf:org/name@refs/pr/7', { kind: 'hf', repository: 'org/name', revision: 'refs/pr/7' }],
  ['hf:org/name@refs/pr/7/onnx', { kind: 'hf', repository: 'org/name', revision: 'refs/pr/7', path: 'onnx' }],
  ['npm:models', { kind: 'npm', name: 'models' }],
  ['npm:models@1.2.3', { kind: 'npm', name: 'models', version: '1.2.3' }],
  ['npm:@scope/models', { kind: 'npm', name: '@scope/models' }],
  ['npm:@scope/models@latest/a/b.onnx', { kind: 'npm', name: '@scope/models', version: 'latest', path: 'a/b.onnx' }],
  ['https://example.com/a/model.onnx', { kind: 'https', url: 'https://example.com/a/model.onnx' }],
  ['https://example.com/m.onnx?v=2', { kind: 'https', url: 'https://example.com/m.onnx?v=2' }],
  [`http://example.com/m.onnx#sha256=${HASH}`, { kind: 'https', url: 'http://example.com/m.onnx', sha256: HASH }],
  ['http://127.0.0.1:80/m', { kind: 'https', url: 'http://127.0.0.1/m' }],
  ['models/spam', { kind: 'file', path: 'models/spam' }],
  ['./hf:x', { kind: 'file', path: './hf:x' }],
  ['file:model.onnx', { kind: 'file', path: 'model.onnx' }],
  ['file:///srv/my%20models', { kind: 'file', path: '/srv/my models' }],
  ['file://localhost/srv', { kind: 'file', path: '/srv' }],
  ['C:\\models\\a', { kind: 'file', path: 'C:\\models\\a' }],
];

describe('a source', () => {
  it.each(SOURCES)('%s', (text, source) => {
    expect(parseSource(text)).toEqual(source);
    expect(parseSource(formatSource(source))).toEqual(source);
  });

  it('is shown without what may be a signature', () => {
    const shown = (text: string): string => shownSource(parseSource(text));
    expect(shown(`https://example.com/m.onnx?key=private#sha256=${HASH}`)).toBe(
      `https://example.com/m.onnx#sha256=${HASH}`,
    );
    expect(['https://example.com/m.onnx?key=private', 'hf:org/name@v1', 'models/what?'].map(shown)).toEqual([
      'https://example.com/m.onnx',
      'hf:org/name@v1',
      'models/what?',
    ]);
  });

  it.each([
    ['', /expected where a model comes from\n.*hf:ORG\/NAME.*npm:PACKAGE.*https:.*a path/],
    ['hf:', /expected ORG\/NAME behind "hf:"\n.*as in hf:/],
    ['hf:bert-base-uncased', /expected ORG\/NAME/],
    ['hf:org/', /"" is no name of an organization or repository/],
    ['hf:../name', /"\.\." is no name/],
    ['hf:org/a--b', /"a--b" is no name/],
    ['hf:org/na me', /"na me" is no name/],
    ['hf:org/name@', /"" is no revision/],
    ['hf:org/name@a..b', /"a\.\.b" is no revision/],
    ['hf:org/name/../../etc/passwd', /"\.\.\/\.\.\/etc\/passwd" is no path inside it/],
    ['hf:org/name/a//b', /no path inside it/],
    ['hf:org/name/a\\b', /no path inside it/],
    ['hf:org@x/name', /expected a revision behind the name/],
    ['npm:', /"" is no name of a package\n.*as in npm:/],
    ['npm:@scope', /"@?scope?" is no name|"" is no name/],
    ['npm:models@^1.2', /"\^1\.2" is no version: expected an exact one/],
    ['npm:models/../x', /no path inside it/],
    ['ftp://example.com/x', /there is no kind of source "ftp:"\n.*hf:ORG/],
    ['https://', /no URL/],
    ['https://example.com/', /URL of a file/],
    ['https://example.com/m#sha256=12', /expected 64 hexadecimal digits, got 2 characters/],
    ['https://example.com/m#part', /expected #sha256=HEX, got "#part"/],
    ['http://example.com/m', /expected https:, or #sha256=HEX/],
    ['http://127.0.0.1.example.com/m', /expected https:/],
    ['file:', /expected a path/],
    ['file://server/share', /file:\/\/\/PATH/],
  ])('refuses %s', (text, message) => {
    expect(() => parseSource(text)).toThrow(message);
  });

  it('does not repeat a password', () => {
    expect(() => parseSource('https://me:secret@example.com/m')).toThrow(
      /^source "https:\/\/example.com\/m": a URL may not carry/,
    );
    expect(withoutSecrets('https://a:b@cdn.example/x?Signature=secret#part')).toBe('https://cdn.example/x#part');
  });

  it('takes its hash from a flag as well', () => {
    const source = parseSource('https://example.com/m');
    expect(withSha256(source, HASH.toUpperCase())).toEqual({ ...source, sha256: HASH });
    expect(() => withSha256({ ...source, sha256: HASH } as ModelSource, 'cd'.repeat(32))).toThrow(/source itself says/);
    expect(() => withSha256(parseSource('hf:a/b'), HASH)).toThrow(/--sha256 is for https: sources, got "hf:a\/b"/);
  });
});

describe('paths inside', () => {
  it.each(['a', 'a/b.c', '..a/b', 'a b'])('takes %s', (path) => expect(isPathInside(path)).toBe(true));
  it.each(['', '/a', '..', 'a/../b', 'a/', './a', 'C:/a', 'a\\b', 'a\u0000'])('refuses %s', (path) =>
    expect(isPathInside(path)).toBe(false),
  );
});
