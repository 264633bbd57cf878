// The access keys of a user or of root: a card for each, with its activity and actions.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import { DeleteAccessKey, TagUser, UntagUser, UpdateAccessKey } from '../../api/generated/iam';
import type { KeyUse } from '../../api/key-activity';
import { useFrame, useIsServed } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog, TimeAgo } from '../../frame/parts';
import { attemptsText, UNKNOWN, lastUseText } from '../../lib/key-activity';
import { useNow } from '../../lib/now';
import {
  credentialsPage,
  invalidate,
  invalidateUser,
  isActive,
  KEY_POLL_MS,
  useAttempts,
  useKeys,
  type KeyDetail,
} from './queries';

const KEYS_MAX = 2;

export type KeyAction = 'rotate' | 'activate' | 'deactivate' | 'delete' | 'describe';
interface OpenDialog {
  action: Exclude<KeyAction, 'rotate'>;
  keyId: string;
}

/** The access keys of a user, or of root where none is named. */
export function AccessKeys({ name }: { name?: string }) {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const keys = useKeys(name, KEY_POLL_MS);
  const [open, setOpen] = useState<OpenDialog>();
  const refresh = (): void => {
    void keys.refetch();
    invalidate(['attempts']);
  };
  const detail = keys.data?.find(({ AccessKeyId }) => AccessKeyId === open?.keyId);
  const onDone = (message: string): void => {
    setOpen(undefined);
    invalidateUser(name);
    notifySuccess(message);
  };
  const act = (key: KeyDetail) => (action: KeyAction) => {
    if (action !== 'rotate') {
      // What the dialog says about the key's use is from now.
      refresh();
      setOpen({ action, keyId: key.AccessKeyId });
    }
    if (action === 'rotate' && name !== undefined)
      void navigate(`/iam/users/${encodeURIComponent(name)}/keys/rotate?key=${key.AccessKeyId}`);
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      <Button iconName="refresh" ariaLabel="Refresh access keys" onClick={refresh} />
      <Button
        disabled={(keys.data?.length ?? 0) >= KEYS_MAX}
        disabledReason="Limit reached: two access keys. Delete one to create a new one."
        onClick={() => void navigate(`${credentialsPage(name)}/keys/create`)}
      >
        Create access key
      </Button>
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header
          variant="h2"
          {...(keys.data ? { counter: `(${String(keys.data.length)})` } : {})}
          description="Use access keys to send programmatic calls from the AWS CLI, SDKs, or direct API calls. You can have a maximum of two access keys (active or inactive) at a time."
          actions={actions}
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
      {open && detail && (
        <KeyDialog
          userName={name}
          action={open.action}
          detail={detail}
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
  const { AccessKeyId, CreateDate, uses, description, Status } = detail;
  const isServed = useIsServed();
  const active = isActive(detail);
  const attempts = useAttempts(AccessKeyId, !active && isServed('ListAccessKeyAttempts'));
  const last = uses?.last;
  const now = useNow();
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
          ...(isUsers
            ? [
                {
                  label: 'Description',
                  value: description === null ? UNKNOWN : (description ?? '–'),
                },
              ]
            : []),
          {
            label: 'Status',
            value: (
              <StatusIndicator type={active ? 'success' : 'stopped'}>{Status}</StatusIndicator>
            ),
          },
          { label: 'Created', value: <TimeAgo date={CreateDate} /> },
          { label: 'Last used', value: <LastUse use={last} /> },
          { label: 'Last used region', value: last ? (last.region ?? '–') : UNKNOWN },
          { label: 'Last used service', value: last ? (last.service ?? '–') : UNKNOWN },
          ...(active
            ? []
            : [
                {
                  label: 'Attempts while inactive',
                  value: attempts.isPending ? '…' : attemptsText(attempts.data, now),
                },
              ]),
        ]}
      />
    </Container>
  );
}

export function LastUse({ use }: { use: KeyUse | undefined }) {
  if (!use) return <>{UNKNOWN}</>;
  if (!use.date) return <>Never</>;
  return (
    <>
      <TimeAgo date={use.date} />
      {!use.isExact && (
        <Box color="text-body-secondary" fontSize="body-s">
          15-minute resolution
        </Box>
      )}
    </>
  );
}

interface KeyDialogProps {
  userName: string | undefined;
  action: OpenDialog['action'];
  detail: KeyDetail;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

export function KeyDialog({ userName, action, detail, onDismiss, onDone }: KeyDialogProps) {
  const { AccessKeyId } = detail;
  const setStatus = (Status: 'Active' | 'Inactive'): Promise<unknown> =>
    call(UpdateAccessKey, { UserName: userName, AccessKeyId, Status });
  switch (action) {
    case 'describe':
      if (userName === undefined) return null;
      return <DescribeDialog {...{ userName, detail, onDismiss, onDone }} />;
    case 'activate':
      return (
        <ActionDialog
          title={`Activate ${AccessKeyId}?`}
          verb="Activate"
          onDismiss={onDismiss}
          action={() => setStatus('Active')}
          onDone={() => onDone(`Access key ${AccessKeyId} activated`)}
        >
          <Box>The key can be used again immediately.</Box>
          <Activity detail={detail} />
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
          <Activity detail={detail} />
        </ActionDialog>
      );
    case 'delete':
      return <DeleteKeyDialog {...{ userName, detail, setStatus, onDismiss, onDone }} />;
  }
}

/** When a key was last used and, if it is inactive, who still tries to use it. */
function Activity({ detail }: { detail: KeyDetail }) {
  const isServed = useIsServed();
  const hasAttempts = !isActive(detail) && isServed('ListAccessKeyAttempts');
  const attempts = useAttempts(detail.AccessKeyId, hasAttempts);
  const now = useNow();
  return (
    <div>
      <Box>Last used: {lastUseText(detail.uses?.last, now)}</Box>
      {hasAttempts && (
        <Box>
          Attempts while inactive: {attempts.isPending ? '…' : attemptsText(attempts.data, now)}
        </Box>
      )}
    </div>
  );
}

interface DescribeDialogProps {
  userName: string;
  detail: KeyDetail;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

function DescribeDialog({ userName, detail, onDismiss, onDone }: DescribeDialogProps) {
  const { AccessKeyId: Key, description } = detail;
  const [text, setText] = useState(description ?? '');
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
  const active = isActive(detail);
  const [error, setError] = useState<unknown>();
  const remove = async (): Promise<void> => {
    await call(DeleteAccessKey, { UserName: userName, AccessKeyId });
    if (userName === undefined || typeof detail.description !== 'string') return;
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
      <Box>This action can&apos;t be undone.</Box>
      <Activity detail={detail} />
      {active && (
        <Alert
          type="warning"
          action={
            <Button
              onClick={() =>
                void setStatus('Inactive').then(() => invalidateUser(userName), setError)
              }
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
