// The activity of an access key in words.
import type { KeyAttempts, KeyUse } from '../api/key-activity';
import { timeAgo } from './age';

/** What the caller may not know is not "never", "none" or "not enabled". */
export const UNKNOWN = 'Unknown';

/** `13 minutes ago (s3, us-east-1)`, `Never`, `Unknown`. */
export function lastUseText(use: KeyUse | undefined, now = new Date()): string {
  if (!use) return UNKNOWN;
  if (!use.date) return 'Never';
  const where = [use.service, use.region].filter((part) => part).join(', ');
  const resolution = use.isExact ? '' : ', 15-minute resolution';
  return `${timeAgo(use.date, now)} (${where}${resolution})`;
}

/** `2 rejected, last 5 minutes ago from 192.0.2.7 (s3:ListBuckets)`, `None`, `Unknown`. */
export function attemptsText(known: KeyAttempts | null | undefined, now = new Date()): string {
  if (!known) return UNKNOWN;
  if (known.total === 0) return 'None';
  const count = `${String(known.total)} rejected`;
  const [latest] = known.attempts;
  if (!latest) return count;
  return `${count}, last ${timeAgo(latest.LastAttempt, now).toLowerCase()} from ${latest.SourceAddress} (${latest.Action})`;
}

/** A text within a sentence. */
export const sentence = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
