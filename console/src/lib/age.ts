// Ages and times, worded as in AWS's console.

const DAY = 86_400_000;

/** Whole days since a date, by the local calendar. */
export function daysSince(date: string, now = new Date()): number {
  const midnight = (of: Date): number =>
    new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.max(0, Math.round((midnight(now) - midnight(new Date(date))) / DAY));
}

/** `Today`, `Yesterday`, `5 days ago`. */
export function ago(date: string | undefined, now = new Date()): string {
  if (!date) return 'Never';
  const count = daysSince(date, now);
  if (count === 0) return 'Today';
  return count === 1 ? 'Yesterday' : `${String(count)} days ago`;
}

/** `Just now`, `40 seconds ago`, `13 minutes ago`; from a day on like `ago`. */
export function timeAgo(date: string | undefined, now = new Date()): string {
  if (!date) return 'Never';
  const seconds = Math.floor((now.getTime() - new Date(date).getTime()) / 1000);
  const minutes = Math.floor(seconds / 60);
  const text = (count: number, unit: string): string =>
    `${String(count)} ${unit}${count === 1 ? '' : 's'} ago`;
  if (seconds < 5) return 'Just now';
  if (minutes < 1) return text(seconds, 'second');
  if (minutes < 60) return text(minutes, 'minute');
  if (minutes < 24 * 60) return text(Math.floor(minutes / 60), 'hour');
  return ago(date, now);
}

/** `0 days`, `1 day`, `97 days`. */
export function age(date: string, now = new Date()): string {
  const count = daysSince(date, now);
  return `${String(count)} day${count === 1 ? '' : 's'}`;
}

/** `September 11, 2026, 13:15 (UTC+05:30)` */
export function fullDate(date: string | undefined): string {
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

/** Seconds in the largest unit that divides them: `7 days`, `90 minutes`. */
export function durationText(seconds: number): string {
  const [unit, size] =
    UNITS.find(([, size]) => seconds >= size && seconds % size === 0) ?? UNITS[3];
  const count = seconds / size;
  return `${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}

/** The time until a date: `in 6 days`, `in 5 minutes`, `shortly`. */
export function timeUntil(date: string, now = new Date()): string {
  const seconds = Math.round((new Date(date).getTime() - now.getTime()) / 1000);
  if (seconds < 1) return 'shortly';
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  const count = Math.round(seconds / size);
  return `in ${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}
