// A user's page: summary, permissions, groups, tags, security credentials.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import type * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { CopyText, Link, Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { ago, fullDate, timeAgo } from '../../lib/age';
import { UNKNOWN } from '../../lib/key-activity';
import { useNow } from '../../lib/now';
import { OpenRotationAlert } from '../rotation/rotations';
import { Credentials } from './credentials';
import { DeleteUsersDialog } from './delete-user';
import {
  invalidate,
  useDevices,
  useUserGroups,
  useKeys,
  useUser,
  invalidateUser,
  KEY_POLL_MS,
  lastSignIn,
  useLoginProfile,
  type KeyDetail,
} from './queries';
import { UserGroups, UserPermissions, UserTags } from './user-tabs';

function KeyLine({ userName, detail }: { userName: string; detail: KeyDetail | undefined }) {
  const now = useNow();
  if (!detail)
    return (
      <Link to={`/iam/users/${encodeURIComponent(userName)}/keys/create`}>Create access key</Link>
    );
  const last = detail.uses?.last;
  const used = !last
    ? 'Last use unknown.'
    : last.date
      ? `Used ${timeAgo(last.date, now).toLowerCase()}.`
      : 'Never used.';
  return (
    <>
      <div>
        {detail.AccessKeyId} - {detail.Status}
      </div>
      <div>
        {used} Created {ago(detail.CreateDate).toLowerCase()}.
      </div>
    </>
  );
}

/** The state of console access, as far as the MFA devices may be read. */
function consoleAccess(devices: iam.MFADevice[] | undefined): string {
  if (!devices) return 'Enabled';
  return devices.length > 0 ? 'Enabled with MFA' : 'Enabled without MFA';
}

export function UserPage() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [search, setSearch] = useSearchParams();
  const [deleting, setDeleting] = useState(false);
  const user = useUser(name);
  const keys = useKeys(name, KEY_POLL_MS);
  const login = useLoginProfile(name);
  const groups = useUserGroups(name);
  const devices = useDevices(name);
  if (user.error) return <ErrorAlert error={user.error} retry={() => invalidateUser(name)} />;
  if (!user.data) return <Loading />;
  const { Arn: arn, CreateDate: created, Tags: tags = [] } = user.data;
  const unread = keys.error ? UNKNOWN : '…';
  return (
    <ContentLayout
      header={
        <Header variant="h1" actions={<Button onClick={() => setDeleting(true)}>Delete</Button>}>
          {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <OpenRotationAlert userName={name} />
        <Container header={<Header variant="h2">Summary</Header>}>
          <KeyValuePairs
            columns={3}
            items={[
              { label: 'ARN', value: <CopyText text={arn} label="ARN" /> },
              {
                label: 'Console access',
                value: login.error
                  ? UNKNOWN
                  : login.data
                    ? consoleAccess(devices.data)
                    : 'Disabled',
              },
              {
                label: 'Access key 1',
                value: keys.data ? <KeyLine userName={name} detail={keys.data[0]} /> : unread,
              },
              { label: 'Created', value: fullDate(created) },
              {
                label: 'Last console sign-in',
                value: lastSignIn(user.data, login.data),
              },
              {
                label: 'Access key 2',
                value: keys.data ? <KeyLine userName={name} detail={keys.data[1]} /> : unread,
              },
            ]}
          />
        </Container>
        <Tabs
          activeTabId={search.get('tab') ?? 'permissions'}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId }, { replace: true })}
          tabs={[
            {
              id: 'permissions',
              label: 'Permissions',
              content: <UserPermissions user={user.data} />,
            },
            {
              id: 'groups',
              label: groups.data ? `Groups (${String(groups.data.length)})` : 'Groups',
              content: <UserGroups name={name} />,
            },
            {
              id: 'tags',
              label: `Tags (${String(tags.length)})`,
              content: <UserTags name={name} />,
            },
            {
              id: 'credentials',
              label: 'Security credentials',
              content: <Credentials name={name} />,
            },
          ]}
        />
      </SpaceBetween>
      {deleting && (
        <DeleteUsersDialog
          users={[{ name }]}
          onDismiss={() => setDeleting(false)}
          onDone={() => {
            invalidate(['users'], ['report']);
            notifySuccess(`User ${name} deleted`);
            void navigate('/iam/users');
          }}
        />
      )}
    </ContentLayout>
  );
}
