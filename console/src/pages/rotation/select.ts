// Whom a rotation policy acts for, and when: shown before it is saved.
//
// The server decides for itself; this tells it beforehand, by the same rules.
import type { ReportRow, Tag, User } from '../../api/iam';
import type { RotationPolicy, Selector } from '../../api/rotation';
import { age } from '../../lib/age';

const DAY_MS = 86_400_000;

/** Names of policies, and values of tags here, are the same in letters of any case. */
export const folded = (text: string): string => text.toLowerCase();

/** Whether a selector means a user; nothing where their tags must be known first. */
export function fits(
  selector: Selector,
  user: Pick<User, 'path'>,
  tags: readonly Tag[] | undefined,
): boolean | undefined {
  if ('everyone' in selector) return true;
  if ('path' in selector) return user.path.startsWith(selector.path);
  if (!tags) return undefined;
  return selector.tags.every(({ key, value }) =>
    tags.some((tag) => tag.key === key && folded(tag.value) === folded(value)),
  );
}

/** The first of the policies, in order of name, that means a user, or may. */
export function first<P extends Pick<RotationPolicy, 'name' | 'selector'>>(
  policies: readonly P[],
  user: Pick<User, 'path'>,
  tags: readonly Tag[] | undefined,
): P | undefined {
  const byName = policies.toSorted((a, b) => (folded(a.name) < folded(b.name) ? -1 : 1));
  return byName.find(({ selector }) => fits(selector, user, tags) !== false);
}

/** A selector in words. */
export function whom(selector: Selector): string {
  if ('everyone' in selector) return 'Everyone';
  if ('path' in selector) return `Path ${selector.path}`;
  return selector.tags.map(({ key, value }) => `${key} = ${value}`).join(', ');
}

/** When the key of a user is due, by their row of the credential report. */
export function due(row: ReportRow | undefined, maxAgeDays: number, now = new Date()): string {
  const keys = ['1', '2']
    .map((at) => ({
      active: row?.[`access_key_${at}_active`] === 'true',
      made: row?.[`access_key_${at}_last_rotated`] ?? '',
    }))
    .filter(({ made }) => /^\d{4}-/.test(made));
  const [key] = keys;
  if (!key) return 'Never: no access key';
  if (keys.length > 1) return 'Never: two access keys';
  if (!key.active) return 'Never: the key is inactive';
  const left = Date.parse(key.made) + maxAgeDays * DAY_MS - now.getTime();
  const days = Math.ceil(left / DAY_MS);
  if (days <= 0) return `Now: the key is ${age(key.made, now)} old`;
  return `In ${String(days)} day${days === 1 ? '' : 's'} at the latest`;
}
