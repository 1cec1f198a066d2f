import { runNode, runTorch } from './measured-process.js';

const NETWORKS = [
  { name: 'resnet-18', side: 64, title: 'ResNet-18, 64 × 64' },
  { name: 'mobilenet-v3-small', side: 96, title: 'MobileNetV3-small, 96 × 96' },
];

/** One training step of a convolutional network at batch 32: batch normalization by the batch, AdamW, no clipping. */
export async function convolutionStep() {
  return NETWORKS.flatMap(({ name, side, title }) => {
    const lathe = runNode('convolution-step-worker.js', name, String(side));
    const torch = runTorch('convolution-step-torch.py', name, String(side));
    return [
      { what: title, value: lathe.milliseconds, unit: 'ms' },
      { what: `${title}, peak memory`, value: lathe.peakMegabytes, unit: 'MB' },
      ...(torch === undefined
        ? [{ what: `${title}, PyTorch`, value: 'not installed' }]
        : [
            { what: `${title}, PyTorch ${torch.version}, ${torch.format}`, value: torch.milliseconds, unit: 'ms' },
            {
              what: `${title}, PyTorch time ÷ Lathe time`,
              value: torch.milliseconds / lathe.milliseconds,
              bar: '≥ 1.0',
            },
          ]),
    ];
  });
}
