// What is on the screen when the session of a role is over, or could not be continued: the person
// chooses who acts next, so that nothing is done as the user that was meant for the role.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect, useState } from 'react';
import { useNavigate } from 'react-router';

import { switchBack, switchRole } from '../api/role-session';
import type { SignedIn } from '../api/session';
import { roleLabel, type ActingRole } from '../lib/switch-role';
import { ErrorAlert } from './error-alert';

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

function SwitchBack() {
  const navigate = useNavigate();
  return (
    <Button
      onClick={() => {
        switchBack();
        void navigate('/iam');
      }}
    >
      Switch back
    </Button>
  );
}

export function RoleEnded({ user, role }: { user: SignedIn; role: ActingRole }) {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const again = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await switchRole(user, role.target);
      void navigate('/iam');
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Box padding="xxl">
      <SpaceBetween size="m">
        <Box variant="h1">Session ended</Box>
        <Alert
          type="info"
          action={
            <SpaceBetween direction="horizontal" size="xs">
              <SwitchBack />
              <Button variant="primary" loading={busy} onClick={() => void again()}>
                Switch role again
              </Button>
            </SpaceBetween>
          }
        >
          Your session in the role {roleLabel(role.target)} has ended.
        </Alert>
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Box>
  );
}

export function RoleNotResumed({ error }: { error: unknown }) {
  return (
    <Box padding="xxl">
      <SpaceBetween size="m">
        <Box variant="h1">Can&apos;t continue in the role</Box>
        <ErrorAlert error={error} />
        <SwitchBack />
      </SpaceBetween>
    </Box>
  );
}
