// How long a rotation waits, as people enter it.

export const UNITS = { days: 86_400, hours: 3_600, minutes: 60, seconds: 1 } as const;
export type Unit = keyof typeof UNITS;

/** A time as it stands in the form. */
export interface Wait {
  count: string;
  unit: Unit;
}

/** The longest wait that the server takes. */
export const SECS_MAX = 90 * UNITS.days;
export const OBSERVE: Wait = { count: '1', unit: 'days' };
export const DWELL: Wait = { count: '7', unit: 'days' };

/** The whole seconds of a time, or nothing where it is none or too long. */
export function secsOf({ count, unit }: Wait): number | undefined {
  if (!/^\d{1,7}$/.test(count)) return undefined;
  const secs = Number(count) * UNITS[unit];
  return secs <= SECS_MAX ? secs : undefined;
}

/** Seconds in the largest unit that they are a multiple of. */
export function waitOf(secs: number): Wait {
  const units = Object.keys(UNITS) as Unit[];
  const fits = (unit: Unit): boolean => secs >= UNITS[unit] && secs % UNITS[unit] === 0;
  const unit = units.find(fits) ?? 'days';
  return { count: String(secs / UNITS[unit]), unit };
}
