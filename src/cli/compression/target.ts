import { LatheError } from '../../base/index.ts';
import type { Measured } from '../../compress/index.ts';
import { parseBytes } from '../../zoo/index.ts';

/** What a user wants a compressed model to be, of a source that was measured. */
export type Target = (source: Measured) => { readonly latencyMs?: number; readonly bytes?: number };

/**
 * Parses `latency=5ms`, `latency=0.1` (of the source's), `bytes=3MB` or `bytes=0.04`. Throws 'usage' for anything else.
 */
export function parseTarget(text: string): Target {
  const [, name, value] = /^(latency|bytes)=(.+)$/.exec(text.trim()) ?? [];
  const share = /^0?\.\d+$/.test(value ?? '') ? Number(value) : undefined;
  const milliseconds = /^(\d+(?:\.\d+)?)\s*ms$/.exec(value ?? '')?.[1];
  const bytes = value === undefined || share !== undefined ? undefined : parseBytes(value);
  if (name === 'latency' && share) return ({ latencyMs }) => ({ latencyMs: share * latencyMs });
  if (name === 'latency' && Number(milliseconds) > 0) return () => ({ latencyMs: Number(milliseconds) });
  if (name === 'bytes' && share) return (source) => ({ bytes: share * source.bytes });
  if (name === 'bytes' && bytes) return () => ({ bytes });
  throw new LatheError('usage', `--target: expected latency=5ms, latency=0.1, bytes=3MB or bytes=0.04, got "${text}"`, {
    hint: 'A number below 1 is a share of what the source has.',
  });
}
