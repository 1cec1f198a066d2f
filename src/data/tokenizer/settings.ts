import { LatheError } from '../../base/index.ts';
import type { ComponentFile } from './files.ts';
import { literalExpression, regularExpression } from './regular-expression.ts';

/** A part of a `tokenizer.json` (a normalizer, a pre-tokenizer) with what reads its settings and refuses others by name. */
export interface Settings {
  readonly type: string;
  boolean(name: string, otherwise: boolean): boolean;
  text(name: string, otherwise?: string): string;
  one<Choice extends string>(name: string, choices: readonly Choice[], otherwise?: Choice): Choice;
  /** A `{"String": …}` or `{"Regex": …}` as a global expression. */
  pattern(name: string): RegExp;
  parts(name: string): readonly ComponentFile[];
}

export function settingsOf(part: ComponentFile): Settings {
  const wrong = (name: string, expected: string): never => {
    throw new LatheError(
      'invalid-data',
      `tokenizer.json: ${part.type}: expected "${name}" to be ${expected}, got ${JSON.stringify(part[name]) ?? 'nothing'}`,
    );
  };
  const text = (name: string, otherwise?: string): string => {
    const value = part[name] ?? otherwise;
    return typeof value === 'string' ? value : wrong(name, 'a text');
  };
  return {
    type: part.type,
    boolean(name, otherwise) {
      const value = part[name] ?? otherwise;
      return typeof value === 'boolean' ? value : wrong(name, 'true or false');
    },
    text,
    one(name, choices, otherwise) {
      const value = text(name, otherwise);
      return (
        choices.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? wrong(name, choices.join(' or '))
      );
    },
    pattern(name) {
      const value = part[name] as { readonly String?: unknown; readonly Regex?: unknown } | null | undefined;
      if (typeof value?.String === 'string') return literalExpression(value.String);
      if (typeof value?.Regex === 'string') return regularExpression(value.Regex);
      return wrong(name, '{"String": …} or {"Regex": …}');
    },
    parts(name) {
      const value = part[name];
      return Array.isArray(value) ? (value as ComponentFile[]) : wrong(name, 'a list');
    },
  };
}
