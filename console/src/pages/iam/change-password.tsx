// The password of the principal that is signed in, root or a user, and changing it.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import { useState } from 'react';

import { changePassword, forgetCredentials, isRoot } from '../../api/session';
import { useFrame } from '../../frame/context';
import { ActionDialog } from '../../frame/parts';
import { CurrentPasswordRules, PasswordRules } from './password-rules';
import { invalidateUser } from './queries';

interface Passwords {
  old: string;
  next: string;
  retyped: string;
}
const NONE: Passwords = { old: '', next: '', retyped: '' };

export function OwnPassword() {
  const { session, notifySuccess } = useFrame();
  const [open, setOpen] = useState(false);
  const isRootUser = isRoot(session);
  return (
    <Container
      header={
        <Header
          variant="h2"
          actions={<Button onClick={() => setOpen(true)}>Change password</Button>}
        >
          Password
        </Header>
      }
    >
      {isRootUser ? (
        <Box>
          If you lose it, stop the server and run{' '}
          <Box variant="code">keywright root reset-password</Box> on its data folder.
        </Box>
      ) : (
        <Box>
          You can change your own password if a policy or the account&apos;s password policy allows
          it. If you lose it, an administrator can reset it.
        </Box>
      )}
      {open && (
        <ChangePasswordDialog
          isRoot={isRootUser}
          onDismiss={() => setOpen(false)}
          onDone={() => {
            setOpen(false);
            invalidateUser(session.userName);
            notifySuccess('Password changed');
          }}
        />
      )}
    </Container>
  );
}

interface ChangePasswordDialogProps {
  isRoot: boolean;
  onDismiss: () => void;
  onDone: () => void;
}

function ChangePasswordDialog({ isRoot, onDismiss, onDone }: ChangePasswordDialogProps) {
  const [{ old, next, retyped }, setPasswords] = useState(NONE);
  const set = (part: Partial<Passwords>): void => setPasswords((all) => ({ ...all, ...part }));
  const save = async (): Promise<void> => {
    await changePassword(old, next);
    // The session continues with another cookie and other credentials.
    forgetCredentials();
  };
  const isMismatch = retyped !== '' && retyped !== next;
  return (
    <ActionDialog
      title="Change password"
      verb="Change password"
      disabled={old === '' || next === '' || next !== retyped}
      onDismiss={onDismiss}
      action={save}
      onDone={onDone}
    >
      <FormField label="Current password">
        <Input
          type="password"
          autoComplete="current-password"
          value={old}
          onChange={({ detail }) => set({ old: detail.value })}
        />
      </FormField>
      <FormField
        label="New password"
        constraintText={isRoot ? <PasswordRules policy={null} /> : <CurrentPasswordRules />}
      >
        <Input
          type="password"
          autoComplete="new-password"
          value={next}
          onChange={({ detail }) => set({ next: detail.value })}
        />
      </FormField>
      <FormField
        label="Retype new password"
        errorText={isMismatch ? 'Passwords do not match.' : ''}
      >
        <Input
          type="password"
          autoComplete="new-password"
          value={retyped}
          onChange={({ detail }) => set({ retyped: detail.value })}
        />
      </FormField>
    </ActionDialog>
  );
}
