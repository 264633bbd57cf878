// The access keys of all users: how old they are, who uses them, and what happens to them.
import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import type { OwnedKey } from '../../api/iam';
import { useFrame, useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { age, daysSince, fullDate } from '../../lib/age';
import { attemptsText, UNKNOWN } from '../../lib/key-activity';
import { useIsSettled } from '../../lib/debounce';
import { useOpenRotation } from '../rotation/queries';
import { rotationHref } from '../rotation/rotations';
import { KeyDialog, LastUse, type KeyAction } from './access-keys';
import {
  credentialsPage,
  invalidate,
  isActive,
  useAccountKeys,
  useAttempts,
  useKeys,
  type KeyDetail,
} from './queries';

const OLD_DAYS = 90;

const keysHref = (owner: string): string => `${credentialsPage(owner)}?tab=credentials`;

/** What the list does not have of a key: read when its row is visible. */
function useDetail({ owner, AccessKeyId }: OwnedKey) {
  const isSettled = useIsSettled();
  const read = useKeys(owner, false, isSettled);
  return { ...read, detail: read.data?.find((key) => key.AccessKeyId === AccessKeyId) };
}

function Description({ item }: { item: OwnedKey }) {
  const { detail, error } = useDetail(item);
  if (error || detail?.description === null) return <>{UNKNOWN}</>;
  return <>{detail ? (detail.description ?? '–') : '…'}</>;
}

function LastUsed({ item }: { item: OwnedKey }) {
  const { detail, error } = useDetail(item);
  if (error) return <>{UNKNOWN}</>;
  if (!detail) return <>…</>;
  const last = detail.uses?.last;
  return (
    <>
      <LastUse use={last} />
      {last?.service && (
        <div>
          {last.service}, {last.region}
        </div>
      )}
    </>
  );
}

/** The requests that were rejected since the key was deactivated. */
function Attempts({ item }: { item: OwnedKey }) {
  const isSettled = useIsSettled();
  const attempts = useAttempts(item.AccessKeyId, isSettled);
  if (attempts.error) return <>{UNKNOWN}</>;
  return <>{attempts.isPending ? '…' : attemptsText(attempts.data)}</>;
}

function OpenRotation({ item }: { item: OwnedKey }) {
  const isSettled = useIsSettled();
  const { data: rotation, error } = useOpenRotation(item.owner, isSettled);
  if (error) return <>{UNKNOWN}</>;
  if (rotation === undefined) return <>…</>;
  const { AccessKeyId } = item;
  if (rotation?.OldAccessKeyId !== AccessKeyId && rotation?.NewAccessKeyId !== AccessKeyId)
    return <>–</>;
  const part = rotation.OldAccessKeyId === AccessKeyId ? 'Old key' : 'New key';
  return <Link to={rotationHref(rotation)}>{part}</Link>;
}

const KEY_COLUMNS: Column<OwnedKey>[] = [
  {
    id: 'key',
    header: 'Access key ID',
    minWidth: 210,
    value: ({ AccessKeyId }) => AccessKeyId,
    cell: ({ AccessKeyId }) => AccessKeyId,
    isRowHeader: true,
  },
  {
    id: 'owner',
    header: 'User name',
    minWidth: 120,
    value: ({ owner }) => owner,
    cell: ({ owner }) => <Link to={keysHref(owner)}>{owner}</Link>,
  },
  {
    id: 'description',
    header: 'Description',
    minWidth: 120,
    cell: (item) => <Description item={item} />,
  },
  {
    id: 'status',
    header: 'Status',
    minWidth: 125,
    value: ({ Status }) => Status,
    cell: (item) => (
      <StatusIndicator type={isActive(item) ? 'success' : 'stopped'}>{item.Status}</StatusIndicator>
    ),
  },
  {
    id: 'age',
    header: 'Age',
    minWidth: 105,
    value: ({ CreateDate }) => -Date.parse(CreateDate),
    cell: (item) =>
      isActive(item) && daysSince(item.CreateDate) > OLD_DAYS ? (
        <StatusIndicator type="warning">{age(item.CreateDate)}</StatusIndicator>
      ) : (
        age(item.CreateDate)
      ),
  },
  {
    id: 'used',
    header: 'Last used',
    minWidth: 160,
    cell: (item) => <LastUsed item={item} />,
  },
  {
    id: 'created',
    header: 'Created',
    hidden: true,
    value: ({ CreateDate }) => Date.parse(CreateDate),
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
];

const ATTEMPTS_COLUMN: Column<OwnedKey> = {
  id: 'attempts',
  header: 'Attempts while inactive',
  minWidth: 140,
  cell: (item) => (isActive(item) ? '–' : <Attempts item={item} />),
};

const ROTATION_COLUMN: Column<OwnedKey> = {
  id: 'rotation',
  header: 'Open rotation',
  minWidth: 110,
  cell: (item) => <OpenRotation item={item} />,
};

export function AccountKeysPage() {
  const isServed = useIsServed();
  const keys = useAccountKeys();
  const [selected, setSelected] = useState<OwnedKey[]>([]);
  // The key as it is now: an action may have changed it.
  const key = keys.data?.find(({ AccessKeyId }) => AccessKeyId === selected[0]?.AccessKeyId);
  const [columns] = useState(() => [
    ...KEY_COLUMNS,
    ...(isServed('ListAccessKeyAttempts') ? [ATTEMPTS_COLUMN] : []),
    ...(isServed('ListRotations') ? [ROTATION_COLUMN] : []),
  ]);
  return (
    <List<OwnedKey>
      title="Access keys"
      variant="full-page"
      description={
        <>
          The access keys of all IAM users. To create one, go to the user&apos;s page.{' '}
          {keys.progress && <StatusIndicator type="loading">{keys.progress}</StatusIndicator>}
        </>
      }
      items={keys.data}
      columns={columns}
      rowId={({ AccessKeyId }) => AccessKeyId}
      loading={keys.isPending}
      error={keys.error}
      reload={() => invalidate(['account-keys'], ['user'], ['attempts'], ['rotation'])}
      empty="No access keys"
      selection="single"
      selected={key ? [key] : []}
      onSelect={setSelected}
      actions={<KeyActions item={key} />}
    />
  );
}

/** The menu of actions on the selected key, and their dialogs. */
function KeyActions({ item }: { item: OwnedKey | undefined }) {
  const navigate = useNavigate();
  const isServed = useIsServed();
  const [open, setOpen] = useState<Exclude<KeyAction, 'rotate'>>();
  const active = item !== undefined && isActive(item);
  const act = (action: KeyAction): void => {
    if (!item) return;
    if (action !== 'rotate') setOpen(action);
    else
      void navigate(
        `${credentialsPage(item.owner)}/keys/rotate?key=${encodeURIComponent(item.AccessKeyId)}`,
      );
  };
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Button disabled={!item} onClick={() => item && void navigate(keysHref(item.owner))}>
        View user
      </Button>
      <ButtonDropdown
        disabled={!item}
        items={[
          ...(isServed('StartRotation')
            ? [{ id: 'rotate', text: 'Rotate', disabled: !active }]
            : []),
          active ? { id: 'deactivate', text: 'Deactivate' } : { id: 'activate', text: 'Activate' },
          { id: 'delete', text: 'Delete' },
          { id: 'describe', text: 'Edit description' },
        ]}
        onItemClick={({ detail }) => act(detail.id as KeyAction)}
      >
        Actions
      </ButtonDropdown>
      {item && open && <OpenKeyDialog item={item} action={open} close={() => setOpen(undefined)} />}
    </SpaceBetween>
  );
}

interface OpenKeyDialogProps {
  item: OwnedKey;
  action: Exclude<KeyAction, 'rotate'>;
  close: () => void;
}

/** The dialog of an action, with what is known about the key now. */
function OpenKeyDialog({ item, action, close }: OpenKeyDialogProps) {
  const { owner } = item;
  const { notifySuccess } = useFrame();
  const read = useKeys(owner);
  const known = read.data?.find(({ AccessKeyId }) => AccessKeyId === item.AccessKeyId);
  // What may not be read is unknown; the action may be allowed all the same.
  const detail: KeyDetail | undefined = read.error
    ? { ...item, uses: null, description: null }
    : known;
  const refresh = (): void => invalidate(['user', owner], ['account-keys'], ['attempts']);
  if (!detail) return null;
  return (
    <KeyDialog
      userName={owner}
      action={action}
      detail={detail}
      onDismiss={() => {
        close();
        // The dialog may have deactivated the key.
        refresh();
      }}
      onDone={(message) => {
        close();
        refresh();
        notifySuccess(message);
      }}
    />
  );
}
