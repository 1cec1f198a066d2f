import { DATA_TYPES, LatheError } from '../../base/index.ts';
import { GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import type { Build, ParameterSource } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { type AttentionShapes, selfAttention } from '../layers/attention.ts';
import { dropout } from '../layers/dropout.ts';
import { addSmallEmbedding, embedding } from '../layers/embedding.ts';
import { feedForward } from '../layers/feed-forward.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import { parameter } from '../parameter.ts';
import { ARCHITECTURES, type Architecture, type Head } from './architectures.ts';
import { type EncoderSettings, encoderSettings, type HuggingFaceConfig, type ModelType } from './config.ts';
import { headOver } from './heads.ts';
import { relativePositions } from './relative-positions.ts';

export interface EncoderOptions {
  /**
   * What the model gives: `logits` [batch, labels] for `sequence-classification` (the default), `logits` [batch, sequence,
   * labels] for `token-classification`, `start_logits` and `end_logits` [batch, sequence] for `question-answering`,
   * `logits` [batch, sequence, words] for `masked-lm`, `last_hidden_state` [batch, sequence, hidden] for `none`.
   */
  readonly head?: Head | 'none';
  /**
   * For `masked-lm`: an input `masked_positions`, int64 [masked], of places in [batch · sequence], and `logits` [masked, words]
   * of these alone. The words of a vocabulary cost most of such a model, and few places are asked for in training.
   */
  readonly maskedPositions?: boolean;
  /**
   * For `sequence-classification`: the last layer gives the states of all tokens, of which the head reads the first, as in other
   * implementations. The result is the same; what compares states with those of another model needs them. Default false.
   */
  readonly everyRow?: boolean;
  /** The training form has dropout, with its masks as inputs: see `dropoutMasks`. */
  readonly form?: Build['form'];
  /** Of the initialization; the same seed gives the same parameters. */
  readonly seed?: number;
  /** Parameters of a checkpoint, by name; those that it lacks are initialized. */
  readonly weights?: ParameterSource;
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

/** ELECTRA (Clark et al., 2020): as {@link bert}; the embeddings may be narrower than the layers. */
export function electra(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('electra', config, options);
}

/** ALBERT (Lan et al., 2019): as {@link bert}, with narrower embeddings and layers that share their parameters. */
export function albert(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('albert', config, options);
}

/** MPNet (Song et al., 2020): as {@link roberta}, without token types; attention knows how far apart two tokens are. */
export function mpnet(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder('mpnet', config, options);
}

/** The architecture that the configuration's `model_type` names. Throws 'unsupported' for others. */
export function fromConfig(config: HuggingFaceConfig, options: EncoderOptions = {}): Model {
  return encoder(modelTypeOf(config), config, options);
}

/** The `model_type` of a configuration. Throws 'unsupported' for those that Lathe has no architecture for. */
export function modelTypeOf(config: HuggingFaceConfig): ModelType {
  const type = config.model_type;
  if (typeof type !== 'string' || !Object.hasOwn(ARCHITECTURES, type)) {
    throw new LatheError(
      'unsupported',
      `config.json: model_type is ${JSON.stringify(type)}, supported are ${Object.keys(ARCHITECTURES).join(', ')}`,
      { hint: 'Models of other types can be trained from their ONNX file.' },
    );
  }
  return type as ModelType;
}

/** Tokens of a sequence that a model can tell the places of; positions that count from the padding id leave out the first. */
export function longestSequence(config: HuggingFaceConfig): number {
  const type = modelTypeOf(config);
  const { positions, paddingId } = encoderSettings(config, type);
  return ARCHITECTURES[type].positions === 'afterPadding' ? positions - paddingId - 1 : positions;
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
  const shapes = sharedShapes(build, ids, mask, architecture, settings);
  const embedded = embeddings(build, architecture, settings, { ids, types, shapes });

  const { head = 'sequence-classification' } = options;
  const perSequence = head === 'sequence-classification';
  const everyRow = perSequence && options.everyRow === true;
  const all = layers(build, embedded, architecture, settings, shapes, perSequence && !everyRow ? 'first' : 'all');
  const states = everyRow ? firstStates(graph, all, shapes, settings.hidden) : all;
  if (head === 'none') return finish(graph, type, { last_hidden_state: [states, settings.hidden] }, shapes);
  if (head === 'masked-lm' && options.maskedPositions) {
    const masked = graph.gather(states, graph.input('masked_positions', 'int64', ['masked'])); // [masked, hidden]
    const words = headOver(build, masked, head, architecture, settings);
    graph.output(words, { dtype: 'float32', shape: ['masked', settings.vocabularySize] }, 'logits');
    return graph.build({ name: type });
  }
  const logits = headOver(build, states, head, architecture, settings);
  if (head === 'question-answering') {
    const [start, end] = graph.split(logits, [1, 1], 1); // [B · T, 1] each
    return finish(graph, type, { start_logits: [start!], end_logits: [end!] }, shapes);
  }
  if (!perSequence) {
    const outputs = head === 'masked-lm' ? settings.vocabularySize : settings.labels;
    return finish(graph, type, { logits: [logits, outputs] }, shapes);
  }
  graph.output(logits, { dtype: 'float32', shape: ['batch', settings.labels] }, 'logits');
  return graph.build({ name: type });
}

/** Declares outputs that have a row a token: [B · T, width] becomes [B, T, width], [B · T, 1] becomes [B, T]. */
function finish(
  graph: GraphBuilder,
  type: ModelType,
  outputs: Readonly<Record<string, readonly [Value, number?]>>,
  shapes: Shapes,
): Model {
  for (const [name, [value, width]] of Object.entries(outputs)) {
    const shape = ['batch', 'sequence', ...(width === undefined ? [] : [width])];
    graph.output(rowsOfSequences(graph, value, shapes, width), { dtype: 'float32', shape }, name);
  }
  return graph.build({ name: type });
}

/** [B · T, width] → [B, T, width], or [B · T, 1] → [B, T]. */
function rowsOfSequences(graph: GraphBuilder, x: Value, { batch, sequence }: Shapes, width?: number): Value {
  return graph.reshape(x, graph.concat([batch, sequence, ...(width === undefined ? [] : [graph.int64s([width])])], 0));
}

/** [B · T, hidden] → [B, hidden]: the first token of each sequence. */
function firstStates(graph: GraphBuilder, x: Value, shapes: Shapes, hidden: number): Value {
  return graph.reshape(graph.slice(rowsOfSequences(graph, x, shapes, hidden), [0], [1], [1]), shapes.merged);
}

interface Shapes extends AttentionShapes {
  /** int64 [1]. */
  readonly batch: Value;
  /** int64 [1]. */
  readonly sequence: Value;
  /** `mask` for the first token alone. */
  readonly firstMask: Value;
}

/**
 * What hides padding: 0 for tokens, −10,000 for padding. After softmax that is zero exactly, a sequence of padding alone
 * gives no NaN, and unlike float32's lowest number it is finite in float16 too.
 */
const HIDDEN = -10_000;

function sharedShapes(
  build: Build,
  ids: Value,
  mask: Value,
  { relativePositions: distances }: Architecture,
  settings: EncoderSettings,
): Shapes {
  const { graph } = build;
  const { hidden, heads, positions } = settings;
  const shape = graph.shape(ids);
  const batch = graph.gather(shape, graph.int64s([0]));
  const sequence = graph.gather(shape, graph.int64s([1]));
  const padding = graph.sub(graph.scalar(1, 'float32'), graph.cast(mask, FLOAT32)); // [B, T]
  const split = graph.concat([batch, sequence, graph.int64s([heads, hidden / heads])], 0);
  const merged = graph.int64s([-1, hidden]);
  const seen = graph.unsqueeze(graph.mul(padding, graph.scalar(HIDDEN, 'float32')), [1, 2]); // [B, 1, 1, T]
  const shapes = { batch, sequence, split, merged, mask: seen, firstMask: seen };
  if (distances === undefined) return shapes;
  const initialization = { normal: settings.initializerRange };
  const added = relativePositions(build, distances, { heads, positions, sequence, initialization }); // [1, heads, T, T]
  return {
    ...shapes,
    mask: graph.add(added, seen), // [B, heads, T, T]
    firstMask: graph.add(graph.slice(added, [0], [1], [2]), seen), // [B, heads, 1, T]
  };
}

function embeddings(
  build: Build,
  { embeddings: names, positions }: Architecture,
  settings: EncoderSettings,
  inputs: { readonly ids: Value; readonly types: Value | undefined; readonly shapes: Shapes },
): Value {
  const { graph } = build;
  const { hidden, embedding: size, hiddenDropout, epsilon } = settings;
  const { ids, types, shapes } = inputs;
  const initialization = { normal: settings.initializerRange };
  const withPadding = { ...initialization, zeroRow: settings.paddingId };
  const words = { count: settings.vocabularySize, size, initialization: withPadding };
  let x = embedding(build, ids, names.words, words); // [B, T, size]

  const rows = { count: settings.positions, size };
  x = graph.add(
    x,
    positions === 'counted'
      ? firstRows(build, names.positions, { ...rows, initialization }, shapes.sequence) // [T, size]
      : embedding(build, positionsAfterPadding(build, ids, settings.paddingId), names.positions, {
          ...rows,
          initialization: withPadding,
        }), // [B, T, size]
  );

  x = graph.reshape(x, graph.int64s([-1, size])); // [B · T, size]
  if (names.tokenTypes !== undefined && settings.tokenTypes > 0) {
    const kinds = { count: settings.tokenTypes, size, initialization };
    x =
      types === undefined
        ? graph.add(x, firstRows(build, names.tokenTypes, kinds, graph.int64s([1]))) // [B · T, size] + [1, size]
        : addSmallEmbedding(build, x, graph.reshape(types, graph.int64s([-1])), names.tokenTypes, kinds);
  }
  x = layerNorm(build, x, names.norm, { size, epsilon });
  x = dropout(build, x, names.dropout, { probability: hiddenDropout, shape: ['batch*sequence', size] });
  const { projection } = names;
  if (projection === undefined || (projection.when === 'widths differ' && size === hidden)) return x;
  return linear(build, x, projection.name, { inputs: size, outputs: hidden, initialization }); // [B · T, hidden]
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
  const { groups, layersPerGroup } = settings;
  let x = embedded;
  for (let index = 0; index < settings.layers; index++) {
    const group = Math.floor(index / (settings.layers / groups));
    for (let inner = 0; inner < layersPerGroup; inner++) {
      const isLast = index === settings.layers - 1 && inner === layersPerGroup - 1;
      const prefix = architecture.layers(group, inner);
      // Layers that share parameters drop different elements.
      const dropouts = groups === settings.layers ? prefix : `${prefix}.${index}`;
      x = layer(build, x, isLast ? rows : 'all', { prefix, dropouts }, architecture.layer, settings, shapes);
    }
  }
  return x;
}

/** One layer of the encoder, with normalization behind each half. */
function layer(
  build: Build,
  x: Value,
  rows: 'all' | 'first',
  { prefix, dropouts }: { readonly prefix: string; readonly dropouts: string },
  names: Architecture['layer'],
  settings: EncoderSettings,
  shapes: Shapes,
): Value {
  const { graph } = build;
  const { hidden, heads, hiddenDropout, epsilon } = settings;
  const initialization = { normal: settings.initializerRange };
  const first = rows === 'first' ? firstStates(graph, x, shapes, hidden) : undefined;
  const count = rows === 'first' ? 'batch' : 'batch*sequence';
  const at = (name: string): string => `${prefix}.${name}`;
  const dropHidden = (value: Value, name: string | undefined): Value =>
    name === undefined
      ? value
      : dropout(build, value, `${dropouts}.${name}`, { probability: hiddenDropout, shape: [count, hidden] });

  const context = selfAttention(
    build,
    x,
    {
      query: at(names.query),
      key: at(names.key),
      value: at(names.value),
      dropout: `${dropouts}.${names.attentionDropout}`,
    },
    {
      hidden,
      heads,
      shapes,
      probability: settings.attentionDropout,
      initialization,
      ...(first !== undefined && {
        first: {
          rows: first,
          split: graph.concat([shapes.batch, graph.int64s([1, heads, hidden / heads])], 0),
          mask: shapes.firstMask,
        },
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

const FLOAT32 = DATA_TYPES.float32.code;
const INT64 = DATA_TYPES.int64.code;
