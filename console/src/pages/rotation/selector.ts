// Which users a rotation policy applies to, and when: the preview before it is saved.
//
// The server decides; this follows the same rules.
import type { ReportRow, Tag, User } from '../../api/iam';
import type { RotationPolicy, UserSelector } from '../../api/rotation';
import { age } from '../../lib/age';

const DAY_MS = 86_400_000;

/** Policy names, and the values of tags here, ignore case. */
export const folded = (text: string): string => text.toLowerCase();

/** Whether it takes a user's tags to decide if a selector matches. */
export const selectsByTags = ({ Everyone, PathPrefix }: UserSelector): boolean =>
  Everyone !== true && PathPrefix === undefined;

/** Whether a selector matches a user; undefined if that depends on tags that are not known. */
export function matches(
  selector: UserSelector,
  user: Pick<User, 'Path'>,
  tags: readonly Tag[] | undefined,
): boolean | undefined {
  if (selector.Everyone) return true;
  if (selector.PathPrefix !== undefined) return user.Path.startsWith(selector.PathPrefix);
  if (!tags) return undefined;
  return (selector.Tags ?? []).every(({ Key, Value }) =>
    tags.some((tag) => tag.Key === Key && folded(tag.Value) === folded(Value)),
  );
}

/** The first policy by name that matches a user, or may match. */
export function effectivePolicy<
  P extends UserSelector & Pick<RotationPolicy, 'RotationPolicyName'>,
>(
  policies: readonly P[],
  user: Pick<User, 'Path'>,
  tags: readonly Tag[] | undefined,
): P | undefined {
  const byName = policies.toSorted((a, b) =>
    folded(a.RotationPolicyName) < folded(b.RotationPolicyName) ? -1 : 1,
  );
  return byName.find((policy) => matches(policy, user, tags) !== false);
}

/** A selector in words. */
export function selectorText({ Everyone, PathPrefix, Tags = [] }: UserSelector): string {
  if (Everyone) return 'All users';
  if (PathPrefix !== undefined) return `Path ${PathPrefix}`;
  return Tags.map(({ Key, Value }) => `${Key} = ${Value}`).join(', ');
}

/** When a user's key is due for rotation, by the user's row of the credential report. */
export function nextRotation(
  row: ReportRow | undefined,
  maxAgeDays: number,
  now = new Date(),
): string {
  const keys = ['1', '2']
    .map((number) => ({
      active: row?.[`access_key_${number}_active`] === 'true',
      created: row?.[`access_key_${number}_last_rotated`] ?? '',
    }))
    .filter(({ created }) => /^\d{4}-/.test(created));
  const [key] = keys;
  if (!key) return 'Never: no access key';
  if (keys.length > 1) return 'Never: two access keys';
  if (!key.active) return 'Never: access key inactive';
  const left = Date.parse(key.created) + maxAgeDays * DAY_MS - now.getTime();
  const days = Math.ceil(left / DAY_MS);
  if (days <= 0) return `Now: access key is ${age(key.created, now)} old`;
  return `Within ${String(days)} day${days === 1 ? '' : 's'}`;
}
