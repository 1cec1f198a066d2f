import { DATA_TYPES, LatheError, type Tensor } from '../../base/index.ts';
import { GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { activation } from '../layers/activation.ts';
import { type AttentionShapes, selfAttention } from '../layers/attention.ts';
import { dropout } from '../layers/dropout.ts';
import { addSmallEmbedding, embedding } from '../layers/embedding.ts';
import { feedForward } from '../layers/feed-forward.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import { parameter } from '../parameter.ts';
import { ARCHITECTURES, type Architecture } from './architectures.ts';
import { type EncoderSettings, encoderSettings, type HuggingFaceConfig, type ModelType } from './config.ts';

export interface EncoderOptions {
  /** `none` gives `last_hidden_state` [batch, sequence, hidden] instead of `logits` [batch, labels]. */
  readonly head?: 'sequence-classification' | 'none';
  /** The training form has dropout, with its masks as inputs: see `dropoutMasks`. */
  readonly form?: Build['form'];
  /** Of the initialization; the same seed gives the same parameters. */
  readonly seed?: number;
  /** Parameters of a checkpoint, by name; those that it lacks are initialized. */
  readonly weights?: ReadonlyMap<string, Tensor>;
  /** Whether the model takes `token_type_ids`; otherwise every token has type 0. Default: where it has two types or more. */
  readonly tokenTypeIds?: boolean;
}

/**
 * BERT (Devlin et al., 2018) from a Hugging Face configuration. Inputs `input_ids`, `attention_mask` and
 * `token_type_ids`, int64 [batch, sequence]; output `logits` [batch, labels]. Parameters carry their checkpoint names.
 * Throws 'unsupported' or 'invalid-model' with the field of the configuration.
 */
export function bert(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('bert', config, options);
}

/** DistilBERT (Sanh et al., 2019): as {@link bert}, without token types. */
export function distilbert(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('distilbert', config, options);
}

/** RoBERTa (Liu et al., 2019): as {@link bert}; positions count from the padding id + 1, over tokens that are not padding. */
export function roberta(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('roberta', config, options);
}

/** The architecture that the configuration's `model_type` names. Throws 'unsupported' for others. */
export function fromConfig(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  const type = config.model_type;
  if (typeof type !== 'string' || !Object.hasOwn(ARCHITECTURES, type)) {
    throw new LatheError(
      'unsupported',
      `config.json: model_type is ${JSON.stringify(type)}, supported are ${Object.keys(ARCHITECTURES).join(', ')}`,
      { hint: 'Models of other types can be trained from their ONNX file.' },
    );
  }
  return encoder(type as ModelType, config, options);
}

function encoder(type: ModelType, config: HuggingFaceConfig, options: EncoderOptions): Model {
  const settings = encoderSettings(config, type);
  const architecture = ARCHITECTURES[type];
  const graph = new GraphBuilder();
  const build: Build = {
    graph,
    form: options.form ?? 'inference',
    seed: options.seed ?? 0,
    ...(options.weights && { weights: options.weights }),
  };
  const ids = graph.input('input_ids', 'int64', ['batch', 'sequence']);
  const mask = graph.input('attention_mask', 'int64', ['batch', 'sequence']);
  const types =
    settings.tokenTypes > 0 && (options.tokenTypeIds ?? settings.tokenTypes > 1)
      ? graph.input('token_type_ids', 'int64', ['batch', 'sequence'])
      : undefined;
  const shapes = sharedShapes(build, ids, mask, settings);

  const embedded = embeddings(build, architecture, settings, { ids, types, shapes });
  if (options.head === 'none') {
    const x = layers(build, embedded, architecture, settings, shapes);
    const states = graph.reshape(x, shapes.sequences); // [B, T, hidden]
    graph.output(states, { dtype: 'float32', shape: ['batch', 'sequence', settings.hidden] }, 'last_hidden_state');
  } else {
    const first = layers(build, embedded, architecture, settings, shapes, 'first');
    const logits = classifier(build, first, architecture, settings);
    graph.output(logits, { dtype: 'float32', shape: ['batch', settings.labels] }, 'logits');
  }
  return graph.build({ name: type });
}

interface Shapes extends AttentionShapes {
  /** int64 [1]. */
  readonly batch: Value;
  /** int64 [1]. */
  readonly sequence: Value;
  /** int64 [3]: batch, sequence, hidden. */
  readonly sequences: Value;
}

/**
 * What hides padding: 0 for tokens, −10,000 for padding. After softmax that is zero exactly, a sequence of padding alone
 * gives no NaN, and unlike float32's lowest number it is finite in float16 too.
 */
const HIDDEN = -10_000;

function sharedShapes(build: Build, ids: Value, mask: Value, settings: EncoderSettings): Shapes {
  const { graph } = build;
  const { hidden, heads } = settings;
  const shape = graph.shape(ids);
  const batch = graph.gather(shape, graph.int64s([0]));
  const sequence = graph.gather(shape, graph.int64s([1]));
  const padding = graph.sub(graph.scalar(1, 'float32'), graph.cast(mask, FLOAT32)); // [B, T]
  return {
    batch,
    sequence,
    sequences: graph.concat([batch, sequence, graph.int64s([hidden])], 0),
    split: graph.concat([batch, sequence, graph.int64s([heads, hidden / heads])], 0),
    merged: graph.int64s([-1, hidden]),
    mask: graph.unsqueeze(graph.mul(padding, graph.scalar(HIDDEN, 'float32')), [1, 2]), // [B, 1, 1, T]
  };
}

function embeddings(
  build: Build,
  { embeddings: names, positions }: Architecture,
  settings: EncoderSettings,
  inputs: { readonly ids: Value; readonly types: Value | undefined; readonly shapes: Shapes },
): Value {
  const { graph } = build;
  const { hidden, hiddenDropout, epsilon } = settings;
  const { ids, types, shapes } = inputs;
  const initialization = { normal: settings.initializerRange };
  const withPadding = { ...initialization, zeroRow: settings.paddingId };
  const words = { count: settings.vocabularySize, size: hidden, initialization: withPadding };
  let x = embedding(build, ids, names.words, words); // [B, T, hidden]

  const rows = { count: settings.positions, size: hidden };
  x = graph.add(
    x,
    positions === 'counted'
      ? firstRows(build, names.positions, { ...rows, initialization }, shapes.sequence) // [T, hidden]
      : embedding(build, positionsAfterPadding(build, ids, settings.paddingId), names.positions, {
          ...rows,
          initialization: withPadding,
        }), // [B, T, hidden]
  );

  x = graph.reshape(x, shapes.merged); // [B · T, hidden]
  const kinds = { count: settings.tokenTypes, size: hidden, initialization };
  if (types !== undefined) {
    x = addSmallEmbedding(build, x, graph.reshape(types, graph.int64s([-1])), names.tokenTypes, kinds);
  } else if (settings.tokenTypes > 0) {
    x = graph.add(x, firstRows(build, names.tokenTypes, kinds, graph.int64s([1]))); // [B · T, hidden] + [1, hidden]
  }
  x = layerNorm(build, x, names.norm, { size: hidden, epsilon });
  return dropout(build, x, names.dropout, { probability: hiddenDropout, shape: ['batch*sequence', hidden] });
}

/** The first rows of an embedding: a slice rather than a gather, because its gradient is a padding, which costs nothing. */
function firstRows(
  build: Build,
  name: string,
  options: { readonly count: number; readonly size: number; readonly initialization: Initialization },
  wanted: Value,
): Value {
  const { graph } = build;
  const table = parameter(build, `${name}.weight`, [options.count, options.size], options.initialization);
  return graph.op('Slice', [table, graph.int64s([0]), wanted, graph.int64s([0])]);
}

/** [B, T]: how many tokens that are not padding came so far, plus the padding id; padding keeps the padding id. */
function positionsAfterPadding({ graph }: Build, ids: Value, paddingId: number): Value {
  const padding = graph.scalar(paddingId, 'int64');
  const present = graph.cast(graph.op('Not', [graph.equal(ids, padding)]), INT64);
  const counted = graph.op('CumSum', [present, graph.scalar(1, 'int64')]);
  return graph.add(graph.mul(counted, present), padding);
}

/**
 * All layers: [B · T, hidden] → [B · T, hidden], or [B, hidden] where only the first token of each sequence is wanted. Of
 * the others the last layer then needs no more than keys and values, which saves most of that layer: 21 % of a step of
 * four layers, forward and backward, with the same result.
 */
function layers(
  build: Build,
  embedded: Value,
  architecture: Architecture,
  settings: EncoderSettings,
  shapes: Shapes,
  rows: 'all' | 'first' = 'all',
): Value {
  let x = embedded;
  for (let index = 0; index < settings.layers; index++) {
    const wanted = index === settings.layers - 1 ? rows : 'all';
    x = layer(build, x, wanted, `${architecture.layers}.${index}`, architecture.layer, settings, shapes);
  }
  return x;
}

/** One layer of the encoder, with normalization behind each half. */
function layer(
  build: Build,
  x: Value,
  rows: 'all' | 'first',
  prefix: string,
  names: Architecture['layer'],
  settings: EncoderSettings,
  shapes: Shapes,
): Value {
  const { graph } = build;
  const { hidden, heads, hiddenDropout, epsilon } = settings;
  const initialization = { normal: settings.initializerRange };
  const first =
    rows === 'first'
      ? graph.reshape(graph.slice(graph.reshape(x, shapes.sequences), [0], [1], [1]), shapes.merged) // [B, hidden]
      : undefined;
  const count = rows === 'first' ? 'batch' : 'batch*sequence';
  const at = (name: string): string => `${prefix}.${name}`;
  const dropHidden = (value: Value, name: string | undefined): Value =>
    name === undefined
      ? value
      : dropout(build, value, at(name), { probability: hiddenDropout, shape: [count, hidden] });

  const context = selfAttention(
    build,
    x,
    { query: at(names.query), key: at(names.key), value: at(names.value), dropout: at(names.attentionDropout) },
    {
      hidden,
      heads,
      shapes,
      probability: settings.attentionDropout,
      initialization,
      ...(first !== undefined && {
        first: { rows: first, split: graph.concat([shapes.batch, graph.int64s([1, heads, hidden / heads])], 0) },
      }),
    },
  );
  const projected = linear(build, context, at(names.attentionOutput), {
    inputs: hidden,
    outputs: hidden,
    initialization,
  });
  const attended = layerNorm(
    build,
    graph.add(dropHidden(projected, names.attentionOutputDropout), first ?? x),
    at(names.attentionNorm),
    { size: hidden, epsilon },
  );
  const fed = feedForward(
    build,
    attended,
    { expand: at(names.expand), contract: at(names.contract) },
    { hidden, intermediate: settings.intermediate, activation: settings.activation, initialization },
  );
  return layerNorm(build, graph.add(dropHidden(fed, names.outputDropout), attended), at(names.outputNorm), {
    size: hidden,
    epsilon,
  });
}

function classifier(build: Build, first: Value, architecture: Architecture, settings: EncoderSettings): Value {
  const { hidden } = settings;
  const initialization = { normal: settings.initializerRange };
  let x = first;
  for (const step of architecture.classifier) {
    if (step.kind === 'dropout') {
      x = dropout(build, x, step.name, { probability: settings.classifierDropout, shape: ['batch', hidden] });
    } else if (step.kind === 'dense') {
      x = activation(
        build,
        linear(build, x, step.name, { inputs: hidden, outputs: hidden, initialization }),
        step.activation,
      );
    } else x = linear(build, x, step.name, { inputs: hidden, outputs: settings.labels, initialization });
  }
  return x;
}

const FLOAT32 = DATA_TYPES.float32.code;
const INT64 = DATA_TYPES.int64.code;
