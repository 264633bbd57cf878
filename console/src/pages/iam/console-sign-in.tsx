// The console access of a user: the sign-in link, the password, and setting another one.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { call } from '../../api/client';
import {
  AttachUserPolicy,
  CreateLoginProfile,
  DeleteLoginProfile,
  UpdateLoginProfile,
} from '../../api/generated/iam';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { useLeave, useOneTimeSecret } from '../../frame/leave-guard';
import { ActionDialog, CopyText, SecretText } from '../../frame/parts';
import { ago } from '../../lib/age';
import { UNKNOWN } from '../../lib/key-activity';
import { generatePassword } from '../../lib/password';
import { savePassword, signInUrl } from './create-user';
import { PasswordField, type PasswordInput } from './password-choice';
import {
  invalidateUser,
  lastSignIn,
  useAlias,
  useLoginProfile,
  usePasswordPolicy,
  useUser,
} from './queries';

const CHANGE_PASSWORD_ARN = 'arn:aws:iam::aws:policy/IAMUserChangePassword';

export function ConsoleSignIn({ name }: { name: string }) {
  const { session, notifySuccess, notifyError } = useFrame();
  const alias = useAlias();
  const login = useLoginProfile(name);
  const user = useUser(name);
  const [open, setOpen] = useState<'set' | 'disable'>();
  const [password, setPassword] = useState<PasswordInput>({
    own: false,
    text: '',
    mustChange: true,
  });
  const [newPassword, setNewPassword] = useState<string>();
  const policy = usePasswordPolicy();
  const url = signInUrl(alias.data ?? session.accountId);
  const enabled = Boolean(login.data);
  const save = async (): Promise<void> => {
    const secret = password.own
      ? password.text
      : generatePassword(policy.data?.MinimumPasswordLength);
    const profile = {
      UserName: name,
      Password: secret,
      PasswordResetRequired: password.mustChange,
    };
    if (enabled) await call(UpdateLoginProfile, profile);
    else await call(CreateLoginProfile, profile);
    // From here on it is the user's password, whatever else fails.
    setNewPassword(secret);
    if (password.mustChange)
      await call(AttachUserPolicy, { UserName: name, PolicyArn: CHANGE_PASSWORD_ARN }).catch(
        notifyError,
      );
  };
  const verb = enabled ? 'Reset password' : 'Enable console access';
  // Without permission to read it, it is unknown whether there is a password.
  const actions = login.isSuccess && (
    <SpaceBetween direction="horizontal" size="xs">
      {enabled && <Button onClick={() => setOpen('disable')}>Disable console access</Button>}
      <Button onClick={() => setOpen('set')}>{verb}</Button>
    </SpaceBetween>
  );
  const passwordState = login.data
    ? `Updated ${ago(login.data.CreateDate).toLowerCase()}`
    : login.isSuccess
      ? 'Not enabled'
      : login.error
        ? UNKNOWN
        : '…';
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          Console sign-in
        </Header>
      }
    >
      <SpaceBetween size="m">
        <KeyValuePairs
          columns={3}
          items={[
            {
              label: 'Console sign-in link',
              value: <CopyText text={url} label="Console sign-in link" />,
            },
            { label: 'Console password', value: passwordState },
            { label: 'Last console sign-in', value: lastSignIn(user.data, login.data) },
          ]}
        />
        {login.error && <ErrorAlert error={login.error} />}
      </SpaceBetween>
      {open === 'set' && (
        <ActionDialog
          title={verb}
          verb={verb}
          disabled={password.own && password.text === ''}
          onDismiss={() => setOpen(undefined)}
          action={save}
          onDone={() => {
            setOpen(undefined);
            invalidateUser(name);
          }}
        >
          <PasswordField password={password} set={setPassword} />
        </ActionDialog>
      )}
      {open === 'disable' && (
        <ActionDialog
          title="Disable console access?"
          verb="Disable console access"
          onDismiss={() => setOpen(undefined)}
          action={() => call(DeleteLoginProfile, { UserName: name })}
          onDone={() => {
            setOpen(undefined);
            invalidateUser(name);
            notifySuccess('Console access disabled');
          }}
        >
          The user can no longer sign in. Access keys are not affected.
        </ActionDialog>
      )}
      {open === undefined && newPassword !== undefined && (
        <NewPasswordDialog
          credentials={{ name, password: newPassword, url }}
          onDismiss={() => setNewPassword(undefined)}
        />
      )}
    </Container>
  );
}

interface NewPasswordDialogProps {
  credentials: { name: string; password: string; url: string };
  onDismiss: () => void;
}

function NewPasswordDialog({ credentials, onDismiss }: NewPasswordDialogProps) {
  const markSaved = useOneTimeSecret('Console password');
  const { leave, isAsking } = useLeave();
  return (
    <Modal
      visible={!isAsking}
      header="Console password"
      closeAriaLabel="Close"
      onDismiss={() => leave(onDismiss)}
    >
      <SpaceBetween size="m">
        <Alert type="warning">
          This is the only time you can view or download the password. If you lose it, reset it.
        </Alert>
        <SecretText secret={credentials.password} label="Console password" onCopy={markSaved} />
        <Button
          iconName="download"
          onClick={() => {
            savePassword(credentials);
            markSaved();
          }}
        >
          Download .csv file
        </Button>
      </SpaceBetween>
    </Modal>
  );
}
