import { LatheError, sizeOf, type Tensor } from '../base/index.ts';

/** Of the JavaScript standard's web part, which the compiler's `es` libraries leave out. */
declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

const ALIGNMENT = 64;
/** WebAssembly memory of 32 bits ends here. */
const LARGEST_BLOCK = 65_535 * 65_536;

/**
 * Float32 tensors of zeros that stay where they are, each on a boundary of 64 bytes, for weights and optimizer state
 * that a session writes to step after step. The memory is WebAssembly's, because it is the only kind that JavaScript
 * gives out on page boundaries.
 */
export function allocateTensors(
  shapes: Iterable<readonly [name: string, dims: readonly number[]]>,
): Map<string, Tensor> {
  const blocks: { bytes: number; members: [string, readonly number[], number][] }[] = [{ bytes: 0, members: [] }];
  for (const [name, dims] of shapes) {
    const bytes = sizeOf(dims) * 4;
    if (bytes > LARGEST_BLOCK)
      throw new LatheError('unsupported', `tensor "${name}" has ${bytes} bytes; at most 4 GB fit`);
    let block = blocks.at(-1)!;
    if (block.bytes + bytes > LARGEST_BLOCK) {
      block = { bytes: 0, members: [] };
      blocks.push(block);
    }
    block.members.push([name, dims, block.bytes]);
    block.bytes = Math.ceil((block.bytes + bytes) / ALIGNMENT) * ALIGNMENT;
  }
  const tensors = new Map<string, Tensor>();
  for (const { bytes, members } of blocks) {
    const { buffer } = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65_536) });
    for (const [name, dims, offset] of members) {
      tensors.set(name, { dtype: 'float32', dims, data: new Float32Array(buffer, offset, sizeOf(dims)) });
    }
  }
  return tensors;
}
