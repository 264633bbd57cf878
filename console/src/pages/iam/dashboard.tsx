// The first page: the account, what it holds, and what should be done about its security.
import Alert from '@cloudscape-design/components/alert';
import BarChart from '@cloudscape-design/components/bar-chart';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { Fragment } from 'react';
import { useNavigate } from 'react-router';

import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Link } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { days } from '../../lib/age';
import { AccountPanel } from './account-panel';
import { changed, dateOf, useReport, useSummary } from './queries';

const AGES: readonly (readonly [label: string, below: number])[] = [
  ['0–30', 31],
  ['31–90', 91],
  ['91–365', 366],
  ['Over 365', Number.POSITIVE_INFINITY],
];

export function Dashboard() {
  return (
    <ContentLayout header={<Header variant="h1">IAM Dashboard</Header>}>
      <SpaceBetween size="l">
        <Recommendations />
        <Resources />
        <AccountPanel />
      </SpaceBetween>
    </ContentLayout>
  );
}

function activeKeys(rows: Iterable<iam.ReportRow>): { user: string; age: number }[] {
  return [...rows].flatMap((row) =>
    [1, 2].flatMap((at) => {
      const made = dateOf(row, `access_key_${String(at)}_last_rotated`);
      const active = row[`access_key_${String(at)}_active`] === 'true';
      return active && made ? [{ user: row['user'] ?? '', age: days(made) }] : [];
    }),
  );
}

function Recommendations() {
  const report = useReport();
  const summary = useSummary();
  const { session } = useFrame();
  const navigate = useNavigate();
  if (report.error) return <Problem error={report.error} retry={() => changed(['report'])} />;
  const keys = activeKeys(report.data?.rows.values() ?? []);
  const noMfa = summary.data?.get('AccountMFAEnabled') === 0;
  const root = keys.some(({ user }) => user === '<root_account>');
  // Root's keys have a warning of their own.
  const old = keys.filter(({ user, age }) => age > 90 && user !== '<root_account>');
  const bars = AGES.map(([x, below], at) => {
    const from = AGES[at - 1]?.[1] ?? 0;
    return { x, y: keys.filter(({ age }) => age >= from && age < below).length };
  });
  return (
    <Container header={<Header variant="h2">Security recommendations</Header>}>
      <SpaceBetween size="m">
        {noMfa && (
          <Alert
            type="warning"
            header="The root user has no MFA device"
            action={
              !session.userName && (
                <Button onClick={() => void navigate('/security-credentials/mfa/assign')}>
                  Add MFA
                </Button>
              )
            }
          >
            Whoever finds out its password may do everything in this account.
          </Alert>
        )}
        {root && (
          <Alert type="warning" header="The root user has active access keys">
            Create a user for daily work, and delete the keys of the root user.
          </Alert>
        )}
        {old.length > 0 && (
          <Alert
            type="warning"
            header={
              old.length === 1
                ? 'An active access key is older than 90 days'
                : `${String(old.length)} active access keys are older than 90 days`
            }
          >
            Replace them with <i>Rotate</i> among the actions of each key, or let a rotation policy do
            it:{' '}
            {old.slice(0, 10).map(({ user }, at) => (
              <Fragment key={`${user} ${String(at)}`}>
                {at > 0 && ', '}
                <Link to={`/iam/users/${encodeURIComponent(user)}?tab=credentials`}>{user}</Link>
              </Fragment>
            ))}
            {old.length > 10 ? ', …' : ''}
          </Alert>
        )}
        {report.data && summary.data && !noMfa && !root && old.length === 0 && (
          <Alert type="success">Nothing needs to be done.</Alert>
        )}
        <BarChart
          height={180}
          hideFilter
          hideLegend
          ariaLabel="Active access keys by age"
          xTitle="Age in days"
          yTitle="Active access keys"
          yDomain={[0, Math.max(4, ...bars.map(({ y }) => y))]}
          xDomain={AGES.map(([label]) => label)}
          series={[{ type: 'bar', title: 'Active access keys', data: bars }]}
          statusType={report.isPending ? 'loading' : 'finished'}
          loadingText="Loading"
        />
      </SpaceBetween>
    </Container>
  );
}

function Resources() {
  const summary = useSummary();
  const count = (name: string): string => String(summary.data?.get(name) ?? '…');
  return (
    <Container header={<Header variant="h2">IAM resources</Header>}>
      {summary.error ? (
        <Problem error={summary.error} retry={() => changed(['summary'])} />
      ) : (
        <KeyValuePairs
          columns={3}
          items={[
            { label: 'User groups', value: <Link to="/iam/groups">{count('Groups')}</Link> },
            { label: 'Users', value: <Link to="/iam/users">{count('Users')}</Link> },
            { label: 'Policies', value: <Link to="/iam/policies">{count('Policies')}</Link> },
          ]}
        />
      )}
    </Container>
  );
}
