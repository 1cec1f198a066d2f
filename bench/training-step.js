import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The same for both: without it the system clears and maps large blocks anew in every step. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 30), MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30) };

/** One training step of 6 layers × 384, batch 16 × 128 tokens, AdamW, without dropout. */
export async function trainingStep() {
  const lathe = runJson(process.execPath, [here('training-step-worker.js')]);
  if (lathe === undefined) throw new Error('the training step did not run');
  const torch = hasTorch() ? runJson('python3', [here('training-step-torch.py')]) : undefined;
  const share = lathe.gigaflops / (lathe.milliseconds / 1000) / lathe.matMulGigaflopsPerSecond;
  return [
    { what: 'MatMul, 8 independent 1024³', value: lathe.matMulGigaflopsPerSecond, unit: 'GFLOP/s' },
    { what: 'training step', value: lathe.milliseconds, unit: 'ms' },
    { what: 'operations in it (last layer: first token alone)', value: lathe.gigaflops, unit: 'GFLOP' },
    { what: 'share of the MatMul speed', value: Math.round(share * 100), unit: '%', bar: '≥ 60' },
    { what: 'peak memory', value: lathe.peakMegabytes, unit: 'MB', bar: '≤ 1,200' },
    ...(torch === undefined
      ? [{ what: 'PyTorch', value: 'not installed' }]
      : [
          { what: `PyTorch ${torch.version}, same step`, value: torch.milliseconds, unit: 'ms' },
          { what: 'PyTorch, peak memory', value: torch.peakMegabytes, unit: 'MB' },
          { what: 'PyTorch time ÷ Lathe time', value: torch.milliseconds / lathe.milliseconds, bar: '≥ 1.0' },
        ]),
  ];
}

function hasTorch() {
  return spawnSync('python3', ['-c', 'import torch'], { stdio: 'ignore' }).status === 0;
}

function runJson(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { env: { ...process.env, ...MALLOC }, encoding: 'utf8' });
  if (status === 0) return JSON.parse(stdout.trim().split('\n').at(-1));
  process.stderr.write(`${args[0]}: ${stderr.slice(-500)}\n`);
  return undefined;
}

function here(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
