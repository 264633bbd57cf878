// The first page: security recommendations, resources, and the account.
import Alert from '@cloudscape-design/components/alert';
import BarChart from '@cloudscape-design/components/bar-chart';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { Fragment } from 'react';
import { useNavigate } from 'react-router';

import * as iam from '../../api/iam';
import { isRoot } from '../../api/session';
import { useFrame, useIsServed } from '../../frame/context';
import { Link } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { daysSince } from '../../lib/age';
import { AccountPanel } from './account-panel';
import { ConnectPanel } from './use-key';
import { invalidate, reportDate, useReport, useSummary } from './queries';

const AGES: readonly (readonly [label: string, below: number])[] = [
  ['0–30', 31],
  ['31–90', 91],
  ['91–365', 366],
  ['Over 365', Number.POSITIVE_INFINITY],
];

export function DashboardPage() {
  return (
    <ContentLayout header={<Header variant="h1">IAM Dashboard</Header>}>
      <SpaceBetween size="l">
        <Recommendations />
        <Resources />
        <AccountPanel />
        <ConnectPanel />
      </SpaceBetween>
    </ContentLayout>
  );
}

function activeKeys(rows: Iterable<iam.ReportRow>): { user: string; age: number }[] {
  return [...rows].flatMap((row) =>
    ['1', '2'].flatMap((number) => {
      const created = reportDate(row, `access_key_${number}_last_rotated`);
      const isKeyActive = row[`access_key_${number}_active`] === 'true';
      return isKeyActive && created ? [{ user: row['user'] ?? '', age: daysSince(created) }] : [];
    }),
  );
}

function Recommendations() {
  const report = useReport();
  const summary = useSummary();
  const { session } = useFrame();
  const navigate = useNavigate();
  if (report.error) return <ErrorAlert error={report.error} retry={() => invalidate(['report'])} />;
  const keys = activeKeys(report.data?.rows.values() ?? []);
  const lacksRootMfa = summary.data?.['AccountMFAEnabled'] === 0;
  const hasRootKeys = keys.some(({ user }) => user === '<root_account>');
  // Root's keys have a separate warning.
  const old = keys.filter(({ user, age }) => age > 90 && user !== '<root_account>');
  const bars = AGES.map(([x, below], index) => {
    const from = AGES[index - 1]?.[1] ?? 0;
    return { x, y: keys.filter(({ age }) => age >= from && age < below).length };
  });
  return (
    <Container header={<Header variant="h2">Security recommendations</Header>}>
      <SpaceBetween size="m">
        {lacksRootMfa && (
          <Alert
            type="warning"
            header="Add MFA for root user"
            action={
              isRoot(session) && (
                <Button onClick={() => void navigate('/security-credentials/mfa/assign')}>
                  Add MFA
                </Button>
              )
            }
          >
            Anyone who learns the root password has full access to this account.
          </Alert>
        )}
        {hasRootKeys && (
          <Alert
            type="warning"
            header="Root user has active access keys"
            action={
              isRoot(session) && (
                <Button onClick={() => void navigate('/security-credentials')}>
                  View access keys
                </Button>
              )
            }
          >
            Create an IAM user for everyday tasks, then delete the root user&apos;s access keys. The
            server&apos;s data folder also contains the first key and the root password until you
            run <Box variant="code">keywright root forget</Box> there; store the password elsewhere
            before.
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
            Rotate them from each key&apos;s Actions menu, or create a rotation policy. Users:{' '}
            {old.slice(0, 10).map(({ user }, index) => (
              <Fragment key={`${user} ${String(index)}`}>
                {index > 0 && ', '}
                <Link to={`/iam/users/${encodeURIComponent(user)}?tab=credentials`}>{user}</Link>
              </Fragment>
            ))}
            {old.length > 10 ? ', …' : ''}
          </Alert>
        )}
        {report.data && summary.data && !lacksRootMfa && !hasRootKeys && old.length === 0 && (
          <Alert type="success">No recommendations.</Alert>
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
  const isServed = useIsServed();
  const count = (name: string): string => String(summary.data?.[name] ?? '…');
  return (
    <Container header={<Header variant="h2">IAM resources</Header>}>
      {summary.error ? (
        <ErrorAlert error={summary.error} retry={() => invalidate(['summary'])} />
      ) : (
        <KeyValuePairs
          columns={3}
          items={[
            { label: 'User groups', value: <Link to="/iam/groups">{count('Groups')}</Link> },
            { label: 'Users', value: <Link to="/iam/users">{count('Users')}</Link> },
            ...(isServed('ListRoles')
              ? [{ label: 'Roles', value: <Link to="/iam/roles">{count('Roles')}</Link> }]
              : []),
            { label: 'Policies', value: <Link to="/iam/policies">{count('Policies')}</Link> },
            ...(isServed('ListSAMLProviders')
              ? [
                  {
                    label: 'Identity providers',
                    value: <Link to="/iam/providers">{count('Providers')}</Link>,
                  },
                ]
              : []),
          ]}
        />
      )}
    </Container>
  );
}
