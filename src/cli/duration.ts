import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A time as people write it (90s, 10m, 1h30m, or plain seconds), in seconds. */
export const durationSchema = z.union([z.string(), z.number()]).transform((value, context) => {
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smh])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    context.addIssue({ code: 'custom', message: 'expected a time like 90s, 10m or 1h30m' });
    return z.NEVER;
  }
  return parts.reduce((seconds, [, amount, unit]) => seconds + Number(amount) * UNITS[unit!]!, 0);
});
