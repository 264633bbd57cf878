// What is on the screen when the session of a role is over, or could not be continued: the person
// chooses who acts next, so that nothing is done as the user that was meant for the role.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect, useState } from 'react';

import { switchBack, switchRole } from '../api/role-session';
import type { SignedIn } from '../api/session';
import { roleLabel, type ActingRole } from '../lib/switch-role';
import { errorText, errorTitle } from './error-alert';

/** Whether the session of the role is over. */
export function useIsOver(role: ActingRole | null): boolean {
  const [over, setOver] = useState<string>();
  const until = role?.until;
  useEffect(() => {
    if (until === undefined) return undefined;
    const left = Math.max(0, Date.parse(until) - Date.now());
    const timer = setTimeout(() => setOver(until), left);
    return () => clearTimeout(timer);
  }, [until]);
  return role !== null && (role.isOver === true || over === role.until);
}

export function RoleEnded({ user, role }: { user: SignedIn; role: ActingRole }) {
  return (
    <Box padding="xxl">
      <SpaceBetween size="m">
        <Box variant="h1">Session ended</Box>
        <Alert
          type="info"
          action={
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={switchBack}>Switch back</Button>
              <Button variant="primary" onClick={() => switchRole(user, role.target)}>
                Switch role again
              </Button>
            </SpaceBetween>
          }
        >
          Your session in the role {roleLabel(role.target)} has ended.
        </Alert>
      </SpaceBetween>
    </Box>
  );
}

export function RoleNotResumed({ error }: { error: unknown }) {
  return (
    <Box padding="xxl">
      <SpaceBetween size="m">
        <Box variant="h1">Can&apos;t continue in the role</Box>
        <Alert
          type="error"
          header={errorTitle(error)}
          action={<Button onClick={switchBack}>Switch back</Button>}
        >
          {errorText(error)}
        </Alert>
      </SpaceBetween>
    </Box>
  );
}
