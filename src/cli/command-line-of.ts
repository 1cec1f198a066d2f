import type { z } from 'zod';
import { kebab } from './command.ts';

/** The command line that repeats a run, of its parameters alone that are not the default. */
export function commandLineOf(name: string, parameters: z.ZodObject, given: Readonly<Record<string, unknown>>): string {
  const flags = Object.entries(given).flatMap(([name, value]) => {
    const flag = `--${kebab(name)}`;
    const unset = (parameters.shape[name] as z.ZodType).safeParse(undefined);
    if (
      value === undefined ||
      name === 'resume' ||
      (unset.success && JSON.stringify(unset.data) === JSON.stringify(value))
    )
      return [];
    if (typeof value === 'boolean') return [value ? flag : flag.replace('--', '--no-')];
    return [
      flag,
      ...(Array.isArray(value) ? value : [value]).map((item) =>
        /^[\w./:-]+$/.test(String(item)) ? String(item) : JSON.stringify(String(item)),
      ),
    ];
  });
  return ['lathe', name, ...flags].join(' ');
}
