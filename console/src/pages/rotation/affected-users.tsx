// The users that a rotation policy would apply to as it stands in the form, and when.
import Badge from '@cloudscape-design/components/badge';
import { useQuery } from '@tanstack/react-query';

import * as iam from '../../api/iam';
import type { RotationPolicy, UserSelector } from '../../api/rotation';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { invalidate, useReport, useUsers } from '../iam/queries';
import { useRotations } from './queries';
import { effectivePolicy, folded, matches, nextRotation, selectsByTags } from './selector';

/** Tags are read user by user, which is too much for more users than these. */
const USERS_WITH_TAGS_MAX = 500;
const CONCURRENT_READS = 10;

interface Row {
  name: string;
  path: string;
  policy: string;
  due: string;
}

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    header: 'User name',
    value: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/users/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', value: ({ path }) => path, cell: ({ path }) => path },
  { id: 'due', header: 'Next rotation', value: ({ due }) => due, cell: ({ due }) => due },
  {
    id: 'policy',
    header: 'Effective policy',
    value: ({ policy }) => policy,
    cell: ({ policy }) => policy,
  },
];

/** The tags of users, by user name. */
async function listTags(users: readonly iam.User[]): Promise<Map<string, iam.Tag[]>> {
  const all = new Map<string, iam.Tag[]>();
  for (let start = 0; start < users.length; start += CONCURRENT_READS) {
    const batch = users.slice(start, start + CONCURRENT_READS);
    const tags = await Promise.all(batch.map(({ UserName }) => iam.listUserTags(UserName)));
    batch.forEach(({ UserName }, index) => all.set(UserName, tags[index] ?? []));
  }
  return all;
}

interface AffectedUsersProps {
  name: string;
  selector: UserSelector;
  maxAgeDays: number;
  policies: readonly RotationPolicy[];
}

export function AffectedUsers({ name, selector, maxAgeDays, policies }: AffectedUsersProps) {
  const users = useUsers();
  const report = useReport();
  const rotations = useRotations();
  const rotating = new Set(
    rotations.data?.filter(({ IsOver }) => !IsOver).map(({ UserName }) => UserName),
  );
  const others = policies.filter((policy) => folded(policy.RotationPolicyName) !== folded(name));
  const all = [...others, { RotationPolicyName: name, ...selector }];
  const tooMany = (users.data?.length ?? 0) > USERS_WITH_TAGS_MAX;
  const tags = useQuery({
    queryKey: ['user', '*', 'tags'],
    queryFn: () => listTags(users.data ?? []),
    enabled: all.some(selectsByTags) && !tooMany && users.isSuccess,
    staleTime: 60_000,
  });
  const rows = users.data
    ?.filter((user) => matches(selector, user, tags.data?.get(user.UserName)) === true)
    .map((user): Row => {
      const effective = effectivePolicy(all, user, tags.data?.get(user.UserName));
      const isThis = effective?.RotationPolicyName === name;
      const due = isThis ? nextRotation(report.data?.rows.get(user.UserName), maxAgeDays) : '–';
      return {
        name: user.UserName,
        path: user.Path,
        policy: isThis ? 'This policy' : (effective?.RotationPolicyName ?? ''),
        due: rotating.has(user.UserName) ? 'Rotation in progress' : due,
      };
    });
  return (
    <List
      title="Affected users"
      description={
        selectsByTags(selector) && tooMany ? (
          <Badge color="grey">Too many users to read the tags of each.</Badge>
        ) : (
          'As of the latest credential report. Users with two access keys need manual review first.'
        )
      }
      items={rows}
      columns={COLUMNS}
      rowId={(row) => row.name}
      loading={users.isPending || tags.isLoading}
      error={users.error ?? tags.error ?? report.error}
      reload={() => invalidate(['users'], ['report'], ['user', '*'])}
      empty="No matching users"
    />
  );
}
