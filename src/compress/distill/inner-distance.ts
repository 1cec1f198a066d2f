import { DATA_TYPES, LatheError, type Tensor } from '../../base/index.ts';
import { type GraphBuilder, type Model, stored, type Value } from '../../graph/index.ts';
import { dropoutMasks, initialize, type Loss } from '../../nn/index.ts';
import { attentionDistance } from './attention-distance.ts';
import { channelDistance } from './channel-distance.ts';
import { featureMap } from './feature-map.ts';
import { cosineDistance, hiddenDistance } from './hidden-distance.ts';
import { distillationGraph } from './joint-graph.ts';
import { relationDistance } from './relation-distance.ts';
import { type Projection, transformerValues } from './transformer-values.ts';

export const INNER_METHODS = ['tinybert', 'minilm', 'distilbert', 'cwd'] as const;
export type InnerMethod = (typeof INNER_METHODS)[number];

export interface InnerOptions {
  /** Of the initialization of projections. */
  readonly seed: number;
  /** For `cwd`; default 1. */
  readonly temperature?: number;
}

/** A student beside its teacher, and how far what is inside one is from what is inside the other. */
export interface InnerDistance {
  /** The joint graph, with the projections that the distance needs. */
  readonly model: Model;
  /** Names of the projections' parameters, which are trained and then left behind. */
  readonly parameters: readonly string[];
  /** Adds the distance to a graph that extends `model`: a scalar. */
  readonly build: (graph: GraphBuilder) => Value;
}

/**
 * Joins a teacher to the training form of a student and says how far they are apart by a method as published:
 *
 * - `tinybert` (Jiao et al., 2020): Σ of the squares between attention scores and, through one projection, between states, of
 *   layer i of the student and i·k of the teacher, and between embeddings.
 * - `minilm` (Wang et al., 2020): KL of the relations of queries with keys and of values with values, in the last layers.
 * - `distilbert` (Sanh et al., 2019): the cosine between last states of one width.
 * - `cwd` (Shu et al., 2021): KL of where the channels of the last feature maps look, through a projection where they differ.
 *
 * Throws 'unsupported' for graphs without the values that a method needs, and 'usage' for sizes that it cannot match.
 */
export function innerDistance(
  method: InnerMethod,
  student: Model,
  teacher: Model,
  options: InnerOptions,
): InnerDistance {
  const joint = distillationGraph(student, teacher);
  const parts = { student, teacher, named: joint.teacher };
  const { parameters, build } = METHODS[method](parts, options);
  const initializers = new Map(joint.model.graph.initializers);
  for (const [name, value] of parameters) initializers.set(name, stored(value));
  return {
    model: { ...joint.model, graph: { ...joint.model.graph, initializers } },
    parameters: [...parameters.keys()],
    build,
  };
}

interface Parts {
  readonly student: Model;
  readonly teacher: Model;
  readonly named: (value: string) => string;
}

interface Method {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly build: InnerDistance['build'];
}

const PROJECTION = { weight: 'distillation.projection.weight', bias: 'distillation.projection.bias' } as const;

/** From one width to another, as wide as a linear layer begins. */
function projection(from: number, to: number, seed: number, kernel: readonly number[] = []): Map<string, Tensor> {
  return new Map([
    [PROJECTION.weight, initialize(PROJECTION.weight, [to, from, ...kernel], { normal: 1 / Math.sqrt(from) }, seed)],
    [PROJECTION.bias, initialize(PROJECTION.bias, [to], 'zeros', seed)],
  ]);
}

const METHODS: Readonly<Record<InnerMethod, (parts: Parts, options: InnerOptions) => Method>> = {
  tinybert({ student, teacher, named }, { seed }) {
    const [own, theirs] = [transformerValues(student), transformerValues(teacher)];
    const [layers, all] = [own.attention.length, theirs.attention.length];
    if (all % layers !== 0) {
      throw new LatheError(
        'usage',
        `tinybert: ${all} layers of the teacher are no multiple of ${layers} of the student`,
      );
    }
    const step = all / layers;
    return {
      parameters: projection(own.hidden, theirs.hidden, seed),
      build(graph) {
        const mask = maskOf(graph, student);
        const states = (ours: string, other: string): Value =>
          hiddenDistance(
            graph,
            { states: ours, width: own.hidden },
            { states: named(other), width: theirs.hidden },
            PROJECTION,
          );
        const terms = [states(own.embeddings, theirs.embeddings)];
        for (const [layer, attention] of own.attention.entries()) {
          const at = (layer + 1) * step - 1;
          const { scores, heads } = theirs.attention[at]!;
          terms.push(attentionDistance(graph, attention, { scores: named(scores), heads }, mask));
          terms.push(states(own.states[layer]!, theirs.states[at]!));
        }
        return terms.reduce((sum, term) => graph.add(sum, term));
      },
    };
  },

  minilm({ student, teacher, named }) {
    const [own, theirs] = [student, teacher].map((model) => transformerValues(model).attention.at(-1)!);
    const heads = commonHeads(own!.query.width, theirs!.query.width, theirs!.heads);
    return {
      parameters: new Map(),
      build(graph) {
        const mask = maskOf(graph, student);
        const unscaled = ({ scale }: Projection, name: string): Value =>
          scale === 1 ? name : graph.mul(name, graph.scalar(1 / scale, 'float32'));
        const relation = (from: 'query' | 'value', to: 'key' | 'value'): Value => {
          const ours = { from: unscaled(own![from], own![from].value), to: unscaled(own![to], own![to].value) };
          const other = {
            from: unscaled(theirs![from], named(theirs![from].value)),
            to: unscaled(theirs![to], named(theirs![to].value)),
          };
          return relationDistance(
            graph,
            { ...ours, width: own![from].width },
            { ...other, width: theirs![from].width },
            { heads, mask },
          );
        };
        return graph.add(relation('query', 'key'), relation('value', 'value'));
      },
    };
  },

  distilbert({ student, teacher, named }) {
    const [own, theirs] = [transformerValues(student), transformerValues(teacher)];
    if (own.hidden !== theirs.hidden) {
      throw new LatheError(
        'usage',
        `distilbert: the states of the student are ${own.hidden} wide, those of the teacher ${theirs.hidden}`,
        { hint: 'Make the student of layers of the teacher: --student layers=N.' },
      );
    }
    return {
      parameters: new Map(),
      build: (graph) =>
        cosineDistance(graph, own.states.at(-1)!, named(theirs.states.at(-1)!), {
          width: own.hidden,
          mask: maskOf(graph, student),
        }),
    };
  },

  cwd({ student, teacher, named }, { seed, temperature = 1 }) {
    const [own, theirs] = [featureMap(student), featureMap(teacher)];
    if (own.size.join() !== theirs.size.join()) {
      throw new LatheError(
        'usage',
        `cwd: the last maps of the student have ${own.size.join(' × ')} places, those of the teacher ${theirs.size.join(' × ')}`,
      );
    }
    const differ = own.channels !== theirs.channels;
    return {
      parameters: differ ? projection(own.channels, theirs.channels, seed, [1, 1]) : new Map(),
      build: (graph) =>
        channelDistance(
          graph,
          differ ? graph.op('Conv', [own.value, PROJECTION.weight, PROJECTION.bias]) : own.value,
          named(theirs.value),
          { temperature },
        ),
    };
  },
};

const MASK = 'attention_mask';

/** float32 [batch, sequence], 1 for tokens. */
function maskOf(graph: GraphBuilder, { graph: { name, inputs } }: Model): Value {
  if (inputs.some((input) => input.name === MASK)) return graph.cast(MASK, DATA_TYPES.float32.code);
  throw new LatheError('unsupported', `"${name}" has no input "${MASK}", which says what is padding`);
}

/** As many heads as the teacher has, or the most fewer that both widths can be cut into. */
function commonHeads(one: number, other: number, wanted: number): number {
  let heads = wanted;
  while (one % heads !== 0 || other % heads !== 0) heads--;
  return heads;
}

/**
 * A loss of `distance`, times `factor`, and of what the task has by itself, times `own`. The distance is one number a batch,
 * which counts as often as the batch has examples.
 */
export function withDistance(
  task: Loss,
  { build }: Pick<InnerDistance, 'build'>,
  { factor, own }: { readonly factor: number; readonly own: number },
): Loss {
  return {
    ...task,
    name: `${task.name} with a distance to a teacher`,
    build(graph, inputs) {
      const terms = task.build(graph, inputs);
      const scaled = (value: Value, by: number): Value => graph.mul(value, graph.scalar(by, 'float32'));
      const distance = scaled(build(graph), factor);
      const counted = terms.weights ?? graph.expand(graph.scalar(1, 'float32'), graph.shape(terms.losses));
      return { ...terms, losses: graph.add(scaled(terms.losses, own), graph.mul(counted, distance)) };
    },
  };
}

/** A training form without its dropout: every mask is 1. */
export function withoutDropout(model: Model): Model {
  const masks = new Set(dropoutMasks(model).map(({ name }) => name));
  if (masks.size === 0) return model;
  const { graph } = model;
  const one = stored(initialize('one', [], 'ones', 0));
  return {
    ...model,
    graph: {
      ...graph,
      inputs: graph.inputs.filter(({ name }) => !masks.has(name)),
      initializers: new Map([...graph.initializers, ...Array.from(masks, (name) => [name, one] as const)]),
    },
  };
}
