// "My security credentials": those of the principal that is signed in, root or a user.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { useFrame } from '../../frame/context';
import { roleLabel } from '../../lib/switch-role';
import { AccessKeys } from './access-keys';
import { OwnPassword } from './change-password';
import { Credentials } from './credentials';
import { MfaDevices } from './mfa';

export function SecurityCredentialsPage() {
  const { session } = useFrame();
  const { userName, role } = session;
  if (role) return <RoleCredentials label={roleLabel(role.target)} />;
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={userName ?? 'Root user'}>
          My security credentials
        </Header>
      }
    >
      {userName ? (
        <SpaceBetween size="l">
          <OwnPassword />
          <Credentials name={userName} />
        </SpaceBetween>
      ) : (
        <SpaceBetween size="l">
          <Alert type="warning">
            You are signed in as the root user. Use an IAM user for everyday tasks. After you have
            stored the root user&apos;s access key and password elsewhere, remove them from the
            server&apos;s data folder: run <Box variant="code">keywright root forget</Box> there.
          </Alert>
          <OwnPassword />
          <MfaDevices />
          <AccessKeys />
        </SpaceBetween>
      )}
    </ContentLayout>
  );
}

/** A role has no credentials of its own; those of the user are the user's. */
function RoleCredentials({ label }: { label: string }) {
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={label}>
          My security credentials
        </Header>
      }
    >
      <Alert type="info">
        You are using a role, which has no password, access keys or MFA devices. To manage your own
        credentials, choose <b>Switch back</b> in the account menu.
      </Alert>
    </ContentLayout>
  );
}
