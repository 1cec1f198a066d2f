import { LatheError, sizeOf, type Tensor } from '../base/index.ts';
import { Memory, type WebAssemblyMemory } from './web-assembly.ts';

const ALIGNMENT = 64;
/** WebAssembly memory of 32 bits ends here. */
const LARGEST_BLOCK = 65_535 * 65_536;

type Shape = readonly [name: string, dims: readonly number[]];

/** The memory behind each buffer given out, for kernels that work in it. */
const MEMORIES = new WeakMap<ArrayBufferLike, WebAssemblyMemory>();

/**
 * Float32 tensors of zeros that stay where they are, each on a boundary of 64 bytes, for weights and optimizer state
 * that are read and written step after step. Tensors of one group lie in one memory, so that a kernel can work on them
 * in place; only a group of more than 4 GB is taken apart. The memory is WebAssembly's: beside kernels, which need it,
 * because it is the only kind that JavaScript gives out on page boundaries.
 */
export function allocateTensors(groups: Iterable<readonly Shape[]>): Map<string, Tensor> {
  const blocks: { bytes: number; members: [Shape, offset: number][] }[] = [{ bytes: 0, members: [] }];
  const place = (shapes: readonly Shape[]): void => {
    const bytes = shapes.reduce((sum, [, dims]) => sum + slotBytes(dims), 0);
    if (bytes > LARGEST_BLOCK && shapes.length > 1) {
      for (const shape of shapes) place([shape]);
      return;
    }
    if (bytes > LARGEST_BLOCK)
      throw new LatheError('unsupported', `tensor "${shapes[0]![0]}" has ${bytes} bytes; at most 4 GB fit`);
    if (blocks.at(-1)!.bytes + bytes > LARGEST_BLOCK) blocks.push({ bytes: 0, members: [] });
    const block = blocks.at(-1)!;
    for (const shape of shapes) {
      block.members.push([shape, block.bytes]);
      block.bytes += slotBytes(shape[1]);
    }
  };
  for (const group of groups) place(group);
  const tensors = new Map<string, Tensor>();
  for (const { bytes, members } of blocks) {
    const memory = new Memory({ initial: Math.ceil(bytes / 65_536) });
    MEMORIES.set(memory.buffer, memory);
    for (const [[name, dims], offset] of members) {
      tensors.set(name, { dtype: 'float32', dims, data: new Float32Array(memory.buffer, offset, sizeOf(dims)) });
    }
  }
  return tensors;
}

/** The memory that a buffer of `allocateTensors` belongs to. */
export function memoryBehind(buffer: ArrayBufferLike): WebAssemblyMemory | undefined {
  return MEMORIES.get(buffer);
}

function slotBytes(dims: readonly number[]): number {
  return Math.ceil((sizeOf(dims) * 4) / ALIGNMENT) * ALIGNMENT;
}
