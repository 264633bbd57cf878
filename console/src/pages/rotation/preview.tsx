// Whom a rotation policy would act for as it stands in the form, and when.
import Badge from '@cloudscape-design/components/badge';
import { useQuery } from '@tanstack/react-query';

import * as iam from '../../api/iam';
import type { RotationPolicy, Selector } from '../../api/rotation';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { changed, useReport, useUsers } from '../iam/queries';
import { useRotations } from './queries';
import { due, first, fits, folded } from './select';

/** More users than these are not asked for their tags one by one. */
const ASKED_MAX = 500;
const AT_ONCE = 10;

interface Row {
  name: string;
  path: string;
  by: string;
  due: string;
}

const columns: Column<Row>[] = [
  {
    id: 'name',
    header: 'User name',
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/users/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
  { id: 'due', header: 'Next rotation', by: (row) => row.due, cell: (row) => row.due },
  { id: 'by', header: 'Policy that counts', by: ({ by }) => by, cell: ({ by }) => by },
];

/** The tags of users, by their names. */
async function tagsOf(users: readonly iam.User[]): Promise<Map<string, iam.Tag[]>> {
  const all = new Map<string, iam.Tag[]>();
  for (let at = 0; at < users.length; at += AT_ONCE) {
    const some = users.slice(at, at + AT_ONCE);
    const read = await Promise.all(some.map(({ name }) => iam.tagsOfUser(name)));
    some.forEach(({ name }, place) => all.set(name, read[place] ?? []));
  }
  return all;
}

export interface PreviewProps {
  name: string;
  selector: Selector;
  maxAgeDays: number;
  policies: readonly RotationPolicy[];
}

export function Preview({ name, selector, maxAgeDays, policies }: PreviewProps) {
  const users = useUsers();
  const report = useReport();
  const rotations = useRotations();
  const open = new Set(rotations.data?.filter(({ over }) => !over).map((one) => one.userName));
  const others = policies.filter((policy) => folded(policy.name) !== folded(name));
  const asks = [selector, ...others.map((policy) => policy.selector)].some((s) => 'tags' in s);
  const few = (users.data?.length ?? 0) <= ASKED_MAX;
  const tags = useQuery({
    queryKey: ['user', '*', 'tags'],
    queryFn: () => tagsOf(users.data ?? []),
    enabled: asks && few && users.isSuccess,
    staleTime: 60_000,
  });
  const next = (user: string): string => due(report.data?.rows.get(user), maxAgeDays);
  const all = [...others, { name, selector }];
  const rows = users.data
    ?.filter((user) => fits(selector, user, tags.data?.get(user.name)) === true)
    .map((user): Row => {
      const counts = first(all, user, tags.data?.get(user.name));
      const mine = counts?.name === name;
      return {
        name: user.name,
        path: user.path,
        by: mine ? 'This one' : (counts?.name ?? ''),
        due: open.has(user.name) ? 'Its rotation has begun' : mine ? next(user.name) : '–',
      };
    });
  return (
    <List
      title="Whom it would act for"
      description={
        'tags' in selector && !few ? (
          <Badge color="grey">There are too many users to read the tags of each here.</Badge>
        ) : (
          'As of now, by the credential report. A user with two access keys must be looked at by a person first.'
        )
      }
      items={rows}
      columns={columns}
      rowId={(row) => row.name}
      loading={users.isPending || tags.isLoading}
      error={users.error ?? tags.error ?? report.error}
      reload={() => changed(['users'], ['report'], ['user', '*'])}
      empty="Nobody"
    />
  );
}
