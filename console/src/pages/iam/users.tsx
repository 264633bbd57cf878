// The users of the account, with what their credentials look like.
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { useQuery } from '@tanstack/react-query';

import type { ReportRow, User } from '../../api/iam';
import * as iam from '../../api/iam';
import { useFrame, useServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { age, ago, days, full } from '../../lib/age';
import { useStays } from '../../lib/settled';
import { DeleteUsers } from './delete-user';
import { changed, dateOf, useMfaUsers, useReport, useUsers } from './queries';

const OLD_DAYS = 90;

interface Row extends User {
  report: ReportRow | undefined;
  mfa: boolean;
}

interface Key {
  id: string | undefined;
  active: boolean;
  made: string | undefined;
}

const keys = (row: Row): Key[] =>
  [1, 2]
    .map((at) => ({
      active: row.report?.[`access_key_${String(at)}_active`] === 'true',
      made: dateOf(row.report, `access_key_${String(at)}_last_rotated`),
      id: undefined,
    }))
    .filter(({ made }) => made !== undefined);

/** The later of the password's and the keys' last use. */
function lastActivity(row: Row): string | undefined {
  const report = row.report;
  const uses = [
    row.passwordLastUsed ?? dateOf(report, 'password_last_used'),
    dateOf(report, 'access_key_1_last_used_date'),
    dateOf(report, 'access_key_2_last_used_date'),
  ];
  return uses
    .filter((use) => use !== undefined)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
}

const number = (date: string | undefined): number => (date ? Date.parse(date) : 0);
const oldestKey = (row: Row): string | undefined =>
  keys(row)
    .filter(({ active }) => active)
    .map(({ made }) => made)
    .sort()[0];

function Age({ date }: { date: string | undefined }) {
  if (!date) return <>–</>;
  return days(date) > OLD_DAYS ? (
    <StatusIndicator type="warning">{age(date)}</StatusIndicator>
  ) : (
    <>{age(date)}</>
  );
}

/** The keys of a user as they are now, read when the row is seen: the report may be hours old. */
function useLiveKeys({ name }: Row) {
  const stays = useStays();
  return useQuery({
    queryKey: ['user', name, 'key-ids'],
    queryFn: () => iam.keysOf(name),
    enabled: stays,
    staleTime: 60_000,
  });
}

function KeyIds({ row }: { row: Row }) {
  const read = useLiveKeys(row);
  if (read.error || read.data?.length === 0) return <>–</>;
  return (
    <>
      {read.data?.map((key) => (
        <div key={key.id}>
          {key.id} - {key.active ? 'Active' : 'Inactive'}
        </div>
      )) ?? '…'}
    </>
  );
}

function KeyAge({ row }: { row: Row }) {
  const read = useLiveKeys(row);
  const live = read.data?.filter(({ active }) => active).map(({ created }) => created);
  return <Age date={live ? live.sort()[0] : oldestKey(row)} />;
}

/** The password's age by the report; whom it does not know yet is asked about. */
function PasswordAge({ row }: { row: Row }) {
  const stays = useStays();
  const read = useQuery({
    queryKey: ['user', row.name, 'login'],
    queryFn: () => iam.loginProfile(row.name),
    enabled: stays && row.report === undefined,
    staleTime: 60_000,
  });
  return <Age date={dateOf(row.report, 'password_last_changed') ?? read.data?.created} />;
}

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    header: 'User name',
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/users/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', hidden: true, by: ({ path }) => path, cell: ({ path }) => path },
  { id: 'groups', header: 'Groups', cell: (row) => <GroupCount name={row.name} /> },
  {
    id: 'activity',
    header: 'Last activity',
    by: (row) => number(lastActivity(row)),
    cell: (row) => ago(lastActivity(row)),
  },
  {
    id: 'mfa',
    header: 'MFA',
    by: ({ mfa }) => (mfa ? 'Virtual' : '–'),
    cell: ({ mfa }) => (mfa ? 'Virtual' : '–'),
  },
  {
    id: 'password',
    header: 'Password age',
    by: ({ report }) => -number(dateOf(report, 'password_last_changed')),
    cell: (row) => <PasswordAge row={row} />,
  },
  {
    id: 'sign-in',
    header: 'Console last sign-in',
    hidden: true,
    by: (row) => number(row.passwordLastUsed),
    cell: (row) => (row.passwordLastUsed ? full(row.passwordLastUsed) : '–'),
  },
  { id: 'key', header: 'Access key ID', minWidth: 270, cell: (row) => <KeyIds row={row} /> },
  {
    id: 'key-age',
    header: 'Active key age',
    by: (row) => -number(oldestKey(row)),
    cell: (row) => <KeyAge row={row} />,
  },
  {
    id: 'key-used',
    header: 'Access key last used',
    hidden: true,
    by: ({ report }) => number(dateOf(report, 'access_key_1_last_used_date')),
    cell: ({ report }) => ago(dateOf(report, 'access_key_1_last_used_date')),
  },
  { id: 'arn', header: 'ARN', hidden: true, by: ({ arn }) => arn, cell: ({ arn }) => arn },
  {
    id: 'created',
    header: 'Creation time',
    hidden: true,
    by: ({ created }) => number(created),
    cell: ({ created }) => full(created),
  },
  {
    id: 'console',
    header: 'Console access',
    hidden: true,
    by: ({ report }) => report?.['password_enabled'] ?? '',
    cell: ({ report }) => (report?.['password_enabled'] === 'true' ? 'Enabled' : 'Disabled'),
  },
];

/** In how many groups a user is, read when the row is seen. */
function GroupCount({ name }: { name: string }) {
  const stays = useStays();
  const read = useQuery({
    queryKey: ['user', name, 'groups'],
    queryFn: () => iam.groupsOf(name),
    enabled: stays,
    staleTime: 60_000,
  });
  if (read.error) return <>–</>;
  return <>{read.data?.length ?? '…'}</>;
}

export function Users() {
  const navigate = useNavigate();
  const can = useServed();
  const { notify } = useFrame();
  const users = useUsers();
  const report = useReport();
  const devices = useMfaUsers();
  const [selected, select] = useState<Row[]>([]);
  const [deleting, setDeleting] = useState(false);
  // The same rows until something was read: the list remembers what it searches them by.
  const items = useMemo(
    () =>
      users.data?.map((user): Row => {
        const row = report.data?.rows.get(user.name);
        // The report may be four hours old; it is what there is without the permission to list.
        const mfa = devices.data?.has(user.name) ?? row?.['mfa_active'] === 'true';
        return { ...user, report: row, mfa };
      }),
    [users.data, report.data, devices.data],
  );
  const create = (
    <Button variant="primary" onClick={() => void navigate('/iam/users/create')}>
      Create user
    </Button>
  );
  return (
    <>
      <List<Row>
        title="IAM users"
        variant="full-page"
        description={
          <>
            An IAM user is an identity with long-term credentials that is used to interact with the
            services of an account.{' '}
            {report.error && (
              <Badge color="grey">Without the credential report some columns are empty.</Badge>
            )}
          </>
        }
        items={items}
        columns={COLUMNS}
        rowId={({ name }) => name}
        loading={users.isPending}
        error={users.error}
        reload={() => changed(['users'], ['report'], ['user'], ['mfa'])}
        selection="multi"
        selected={selected}
        select={select}
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {can('CreateUser') && create}
          </>
        }
      />
      {deleting && (
        <DeleteUsers
          users={selected.map((row) => ({ name: row.name, activity: lastActivity(row) }))}
          dismiss={() => setDeleting(false)}
          done={() => {
            const count = selected.length;
            setDeleting(false);
            select([]);
            changed(['users'], ['report']);
            notify({
              type: 'success',
              content: count === 1 ? 'User deleted' : `${String(count)} users deleted`,
            });
          }}
        />
      )}
    </>
  );
}
