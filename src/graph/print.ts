import { DATA_TYPES, type DataType } from '../base/dtype.ts';
import { float64Of, isLongInteger } from '../base/elements.ts';
import { LatheError } from '../base/errors.ts';
import { formatDims, sizeOf } from '../base/shape.ts';
import type { Tensor } from '../base/tensor.ts';
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  OperatorSet,
  SparseTensor,
  StoredTensor,
  TrainingInfo,
  ValueInfo,
} from './ir.ts';
import { tensorOf } from './stored.ts';
import { formatType } from './value-types.ts';

/** Elements of a tensor, or of a list, that are written out. */
const MOST_ELEMENTS = 8;
const STEP = '   ';
const decoder = new TextDecoder();

/**
 * The model as text, to be read and compared: in the manner of ONNX's own text form (onnx.printer), with the names of
 * types as Lathe writes them and long tensors cut short. Doc strings and metadata of nodes and values are left out.
 */
export function printModel(model: Model): string {
  const header = [
    `ir_version: ${model.irVersion}`,
    `opset_import: ${formatOpsets(model.opsets)}`,
    ...named('producer_name', model.producerName),
    ...named('producer_version', model.producerVersion),
    ...named('domain', model.domain),
    ...(model.modelVersion === undefined ? [] : [`model_version: ${model.modelVersion}`]),
    ...(model.metadata === undefined ? [] : [`metadata_props: ${formatEntries(model.metadata)}`]),
  ];
  return [
    ...bracketed(header),
    ...printGraph(model.graph, ''),
    ...model.functions.flatMap(printFunction),
    ...model.trainingInfo.flatMap(printTrainingInfo),
    '',
  ].join('\n');
}

/** One graph, or subgraph, as in {@link printModel}. */
export function printGraph(graph: Graph, indent: string): string[] {
  const inner = indent + STEP;
  const initializers = [
    ...[...graph.initializers].map(([name, tensor]) => `${formatTensor(tensor, name)}`),
    ...graph.sparseInitializers.map((sparse) => formatSparse(sparse)),
  ];
  return [
    `${indent}${formatName(graph.name)} (${formatValues(graph.inputs)}) => (${formatValues(graph.outputs)})`,
    ...(initializers.length === 0 ? [] : listed(initializers, indent)),
    ...(graph.valueInfo.length === 0 ? [] : listed(graph.valueInfo.map(formatValue), indent)),
    ...graph.quantizationAnnotations.map(
      ({ tensorName, parameters }) => `${inner}# ${formatName(tensorName)} is quantized: ${formatEntries(parameters)}`,
    ),
    `${indent}{`,
    ...graph.nodes.flatMap((node) => printNode(node, inner)),
    `${indent}}`,
  ];
}

function printNode(node: Node, indent: string): string[] {
  const name = node.name === '' ? '' : `[${formatName(node.name)}] `;
  const overload = node.overload === undefined || node.overload === '' ? '' : `:${node.overload}`;
  const operator = `${node.domain === '' ? '' : `${node.domain}.`}${node.opType}${overload}`;
  const flat: string[] = [];
  const graphs: [string, Graph][] = [];
  for (const [key, attribute] of node.attributes) {
    if (attribute.kind === 'graph') graphs.push([key, attribute.value]);
    else if (attribute.kind === 'graphs' && attribute.value.length > 0) {
      for (const [index, graph] of attribute.value.entries()) graphs.push([`${key}[${index}]`, graph]);
    } else flat.push(`${key} = ${formatAttribute(attribute)}`);
  }
  const attributes = flat.length === 0 ? '' : ` <${flat.join(', ')}>`;
  const outputs = node.outputs.map(formatName).join(', ');
  const call = `${indent}${name}${outputs} = ${operator}${attributes} (${node.inputs.map(formatName).join(', ')})`;
  if (graphs.length === 0) return [call];
  const inner = indent + STEP;
  return [
    `${call} <`,
    ...graphs.flatMap(([key, graph]) => {
      const [first, ...rest] = printGraph(graph, inner);
      return [`${inner}${key} = ${first!.trimStart()}`, ...rest];
    }),
    `${indent}>`,
  ];
}

function printFunction(definition: FunctionDefinition): string[] {
  const { overload } = definition;
  const attributes = [
    ...definition.attributes,
    ...[...definition.attributeDefaults].map(([name, attribute]) => `${name} = ${formatAttribute(attribute)}`),
  ];
  return [
    ...bracketed([
      ...named('domain', definition.domain),
      ...named('overload', overload),
      `opset_import: ${formatOpsets(definition.opsets)}`,
    ]),
    `${definition.name}${attributes.length === 0 ? '' : ` <${attributes.join(', ')}>`} (${definition.inputs.map(formatName).join(', ')}) => (${definition.outputs.map(formatName).join(', ')})`,
    ...(definition.valueInfo.length === 0 ? [] : listed(definition.valueInfo.map(formatValue), '')),
    '{',
    ...definition.nodes.flatMap((node) => printNode(node, STEP)),
    '}',
  ];
}

function printTrainingInfo(info: TrainingInfo): string[] {
  const part = (what: string, graph: Graph | undefined, binding: TrainingInfo['updateBinding']): string[] => {
    const lines = graph === undefined ? [] : printGraph(graph, '');
    if (lines.length === 0 && binding.length === 0) return [];
    return [`# ${what}${binding.length === 0 ? '' : `, sets ${formatEntries(binding)}`}`, ...lines];
  };
  return [
    ...part('training: initialization', info.initialization, info.initializationBinding),
    ...part('training: step', info.algorithm, info.updateBinding),
  ];
}

function bracketed(lines: readonly string[]): string[] {
  return ['<', ...lines.map((line, index) => `${STEP}${line}${index < lines.length - 1 ? ',' : ''}`), '>'];
}

function listed(items: readonly string[], indent: string): string[] {
  return items.map((item, index) => {
    const open = index === 0 ? '<' : ' ';
    return `${indent}${STEP}${open}${item}${index < items.length - 1 ? ',' : '>'}`;
  });
}

function named(key: string, value: string | undefined): string[] {
  return value === undefined || value === '' ? [] : [`${key}: ${JSON.stringify(value)}`];
}

function formatOpsets(opsets: readonly OperatorSet[]): string {
  return `[${opsets.map(({ domain, version }) => `${JSON.stringify(domain)} : ${version}`).join(', ')}]`;
}

function formatEntries(entries: Iterable<readonly [string, string]>): string {
  return `[${[...entries].map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(', ')}]`;
}

function formatValues(values: readonly ValueInfo[]): string {
  return values.map(formatValue).join(', ');
}

function formatValue({ name, type }: ValueInfo): string {
  return type === undefined ? formatName(name) : `${formatType(type)} ${formatName(name)}`;
}

/** Names that would make the text ambiguous are quoted. */
function formatName(name: string): string {
  return name === '' || /^[^\s"',(){}<>=#]+$/u.test(name) ? name : JSON.stringify(name);
}

function formatAttribute(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'float':
      return formatFloat32(attribute.value);
    case 'int':
      return String(attribute.value);
    case 'string':
      return formatBytes(attribute.value);
    case 'floats':
      return `[${shortened(attribute.value, formatFloat32)}]`;
    case 'ints':
      return `[${shortened(attribute.value, String)}]`;
    case 'strings':
      return `[${shortened(attribute.value, formatBytes)}]`;
    case 'tensor':
      return formatTensor(attribute.value, attribute.value.name);
    case 'tensors':
      return `[${attribute.value.map((tensor) => formatTensor(tensor, tensor.name)).join(', ')}]`;
    case 'sparseTensor':
      return formatSparse(attribute.value);
    case 'sparseTensors':
      return `[${attribute.value.map(formatSparse).join(', ')}]`;
    case 'type':
      return formatType(attribute.value);
    case 'types':
      return `[${attribute.value.map(formatType).join(', ')}]`;
    case 'reference':
      return `@${attribute.value}`;
    case 'undefined':
      return '?';
    // Of a node they stand on lines of their own; as a default of a function's attribute their name has to do.
    case 'graph':
      return `graph ${formatName(attribute.value.name)}`;
    case 'graphs':
      return `[${attribute.value.map((graph) => `graph ${formatName(graph.name)}`).join(', ')}]`;
  }
}

function formatTensor(tensor: StoredTensor, name: string | undefined): string {
  const label = name === undefined || name === '' ? '' : ` ${formatName(name)}`;
  return `${tensor.dtype}${formatDims(tensor.dims)}${label} = ${formatContent(tensor)}`;
}

function formatSparse({ values, indices, dims }: SparseTensor): string {
  const label = values.name === undefined ? '' : ` ${formatName(values.name)}`;
  return `sparse ${values.dtype}${formatDims(dims)}${label} = ${formatContent(values)} at ${formatContent(indices)}`;
}

function formatContent(tensor: StoredTensor): string {
  const { content, dtype, dims } = tensor;
  if (content.kind === 'external') {
    const length = content.length === undefined ? 'the end' : content.offset + content.length;
    return `external ${JSON.stringify(content.location)} ${content.offset}..${length}`;
  }
  if (content.kind === 'strings') return `{${shortened(content.values, formatBytes)}}`;
  if (dtype === 'undefined') return `${content.bytes.byteLength} bytes`;
  try {
    return `{${formatElements(headOf(tensorOf(tensor)), sizeOf(dims))}}`;
  } catch (error) {
    if (!(error instanceof LatheError)) throw error;
    return `${content.bytes.byteLength} bytes, which do not fit`;
  }
}

/** The first elements, so that printing does not decode the rest. */
function headOf({ dtype, dims, data }: Tensor): Tensor {
  const count = Math.min(sizeOf(dims), MOST_ELEMENTS);
  const { bits, kind } = DATA_TYPES[dtype];
  const length = kind === 'complex' ? 2 * count : bits > 0 && bits < 8 ? Math.ceil((count * bits) / 8) : count;
  return { dtype, dims: [count], data: data.slice(0, length) };
}

function formatElements(head: Tensor, size: number): string {
  const { dtype, data } = head;
  const { kind } = DATA_TYPES[dtype];
  let items: string[];
  if (isLongInteger(dtype)) items = Array.from(data as BigInt64Array, String);
  else if (kind === 'complex') {
    const parts = Array.from(data as Float32Array, (value) => formatFloat(value, dtype));
    items = parts.flatMap((part, index) => {
      if (index % 2 === 1) return [];
      const imaginary = parts[index + 1]!;
      return [`${part}${imaginary.startsWith('-') ? '' : '+'}${imaginary}i`];
    });
  } else items = Array.from(float64Of(head), (value) => formatFloat(value, dtype));
  return [...items, ...(size > items.length ? ['…'] : [])].join(', ');
}

function shortened<T>(values: readonly T[], format: (value: T) => string): string {
  const shown = values.slice(0, MOST_ELEMENTS).map(format);
  return [...shown, ...(values.length > MOST_ELEMENTS ? ['…'] : [])].join(', ');
}

function formatFloat(value: number, dtype: DataType): string {
  return dtype === 'float32' || dtype === 'complex64' ? formatFloat32(value) : formatNumber(value);
}

/** The shortest text that gives the same float32. */
function formatFloat32(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return formatNumber(short);
  }
  return formatNumber(Number(value.toPrecision(9)));
}

function formatNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function formatBytes(bytes: Uint8Array): string {
  return JSON.stringify(decoder.decode(bytes));
}
