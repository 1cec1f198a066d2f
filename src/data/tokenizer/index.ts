export { continuationIds } from './continuation.ts';
export type { AddedTokenFile, TokenizerConfigFile, TokenizerFile, TokenizerFiles } from './files.ts';
export { type PadBatchOptions, type PaddedBatch, padBatch } from './padding.ts';
export { type DecodeOptions, type EncodeOptions, type Encoding, loadTokenizer, type Tokenizer } from './tokenizer.ts';
export { type TrainWordPieceOptions, trainWordPiece } from './train-wordpiece.ts';
export type { Truncation } from './truncation.ts';
export { type EncodedWindow, type WindowOptions, windowsOf } from './windows.ts';
