// "My security credentials": those of whoever is signed in, root or a user.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { useFrame } from '../../frame/context';
import { AccessKeys, Credentials } from './credentials';
import { MfaDevices } from './mfa';

export function SecurityCredentials() {
  const { session } = useFrame();
  const { userName } = session;
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={userName ?? 'Root user'}>
          My security credentials
        </Header>
      }
    >
      {userName ? (
        <Credentials name={userName} />
      ) : (
        <SpaceBetween size="l">
          <Alert type="warning">
            The root user may do everything. Sign in as an IAM user for daily work. Once you have
            stored root’s access key and password elsewhere, remove them from the server’s data
            folder: run <Box variant="code">keywright root forget</Box> there.
          </Alert>
          <MfaDevices />
          <AccessKeys />
        </SpaceBetween>
      )}
    </ContentLayout>
  );
}
