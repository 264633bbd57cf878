// The users of the account, with the state of their credentials.
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { useQuery } from '@tanstack/react-query';

import type { ReportRow, User } from '../../api/iam';
import * as iam from '../../api/iam';
import { keyUses } from '../../api/key-activity';
import { useFrame, useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { age, ago, daysSince, fullDate } from '../../lib/age';
import { UNKNOWN } from '../../lib/key-activity';
import { useIsSettled } from '../../lib/debounce';
import { DeleteUsersDialog } from './delete-user';
import {
  invalidate,
  lastSignIn,
  reportDate,
  useMfaUsers,
  useReport,
  useUsers,
  isActive,
} from './queries';

const OLD_DAYS = 90;

interface Row extends User {
  report: ReportRow | undefined;
  /** Whether an MFA device is assigned; undefined if it is unknown. */
  mfa: boolean | undefined;
}

/** When the active keys of a user were created, by the report. */
const activeKeyDates = ({ report }: Row): string[] =>
  ['1', '2'].flatMap((number) => {
    const isKeyActive = report?.[`access_key_${number}_active`] === 'true';
    const created = reportDate(report, `access_key_${number}_last_rotated`);
    return isKeyActive && created !== undefined ? [created] : [];
  });

const latest = (dates: readonly (string | undefined)[]): string | undefined =>
  dates
    .filter((date) => date !== undefined)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);

/** The last use of a key by the report, which may be hours old. */
const reportedKeyUse = ({ report }: Row): string | undefined =>
  latest(['1', '2'].map((number) => reportDate(report, `access_key_${number}_last_used_date`)));

/** The later of the password's and the keys' last use. */
const lastActivity = (row: Row): string | undefined =>
  latest([
    row.PasswordLastUsed ?? reportDate(row.report, 'password_last_used'),
    reportedKeyUse(row),
  ]);

const timestamp = (date: string | undefined): number => (date ? Date.parse(date) : 0);
const oldestKey = (row: Row): string | undefined => activeKeyDates(row).sort()[0];

function Age({ date }: { date: string | undefined }) {
  if (!date) return <>–</>;
  return daysSince(date) > OLD_DAYS ? (
    <StatusIndicator type="warning">{age(date)}</StatusIndicator>
  ) : (
    <>{age(date)}</>
  );
}

/** The current keys of a user and their uses, read when the row is visible. */
function useLiveKeys({ UserName: name }: Row) {
  const isSettled = useIsSettled();
  return useQuery({
    queryKey: ['user', name, 'key-ids'],
    queryFn: async () => {
      const keys = await iam.listAccessKeys(name);
      const uses = await Promise.all(keys.map(({ AccessKeyId }) => keyUses(AccessKeyId)));
      return keys.map((key, index) => ({ ...key, uses: uses[index] ?? null }));
    },
    enabled: isSettled,
    staleTime: 60_000,
  });
}

/** The last activity of a user, or of its keys alone. */
function Activity({ row, keysOnly = false }: { row: Row; keysOnly?: boolean }) {
  const read = useLiveKeys(row);
  const live = read.data?.map(({ uses }) => uses?.last.date) ?? [];
  const date = latest([keysOnly ? reportedKeyUse(row) : lastActivity(row), ...live]);
  if (date !== undefined) return <>{ago(date)}</>;
  if (row.report === undefined && read.isPending) return <>…</>;
  const isKnown = row.report !== undefined || read.data?.every(({ uses }) => uses !== null);
  return <>{isKnown ? 'Never' : UNKNOWN}</>;
}

function KeyIds({ row }: { row: Row }) {
  const read = useLiveKeys(row);
  if (read.error) return <>{UNKNOWN}</>;
  if (read.data?.length === 0) return <>–</>;
  return (
    <>
      {read.data?.map((key) => (
        <div key={key.AccessKeyId}>
          {key.AccessKeyId} - {key.Status}
        </div>
      )) ?? '…'}
    </>
  );
}

function KeyAge({ row }: { row: Row }) {
  const read = useLiveKeys(row);
  if (read.error && !row.report) return <>{UNKNOWN}</>;
  const current = read.data?.filter(isActive).map(({ CreateDate }) => CreateDate);
  return <Age date={current ? current.sort()[0] : oldestKey(row)} />;
}

/** The password's age by the report; of users that are newer than the report it is read. */
function PasswordAge({ row }: { row: Row }) {
  const isSettled = useIsSettled();
  const read = useQuery({
    queryKey: ['user', row.UserName, 'login'],
    queryFn: () => iam.loginProfile(row.UserName),
    enabled: isSettled && row.report === undefined,
    staleTime: 60_000,
  });
  if (read.error) return <>{UNKNOWN}</>;
  return <Age date={reportDate(row.report, 'password_last_changed') ?? read.data?.CreateDate} />;
}

const mfaText = ({ mfa }: Row): string => {
  if (mfa === undefined) return UNKNOWN;
  return mfa ? 'Virtual' : '–';
};

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    header: 'User name',
    value: ({ UserName }) => UserName,
    cell: ({ UserName }) => (
      <Link to={`/iam/users/${encodeURIComponent(UserName)}`}>{UserName}</Link>
    ),
    isRowHeader: true,
  },
  {
    id: 'path',
    header: 'Path',
    hidden: true,
    value: ({ Path }) => Path,
    cell: ({ Path }) => Path,
  },
  { id: 'groups', header: 'Groups', cell: (row) => <GroupCount name={row.UserName} /> },
  {
    id: 'activity',
    header: 'Last activity',
    value: (row) => timestamp(lastActivity(row)),
    cell: (row) => <Activity row={row} />,
  },
  {
    id: 'mfa',
    header: 'MFA',
    value: mfaText,
    cell: mfaText,
  },
  {
    id: 'password',
    header: 'Password age',
    value: ({ report }) => -timestamp(reportDate(report, 'password_last_changed')),
    cell: (row) => <PasswordAge row={row} />,
  },
  {
    id: 'sign-in',
    header: 'Last console sign-in',
    hidden: true,
    value: (row) => timestamp(row.PasswordLastUsed),
    cell: (row) => lastSignIn(row, row.report?.['password_enabled'] === 'false' ? null : undefined),
  },
  { id: 'key', header: 'Access key ID', minWidth: 270, cell: (row) => <KeyIds row={row} /> },
  {
    id: 'key-age',
    header: 'Active key age',
    value: (row) => -timestamp(oldestKey(row)),
    cell: (row) => <KeyAge row={row} />,
  },
  {
    id: 'key-used',
    header: 'Access key last used',
    hidden: true,
    value: (row) => timestamp(reportedKeyUse(row)),
    cell: (row) => <Activity keysOnly row={row} />,
  },
  {
    id: 'arn',
    header: 'ARN',
    hidden: true,
    value: ({ Arn }) => Arn,
    cell: ({ Arn }) => Arn,
  },
  {
    id: 'created',
    header: 'Creation time',
    hidden: true,
    value: ({ CreateDate }) => timestamp(CreateDate),
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
  {
    id: 'console',
    header: 'Console access',
    hidden: true,
    value: ({ report }) => report?.['password_enabled'] ?? '',
    cell: ({ report }) => {
      if (!report) return UNKNOWN;
      return report['password_enabled'] === 'true' ? 'Enabled' : 'Disabled';
    },
  },
];

/** The number of a user's groups, read when the row is visible. */
function GroupCount({ name }: { name: string }) {
  const isSettled = useIsSettled();
  const read = useQuery({
    queryKey: ['user', name, 'groups'],
    queryFn: () => iam.listUserGroups(name),
    enabled: isSettled,
    staleTime: 60_000,
  });
  if (read.error) return <>{UNKNOWN}</>;
  return <>{read.data?.length ?? '…'}</>;
}

export function UsersPage() {
  const navigate = useNavigate();
  const isServed = useIsServed();
  const { notifySuccess } = useFrame();
  const users = useUsers();
  const report = useReport();
  const devices = useMfaUsers();
  const [selected, setSelected] = useState<Row[]>([]);
  const [deleting, setDeleting] = useState(false);
  // The same rows until data changes: the list caches what it searches them by.
  const items = useMemo(
    () =>
      users.data?.map((user): Row => {
        const row = report.data?.rows.get(user.UserName);
        // Without permission to list MFA devices there is the report, which may be four hours old.
        const mfa = devices.data?.has(user.UserName) ?? (row && row['mfa_active'] === 'true');
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
            An IAM user is an identity with long-term credentials that is used to interact with AWS
            in an account.{' '}
            {report.error && (
              <Badge color="grey">
                You don&apos;t have permission to read the credential report, so some columns are
                empty.
              </Badge>
            )}
          </>
        }
        items={items}
        columns={COLUMNS}
        rowId={({ UserName }) => UserName}
        loading={users.isPending}
        error={users.error}
        reload={() => invalidate(['users'], ['report'], ['user'], ['mfa'])}
        empty="No users"
        emptyAction={isServed('CreateUser') && create}
        selection="multi"
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {isServed('CreateUser') && create}
          </>
        }
      />
      {deleting && (
        <DeleteUsersDialog
          users={selected.map((row) => ({ name: row.UserName, activity: lastActivity(row) }))}
          onDismiss={() => setDeleting(false)}
          onDone={() => {
            const [first, second] = selected;
            setDeleting(false);
            setSelected([]);
            invalidate(['users'], ['report']);
            notifySuccess(
              first && !second
                ? `User ${first.UserName} deleted`
                : `${String(selected.length)} users deleted`,
            );
          }}
        />
      )}
    </>
  );
}
