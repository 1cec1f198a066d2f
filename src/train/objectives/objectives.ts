import { answers } from './answers.ts';
import { classification } from './classification.ts';
import { entities } from './entities.ts';
import { loss } from './loss.ts';
import { multiLabel } from './multi-label.ts';
import type { Measure, MeasureContext, ObjectiveRule } from './objective.ts';
import { regression } from './regression.ts';
import { similarity } from './similarity.ts';

const OBJECTIVES = {
  classification,
  'multi-label': multiLabel,
  regression,
  similarity,
  entities,
  answers,
  loss,
} as const;

type Kind = keyof typeof OBJECTIVES;
type OptionsOf<Rule> = Rule extends ObjectiveRule<infer Options> ? Options : never;

/** What the outputs of a model mean, so that a score can be made of them: plain data, for the training process. */
export type Objective = { [K in Kind]: { readonly kind: K } & OptionsOf<(typeof OBJECTIVES)[K]> }[Kind];

export function startMeasure(objective: Objective, context: MeasureContext): Measure {
  return ruleOf(objective).start(objective, context);
}

/** The name of the metric that picks the best checkpoint. */
export function headlineOfObjective(objective: Objective): string {
  return ruleOf(objective).headline;
}

/** The metric that picks the best checkpoint, turned so that larger is better. */
export function scoreOf(objective: Objective, metrics: Readonly<Record<string, number>>, loss: number): number {
  const { headline, better } = ruleOf(objective);
  const value = headline === 'loss' ? loss : metrics[headline]!;
  return better === 'higher' ? value : -value;
}

function ruleOf({ kind }: Objective): ObjectiveRule<Objective> {
  return OBJECTIVES[kind] as ObjectiveRule<Objective>;
}
