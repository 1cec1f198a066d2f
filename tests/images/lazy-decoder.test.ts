import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** The files of the decoder that a process has open after it ran a script: it is native code. */
function decoderIn(script: string): number {
  const data = fileURLToPath(new URL('../../dist/data/index.js', import.meta.url));
  const code = `import * as data from ${JSON.stringify(data)}; ${script};
    console.log(process.report.getReport().sharedObjects.filter((path) => path.includes('sharp')).length);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }));
}

it('the decoder of images is loaded with the first image, and not before', () => {
  expect(decoderIn('data.tensorDataset({})')).toBe(0);
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
  expect(decoderIn(`await data.decodeImage(Buffer.from('${png}', 'base64')).catch(() => {})`)).toBeGreaterThan(0);
});
