import { runNode, runTorch } from './measured-process.js';

/** One training step of 6 layers × 384, batch 16 × 128 tokens, AdamW, without dropout. */
export async function trainingStep() {
  const lathe = runNode('training-step-worker.js');
  const torch = runTorch('training-step-torch.py');
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
