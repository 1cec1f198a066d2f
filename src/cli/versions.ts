import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Of Lathe, Node and ONNX Runtime: part of every run's record. */
export function versions(): Record<string, string> {
  return {
    lathe: latheVersion(),
    node: process.version,
    'onnxruntime-node': readVersion('onnxruntime-node/package.json'),
  };
}

export function latheVersion(): string {
  return readVersion('../../package.json');
}

function readVersion(path: string): string {
  return (require(path) as { version: string }).version;
}
