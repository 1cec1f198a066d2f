import { intOf } from '../../attributes.ts';
import { first, type History, type Step, same, without } from './step.ts';

/** Whether the whole sequence is an output was an attribute as well. */
const sequence: Step = (context) => {
  const { node, reads, refuse } = context;
  if (reads(0) && intOf(node, 'output_sequence', 0) === 0)
    throw refuse('the sequence as an output with output_sequence 0');
  return without('output_sequence')(context);
};

export const RECURRENT = {
  GRU: { 1: first, 3: same, 7: sequence, 14: same },
  LSTM: { 1: first, 7: sequence, 14: same },
  RNN: { 1: first, 7: sequence, 14: same },
  ReverseSequence: { 10: first },
} satisfies Record<string, History>;
