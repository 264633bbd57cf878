// The tab "Security credentials": the console password, MFA devices and access keys of a user, and
// the MFA devices and access keys of root.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import {
  AttachUserPolicy,
  DeleteAccessKey,
  DeleteLoginProfile,
  TagUser,
  UntagUser,
  UpdateAccessKey,
  CreateLoginProfile,
  UpdateLoginProfile,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame, useIsServed } from '../../frame/context';
import { ActionDialog, CopyText, SecretText } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { ago, fullDate, timeAgo } from '../../lib/age';
import { generatePassword } from '../../lib/password';
import { savePassword, signInUrl } from './create-user';
import { MfaDevices } from './mfa';
import { PasswordField, type PasswordInput } from './password-choice';
import {
  credentialsPage,
  useAlias,
  useKeys,
  usePasswordPolicy,
  invalidateUser,
  isActive,
  type KeyDetail,
} from './queries';

const KEYS_MAX = 2;

export function Credentials({ name }: { name: string }) {
  return (
    <SpaceBetween size="l">
      <ConsoleSignIn name={name} />
      <MfaDevices name={name} />
      <AccessKeys name={name} />
    </SpaceBetween>
  );
}

function ConsoleSignIn({ name }: { name: string }) {
  const { session, notifySuccess } = useFrame();
  const alias = useAlias();
  const login = useQuery({
    queryKey: ['user', name, 'login'],
    queryFn: () => iam.loginProfile(name),
  });
  const user = useQuery({ queryKey: ['user', name], queryFn: () => iam.getUser(name) });
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
    if (password.mustChange) {
      const PolicyArn = 'arn:aws:iam::aws:policy/IAMUserChangePassword';
      await call(AttachUserPolicy, { UserName: name, PolicyArn });
    }
    setNewPassword(secret);
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {enabled && <Button onClick={() => setOpen('disable')}>Disable console access</Button>}
      <Button disabled={!login.isSuccess} onClick={() => setOpen('set')}>
        {enabled ? 'Reset password' : 'Enable console access'}
      </Button>
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          Console sign-in
        </Header>
      }
    >
      {login.error ? (
        <ErrorAlert error={login.error} />
      ) : (
        <KeyValuePairs
          columns={3}
          items={[
            {
              label: 'Console sign-in link',
              value: <CopyText text={url} label="Console sign-in link" />,
            },
            {
              label: 'Console password',
              value: login.data
                ? `Updated ${ago(login.data.CreateDate).toLowerCase()}`
                : 'Not enabled',
            },
            { label: 'Last console sign-in', value: fullDate(user.data?.PasswordLastUsed) },
          ]}
        />
      )}
      {open === 'set' && (
        <ActionDialog
          title={enabled ? 'Reset password' : 'Enable console access'}
          verb={enabled ? 'Reset password' : 'Enable console access'}
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
      {newPassword !== undefined && (
        <Modal
          visible
          header="Console password"
          closeAriaLabel="Close"
          onDismiss={() => setNewPassword(undefined)}
        >
          <SpaceBetween size="m">
            <Alert type="warning">
              This is the only time you can view or download the password. If you lose it, reset it.
            </Alert>
            <SecretText secret={newPassword} label="Console password" />
            <Button
              iconName="download"
              onClick={() => savePassword({ name, password: newPassword, url })}
            >
              Download .csv file
            </Button>
          </SpaceBetween>
        </Modal>
      )}
    </Container>
  );
}

type KeyAction = 'rotate' | 'activate' | 'deactivate' | 'delete' | 'describe';
interface OpenDialog {
  action: Exclude<KeyAction, 'rotate'>;
  key: KeyDetail;
}

/** The access keys of a user, or of root where none is named. */
export function AccessKeys({ name }: { name?: string }) {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const keys = useKeys(name);
  const [open, setOpen] = useState<OpenDialog>();
  const onDone = (message: string): void => {
    setOpen(undefined);
    invalidateUser(name);
    notifySuccess(message);
  };
  const act = (key: KeyDetail) => (action: KeyAction) => {
    if (action !== 'rotate') setOpen({ action, key });
    else if (name !== undefined)
      void navigate(`/iam/users/${encodeURIComponent(name)}/keys/rotate?key=${key.AccessKeyId}`);
  };
  const create = (
    <Button
      disabled={(keys.data?.length ?? 0) >= KEYS_MAX}
      disabledReason="Limit reached: two access keys. Delete one to create a new one."
      onClick={() => void navigate(`${credentialsPage(name)}/keys/create`)}
    >
      Create access key
    </Button>
  );
  return (
    <Container
      header={
        <Header
          variant="h2"
          counter={`(${String(keys.data?.length ?? 0)})`}
          description="Use access keys to send programmatic calls from the AWS CLI, SDKs, or direct API calls. You can have a maximum of two access keys (active or inactive) at a time."
          actions={create}
        >
          Access keys
        </Header>
      }
    >
      <SpaceBetween size="m">
        {keys.error && <ErrorAlert error={keys.error} retry={() => void keys.refetch()} />}
        {keys.isPending && <StatusIndicator type="loading">Loading</StatusIndicator>}
        {keys.data?.length === 0 && <Box textAlign="center">No access keys</Box>}
        {keys.data?.map((key) => (
          <KeyCard key={key.AccessKeyId} detail={key} isUsers={name !== undefined} act={act(key)} />
        ))}
      </SpaceBetween>
      {open && (
        <KeyDialog
          userName={name}
          open={open}
          onDismiss={() => {
            setOpen(undefined);
            // The dialog may have deactivated the key.
            invalidateUser(name);
          }}
          onDone={onDone}
        />
      )}
    </Container>
  );
}

interface KeyCardProps {
  detail: KeyDetail;
  /** Whether it is a user's: root's keys have no description and cannot be rotated. */
  isUsers: boolean;
  act: (action: KeyAction) => void;
}

function KeyCard({ detail, isUsers, act }: KeyCardProps) {
  const { AccessKeyId, CreateDate, lastUsed, description, Status } = detail;
  const isServed = useIsServed();
  const active = isActive(detail);
  const rotate = { id: 'rotate', text: 'Rotate', disabled: !active };
  return (
    <Container
      header={
        <Header
          variant="h3"
          actions={
            <ButtonDropdown
              ariaLabel={`Actions for ${AccessKeyId}`}
              items={[
                ...(isUsers && isServed('StartRotation') ? [rotate] : []),
                active
                  ? { id: 'deactivate', text: 'Deactivate' }
                  : { id: 'activate', text: 'Activate' },
                { id: 'delete', text: 'Delete' },
                ...(isUsers ? [{ id: 'describe', text: 'Edit description' }] : []),
              ]}
              onItemClick={({ detail: item }) => act(item.id as KeyAction)}
            >
              Actions
            </ButtonDropdown>
          }
        >
          {AccessKeyId}
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          ...(isUsers ? [{ label: 'Description', value: description ?? '–' }] : []),
          {
            label: 'Status',
            value: (
              <StatusIndicator type={active ? 'success' : 'stopped'}>{Status}</StatusIndicator>
            ),
          },
          { label: 'Created', value: timeAgo(CreateDate) },
          { label: 'Last used', value: timeAgo(lastUsed.LastUsedDate) },
          { label: 'Last used region', value: lastUsed.Region },
          { label: 'Last used service', value: lastUsed.ServiceName },
        ]}
      />
    </Container>
  );
}

interface KeyDialogProps {
  userName: string | undefined;
  open: OpenDialog;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

function KeyDialog({ userName, open: { action, key }, onDismiss, onDone }: KeyDialogProps) {
  const { AccessKeyId } = key;
  const setStatus = (Status: 'Active' | 'Inactive'): Promise<unknown> =>
    call(UpdateAccessKey, { UserName: userName, AccessKeyId, Status });
  switch (action) {
    case 'describe':
      if (userName === undefined) return null;
      return <DescribeDialog {...{ userName, detail: key, onDismiss, onDone }} />;
    case 'activate':
      return (
        <ActionDialog
          title={`Activate ${AccessKeyId}?`}
          verb="Activate"
          onDismiss={onDismiss}
          action={() => setStatus('Active')}
          onDone={() => onDone(`Access key ${AccessKeyId} activated`)}
        >
          The key can be used again immediately.
        </ActionDialog>
      );
    case 'deactivate':
      return (
        <ActionDialog
          title={`Deactivate ${AccessKeyId}?`}
          verb="Deactivate"
          onDismiss={onDismiss}
          action={() => setStatus('Inactive')}
          onDone={() => onDone(`Access key ${AccessKeyId} deactivated`)}
        >
          <Box>
            Requests signed with this key are rejected until you activate it again. It still counts
            toward the limit of two access keys.
          </Box>
          <Box>{lastUsedText(key)}</Box>
        </ActionDialog>
      );
    case 'delete':
      return <DeleteKeyDialog {...{ userName, detail: key, setStatus, onDismiss, onDone }} />;
  }
}

const lastUsedText = ({ lastUsed }: KeyDetail): string =>
  lastUsed.LastUsedDate
    ? `Last used: ${timeAgo(lastUsed.LastUsedDate).toLowerCase()} (${lastUsed.ServiceName}, ${lastUsed.Region})`
    : 'Last used: never';

interface DescribeDialogProps {
  userName: string;
  detail: KeyDetail;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

function DescribeDialog({ userName, detail, onDismiss, onDone }: DescribeDialogProps) {
  const { AccessKeyId: Key, description = '' } = detail;
  const [text, setText] = useState(description);
  const save = (): Promise<unknown> =>
    text
      ? call(TagUser, { UserName: userName, Tags: [{ Key, Value: text }] })
      : call(UntagUser, { UserName: userName, TagKeys: [Key] });
  return (
    <ActionDialog
      title="Edit description"
      verb="Save"
      onDismiss={onDismiss}
      action={save}
      onDone={() => onDone('Description saved')}
    >
      <FormField label="Description">
        <Input value={text} onChange={({ detail: { value } }) => setText(value)} />
      </FormField>
    </ActionDialog>
  );
}

interface DeleteKeyDialogProps {
  userName: string | undefined;
  detail: KeyDetail;
  setStatus: (status: 'Inactive') => Promise<unknown>;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

function DeleteKeyDialog(props: DeleteKeyDialogProps) {
  const { userName, detail, setStatus, onDismiss, onDone } = props;
  const { AccessKeyId } = detail;
  const [active, setActive] = useState(isActive(detail));
  const [error, setError] = useState<unknown>();
  const remove = async (): Promise<void> => {
    await call(DeleteAccessKey, { UserName: userName, AccessKeyId });
    if (userName === undefined || detail.description === undefined) return;
    // The description belongs to the key; without permission to remove it, it stays.
    await call(UntagUser, { UserName: userName, TagKeys: [AccessKeyId] }).catch(() => undefined);
  };
  return (
    <ActionDialog
      title={`Delete ${AccessKeyId}?`}
      verb="Delete"
      confirmText={AccessKeyId}
      disabled={active}
      onDismiss={onDismiss}
      action={remove}
      onDone={() => onDone(`Access key ${AccessKeyId} deleted`)}
    >
      <Box>This action can&apos;t be undone. {lastUsedText(detail)}</Box>
      {active && (
        <Alert
          type="warning"
          action={
            <Button
              onClick={() => void setStatus('Inactive').then(() => setActive(false), setError)}
            >
              Deactivate
            </Button>
          }
        >
          Deactivate the key first and make sure that nothing depends on it.
        </Alert>
      )}
      {error !== undefined && <ErrorAlert error={error} />}
    </ActionDialog>
  );
}
