import { LatheError } from '../../base/index.ts';
import { formatType, type Graph, type Model, type Node, type ValueInfo } from '../../graph/index.ts';

/** What the names of a teacher's values begin with in a joint graph. */
export const TEACHER_PREFIX = 'teacher/';

/** The name of a teacher's value in a joint graph. */
export type TeacherValue = (name: string) => string;

export interface JointGraph {
  /** The student's graph with the teacher's in front: the student's outputs, and the inputs of both. */
  readonly model: Model;
  readonly teacher: TeacherValue;
}

/**
 * Joins a teacher's graph to a student's, for losses that compare values inside both. What both take under one
 * name is one input; all else of the teacher has `teacher/` before its name, and its weights are constants that nobody trains.
 * Throws 'shape' where the types of a common input differ, and 'unsupported' for models of different operator sets.
 */
export function distillationGraph(student: Model, teacher: Model): JointGraph {
  for (const { domain, version } of teacher.opsets) {
    const own = student.opsets.find((opset) => opset.domain === domain)?.version;
    if (own !== undefined && own !== version) {
      throw new LatheError(
        'unsupported',
        `the student has operator set ${own} of "${domain || 'ai.onnx'}", the teacher has ${version}`,
        { hint: 'Bring both to one: prepareModel().' },
      );
    }
  }
  const inputs = new Map(student.graph.inputs.map((input) => [input.name, input]));
  const teacherInputs = teacher.graph.inputs.filter(({ name }) => !teacher.graph.initializers.has(name));
  const common = new Set(teacherInputs.map(({ name }) => name));
  for (const input of teacherInputs) refuseOtherType(inputs.get(input.name), input);
  const named: TeacherValue = (name) => (name === '' || common.has(name) ? name : TEACHER_PREFIX + name);
  const { graph } = teacher;
  const { graph: own } = student;
  const known = new Set(student.opsets.map(({ domain }) => domain));
  return {
    teacher: named,
    model: {
      ...student,
      irVersion: Math.max(student.irVersion, teacher.irVersion),
      opsets: [...student.opsets, ...teacher.opsets.filter(({ domain }) => !known.has(domain))],
      functions: [...student.functions, ...teacher.functions],
      graph: {
        ...own,
        inputs: [...own.inputs, ...teacherInputs.filter(({ name }) => !inputs.has(name))],
        initializers: new Map([
          ...own.initializers,
          ...Array.from(graph.initializers, ([name, value]) => [named(name), value] as const),
        ]),
        nodes: [...graph.nodes.map((node) => renamed(node, named, graph)), ...own.nodes],
      },
    },
  };
}

function refuseOtherType(student: ValueInfo | undefined, teacher: ValueInfo): void {
  if (student?.type === undefined || teacher.type === undefined) return;
  const [own, theirs] = [student.type, teacher.type];
  const same =
    own.kind === 'tensor' &&
    theirs.kind === 'tensor' &&
    own.dtype === theirs.dtype &&
    own.shape?.length === theirs.shape?.length &&
    (own.shape ?? []).every((dim, axis) => {
      const other = theirs.shape![axis];
      return typeof dim !== 'number' || typeof other !== 'number' || dim === other;
    });
  if (same) return;
  throw new LatheError(
    'shape',
    `input "${teacher.name}": the student takes ${formatType(own)}, the teacher ${formatType(theirs)}`,
    { hint: 'Both have to read the same inputs; distillation of logits has no need of that.' },
  );
}

function renamed(node: Node, named: TeacherValue, graph: Graph): Node {
  const inner = [...node.attributes.values()].find(({ kind }) => kind === 'graph' || kind === 'graphs');
  if (inner !== undefined) {
    throw new LatheError('unsupported', `the teacher's ${node.opType} "${node.name}" has a graph of its own`, {
      hint: `Methods that look into the teacher "${graph.name}" need one without branches and loops.`,
    });
  }
  return {
    ...node,
    name: node.name === '' ? '' : TEACHER_PREFIX + node.name,
    inputs: node.inputs.map(named),
    outputs: node.outputs.map(named),
  };
}
