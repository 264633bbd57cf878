// The periods of a rotation, as people enter them.

export const UNITS = { days: 86_400, hours: 3_600, minutes: 60, seconds: 1 } as const;
export type Unit = keyof typeof UNITS;

/** A duration as it is entered in a form. */
export interface Duration {
  count: string;
  unit: Unit;
}

/** The longest period that the server accepts. */
const SECONDS_MAX = 90 * UNITS.days;
export const DEFAULT_OBSERVATION: Duration = { count: '1', unit: 'days' };
export const DEFAULT_GRACE: Duration = { count: '7', unit: 'days' };

/** The seconds of a duration; undefined if it is not a whole number, or too long. */
export function durationSeconds({ count, unit }: Duration): number | undefined {
  if (!/^\d{1,7}$/.test(count)) return undefined;
  const seconds = Number(count) * UNITS[unit];
  return seconds <= SECONDS_MAX ? seconds : undefined;
}

/** Seconds in the largest unit that divides them. */
export function durationOf(seconds: number): Duration {
  const units = Object.keys(UNITS) as Unit[];
  const divides = (unit: Unit): boolean => seconds >= UNITS[unit] && seconds % UNITS[unit] === 0;
  const unit = units.find(divides) ?? 'days';
  return { count: String(seconds / UNITS[unit]), unit };
}
