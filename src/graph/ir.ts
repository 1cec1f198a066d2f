import type { DataType } from '../base/dtype.ts';

/**
 * The ONNX model as readonly data. Everything that onnx.proto defines has a place here, so that reading and writing
 * loses nothing. Values are named (SSA): a node names what it reads and what it writes; an empty name is an optional
 * input or output that is left out. A pass never changes what it was given; it makes new objects and shares the rest.
 */
export interface Model extends Annotated {
  readonly irVersion: number;
  readonly opsets: readonly OperatorSet[];
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: Int;
  readonly graph: Graph;
  readonly functions: readonly FunctionDefinition[];
  readonly trainingInfo: readonly TrainingInfo[];
}

/** An integer of 64 bits: a number where that is exact, a bigint beyond 2^53. */
export type Int = number | bigint;

/** `domain` is '' for the standard operators (never 'ai.onnx': the reader normalizes nothing else). */
export interface OperatorSet extends Unknown {
  readonly domain: string;
  readonly version: number;
}

export interface Graph extends Annotated {
  readonly name: string;
  readonly nodes: readonly Node[];
  /** By name, in the order of the file. */
  readonly initializers: ReadonlyMap<string, StoredTensor>;
  readonly sparseInitializers: readonly SparseTensor[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Types of values in between, where known. */
  readonly valueInfo: readonly ValueInfo[];
  readonly quantizationAnnotations: readonly QuantizationAnnotation[];
}

/** What the parts of a graph are where they are not given: `{ ...EMPTY_GRAPH, nodes, inputs, outputs }`. */
export const EMPTY_GRAPH: Graph = {
  name: 'graph',
  nodes: [],
  initializers: new Map(),
  sparseInitializers: [],
  inputs: [],
  outputs: [],
  valueInfo: [],
  quantizationAnnotations: [],
};

export interface Node extends Annotated {
  readonly opType: string;
  /** '' for the standard operators. */
  readonly domain: string;
  readonly name: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export type Attribute = AttributeValue & { readonly docString?: string } & Unknown;

export type AttributeValue =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: Int }
  /** ONNX strings are bytes, usually UTF-8. */
  | { readonly kind: 'string'; readonly value: Uint8Array }
  | { readonly kind: 'tensor'; readonly value: StoredTensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'sparseTensor'; readonly value: SparseTensor }
  | { readonly kind: 'type'; readonly value: ValueType }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly Int[] }
  | { readonly kind: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly kind: 'tensors'; readonly value: readonly StoredTensor[] }
  | { readonly kind: 'graphs'; readonly value: readonly Graph[] }
  | { readonly kind: 'sparseTensors'; readonly value: readonly SparseTensor[] }
  | { readonly kind: 'types'; readonly value: readonly ValueType[] }
  /** Inside a function: the attribute of the calling node that stands here. `type` is the number in AttributeType. */
  | { readonly kind: 'reference'; readonly value: string; readonly type: number }
  /** No content, or a type that this version does not know (the number in AttributeType): its content is in `unknown`. */
  | { readonly kind: 'undefined'; readonly value: number };

/** A tensor as a file stores it. `base`'s Tensor is the one to compute with: see `tensorOf` and `stored`. */
export interface StoredTensor extends Annotated {
  readonly name?: string;
  readonly dtype: DataType | 'undefined';
  readonly dims: readonly number[];
  readonly content: TensorContent;
  readonly segment?: { readonly begin: Int; readonly end: Int };
}

export type TensorContent =
  /** Little-endian bytes: a view into the file, not a copy. `field` is set where the file kept a typed list instead. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly field?: 'typed' }
  | { readonly kind: 'strings'; readonly values: readonly Uint8Array[] }
  /** In another file beside the model. `entries` keeps what the file said, in order (location, offset, length, checksum, …). */
  | {
      readonly kind: 'external';
      readonly location: string;
      readonly offset: number;
      /** Undefined: to the end of the file. */
      readonly length?: number;
      readonly entries: readonly (readonly [string, string])[];
      /** The folder of the model file; undefined for a model that was not read from a file. */
      readonly folder?: string;
      /** Where the model file is a symbolic link, the folder of what it links to: its data may lie there instead. */
      readonly linkedFolder?: string;
    };

export interface SparseTensor extends Unknown {
  readonly values: StoredTensor;
  readonly indices: StoredTensor;
  readonly dims: readonly number[];
}

export interface ValueInfo extends Annotated {
  readonly name: string;
  readonly type?: ValueType;
}

export type ValueType = (
  | { readonly kind: 'tensor'; readonly dtype: DataType | 'undefined'; readonly shape?: Shape }
  | { readonly kind: 'sparseTensor'; readonly dtype: DataType | 'undefined'; readonly shape?: Shape }
  | { readonly kind: 'sequence'; readonly element: ValueType }
  | { readonly kind: 'map'; readonly key: DataType | 'undefined'; readonly value: ValueType }
  | { readonly kind: 'optional'; readonly element: ValueType }
  /** Without `domain`, that of the model. */
  | { readonly kind: 'opaque'; readonly domain?: string; readonly name?: string }
  | { readonly kind: 'undefined' }
) & { readonly denotation?: string; readonly dimensionDenotations?: readonly string[] } & Unknown;

/** A number, the name of a symbolic dimension, or null where nothing is known. */
export type Dimension = number | string | null;
export type Shape = readonly Dimension[];

/** The type of a dense tensor, the one that nearly all code deals with. Without `shape` not even the rank is known. */
export interface TensorType {
  readonly dtype: DataType;
  readonly shape?: Shape;
}

export interface FunctionDefinition extends Annotated {
  readonly name: string;
  readonly domain: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes without a default. */
  readonly attributes: readonly string[];
  readonly attributeDefaults: ReadonlyMap<string, Attribute>;
  readonly nodes: readonly Node[];
  readonly opsets: readonly OperatorSet[];
  readonly valueInfo: readonly ValueInfo[];
}

export interface TrainingInfo extends Unknown {
  readonly initialization?: Graph;
  readonly algorithm?: Graph;
  readonly initializationBinding: readonly (readonly [string, string])[];
  readonly updateBinding: readonly (readonly [string, string])[];
}

export interface QuantizationAnnotation extends Unknown {
  readonly tensorName: string;
  readonly parameters: readonly (readonly [string, string])[];
}

export interface Annotated extends Unknown {
  readonly docString?: string;
  /** metadata_props, in the order of the file. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * Protobuf fields that have no other place here, kept so that writing gives them back: fields that this version does not
 * know, device configurations, a second content of one attribute, a data type without a name. They are written first,
 * so that a field that has a place wins over them.
 */
export interface Unknown {
  readonly unknown?: readonly UnknownField[];
}

export interface UnknownField {
  readonly number: number;
  readonly wireType: number;
  /** The encoded value, without its tag. */
  readonly bytes: Uint8Array;
  /** Inside a nested message that is flat here: a tensor's segment, a type's variant, its shape, a dimension (by index). */
  readonly within?: 'segment' | 'variant' | 'shape' | number;
}

/** The version of an operator set that a model imports, or undefined when it does not import the domain. */
export function opsetOf(model: Pick<Model, 'opsets'>, domain = ''): number | undefined {
  return model.opsets.find((set) => set.domain === domain)?.version;
}
