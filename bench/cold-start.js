import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trainWordPiece } from 'lathe-ml/data';
import { bert, presetConfig } from 'lathe-ml/nn';
import { writePackage } from 'lathe-ml/pipeline';
import { median } from './median.js';

const lathe = fileURLToPath(new URL('../bin/lathe.js', import.meta.url));

/** From the command to its answer, in a new process each time, for a bert-mini with a vocabulary of real size. */
export async function coldStart() {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-bench-'));
  try {
    await writeBertMini(join(folder, 'package'));
    return [
      {
        what: 'lathe predict, bert-mini, cold',
        value: timed(['predict', join(folder, 'package'), 'a text to classify']),
        unit: 's',
        bar: '≤ 1.0',
      },
      { what: 'lathe --help', value: timed(['--help']), unit: 's' },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function timed(args) {
  const times = Array.from({ length: 7 }, () => {
    const started = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [lathe, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return (performance.now() - started) / 1000;
  });
  return median(times);
}

async function writeBertMini(folder) {
  const words = Array.from({ length: 60_000 }, (_, index) => ((index * 2654435761) % 2 ** 32).toString(36));
  const { tokenizer, config: tokenizerConfig } = trainWordPiece(
    words.map((word) => `${word} ${word}`),
    { vocabularySize: 16_000 },
  );
  const labels = ['a', 'b'];
  const config = presetConfig('bert-mini', { vocabularySize: Object.keys(tokenizer.model.vocab).length, labels });
  await writePackage(folder, {
    model: bert(config),
    manifest: {
      task: 'text-classification',
      labels,
      pipeline: {
        input: 'text',
        steps: [],
        features: { kind: 'tokens', maxLength: 128, tokenTypes: true },
        output: { name: 'logits', scores: 'softmax' },
      },
      columns: { text: 'text', label: 'label' },
      metrics: [],
      lineage: { step: 'bench', settings: {}, seed: 0, dataHash: '', versions: {}, createdAt: '' },
    },
    files: {
      'config.json': JSON.stringify(config),
      'tokenizer.json': JSON.stringify(tokenizer),
      'tokenizer_config.json': JSON.stringify(tokenizerConfig),
    },
  });
}
