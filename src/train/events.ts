/** Why a run ended. */
export type StopReason = 'finished' | 'no improvement' | 'time budget' | 'interrupted';

/** What a run tells while it goes on. All is plain data: it crosses from the training process. */
export type TrainEvent =
  | {
      readonly type: 'start';
      readonly resumedFrom: number;
      readonly totalSteps: number;
      readonly trainable: number;
      readonly parameters: number;
    }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradientNorm: number;
      readonly examplesPerSecond: number;
      readonly tokensPerSecond: number;
    }
  | {
      readonly type: 'validation';
      readonly step: number;
      readonly epoch: number;
      readonly loss: number;
      readonly metrics: Readonly<Record<string, number>>;
      /** The name of the metric that picks the best checkpoint. */
      readonly headline: string;
      readonly improved: boolean;
    }
  | {
      readonly type: 'end';
      readonly reason: StopReason;
      readonly step: number;
      readonly seconds: number;
      /** Of all tokens computed in this sitting, how many were padding. */
      readonly paddingShare: number;
      readonly best?: { readonly step: number; readonly score: number };
    };
