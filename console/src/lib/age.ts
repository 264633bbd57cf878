// How long ago something was, in the words of AWS's console.

const DAY = 86_400_000;

/** Whole days since a date, by the local calendar. */
export function days(date: string, now = new Date()): number {
  const midnight = (of: Date): number =>
    new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.max(0, Math.round((midnight(now) - midnight(new Date(date))) / DAY));
}

/** `Today`, `Yesterday`, `5 days ago`. */
export function ago(date: string | undefined, now = new Date()): string {
  if (!date) return 'Never';
  const count = days(date, now);
  if (count === 0) return 'Today';
  return count === 1 ? 'Yesterday' : `${String(count)} days ago`;
}

/** `13 minutes ago`, and from a day on as `ago`. */
export function moment(date: string | undefined, now = new Date()): string {
  if (!date) return 'Never';
  const minutes = Math.floor((now.getTime() - new Date(date).getTime()) / 60_000);
  if (minutes < 1) return 'Just now';
  const some = (count: number, unit: string): string =>
    `${String(count)} ${unit}${count === 1 ? '' : 's'} ago`;
  if (minutes < 60) return some(minutes, 'minute');
  if (minutes < 24 * 60) return some(Math.floor(minutes / 60), 'hour');
  return ago(date, now);
}

/** `0 days`, `1 day`, `97 days`. */
export function age(date: string, now = new Date()): string {
  const count = days(date, now);
  return `${String(count)} day${count === 1 ? '' : 's'}`;
}

/** `September 11, 2026, 13:15 (UTC+05:30)` */
export function full(date: string | undefined): string {
  if (!date) return '–';
  const at = new Date(date);
  const text = at.toLocaleString('en-US', {
    month: 'long',
    day: 'numeric',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const offset = -at.getTimezoneOffset();
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  return `${text.replace(' at ', ', ')} (UTC${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)})`;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** Seconds in the largest unit that they are a multiple of: `7 days`, `90 minutes`. */
export function span(secs: number): string {
  const [unit, size] = UNITS.find(([, size]) => secs >= size && secs % size === 0) ?? UNITS[3];
  const count = secs / size;
  return `${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}

/** How far off a time to come is: `in 6 days`, `in 5 minutes`, `any moment now`. */
export function ahead(date: string, now = new Date()): string {
  const secs = Math.round((new Date(date).getTime() - now.getTime()) / 1000);
  if (secs < 1) return 'any moment now';
  const [unit, size] = UNITS.find(([, size]) => secs >= size) ?? UNITS[3];
  const count = Math.round(secs / size);
  return `in ${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}
