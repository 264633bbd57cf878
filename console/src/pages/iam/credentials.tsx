// The tab "Security credentials": the console password, MFA devices and access keys of a user.
import SpaceBetween from '@cloudscape-design/components/space-between';

import { AccessKeys } from './access-keys';
import { ConsoleSignIn } from './console-sign-in';
import { MfaDevices } from './mfa';

export function Credentials({ name }: { name: string }) {
  return (
    <SpaceBetween size="l">
      <ConsoleSignIn name={name} />
      <MfaDevices name={name} />
      <AccessKeys name={name} />
    </SpaceBetween>
  );
}
