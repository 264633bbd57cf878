// All rotations of the account, and the one of a user that is not over yet.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Select from '@cloudscape-design/components/select';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import type { Rotation } from '../../api/rotation';
import { useServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { ahead, full, moment } from '../../lib/age';
import { changed } from '../iam/queries';
import { advice, principal, standing, words, type Standing } from './phases';
import { useOpenRotation, useRotations } from './queries';

const address = ({ userName, id }: Rotation): string =>
  `/rotations/${encodeURIComponent(userName)}?id=${encodeURIComponent(id)}`;

function icon(rotation: Rotation): StatusIndicatorProps.Type {
  if (['RolledBack', 'UserGone', 'Abandoned'].includes(rotation.phase)) return 'stopped';
  if (rotation.over) return 'success';
  if (rotation.held !== undefined) return 'error';
  return rotation.trouble === undefined ? 'in-progress' : 'warning';
}

const waits = (rotation: Rotation): string => {
  const { over, held, waitingFor, waitingUntil, trouble } = rotation;
  if (over) return '–';
  if (held !== undefined) return `Held: ${advice(held).title}`;
  const text = trouble ?? waitingFor ?? '–';
  return waitingUntil ? `${text} (${ahead(waitingUntil)})` : text;
};

const COLUMNS: Column<Rotation>[] = [
  {
    id: 'started',
    header: 'Started',
    by: ({ started }) => -Date.parse(started),
    cell: ({ started }) => moment(started),
  },
  {
    id: 'user',
    header: 'User',
    minWidth: 120,
    by: ({ userName }) => userName,
    cell: (rotation) => <Link to={address(rotation)}>{rotation.userName}</Link>,
    isRowHeader: true,
  },
  {
    id: 'phase',
    header: 'Phase',
    minWidth: 220,
    by: ({ phase }) => words(phase),
    cell: (rotation) => (
      <StatusIndicator type={icon(rotation)}>{words(rotation.phase)}</StatusIndicator>
    ),
  },
  {
    id: 'since',
    header: 'Since',
    by: ({ since }) => -Date.parse(since),
    cell: ({ since }) => moment(since),
  },
  { id: 'waits', header: 'Waiting for', by: waits, cell: waits },
  {
    id: 'by',
    header: 'Started by',
    by: ({ policy, startedBy }) => `${policy ?? ''} ${startedBy}`,
    cell: ({ policy, startedBy }) => (policy ? `Policy ${policy}` : principal(startedBy)),
  },
  { id: 'old', header: 'Old key', hidden: true, by: ({ oldKey }) => oldKey, cell: (r) => r.oldKey },
  {
    id: 'new',
    header: 'New key',
    hidden: true,
    by: ({ newKey }) => newKey ?? '',
    cell: ({ newKey }) => newKey ?? '–',
  },
  { id: 'id', header: 'Rotation ID', hidden: true, by: ({ id }) => id, cell: ({ id }) => id },
  {
    id: 'date',
    header: 'Start date',
    hidden: true,
    by: ({ started }) => started,
    cell: ({ started }) => full(started),
  },
];

const SHOWN: readonly { label: string; value: Standing | 'all' }[] = [
  { label: 'All rotations', value: 'all' },
  { label: 'Open', value: 'open' },
  { label: 'Held', value: 'held' },
  { label: 'Over', value: 'over' },
];

export function Rotations() {
  const read = useRotations();
  const [shown, show] = useState<Standing | 'all'>('all');
  const fits = (rotation: Rotation): boolean => {
    const stands = standing(rotation);
    return shown === 'all' || stands === shown || (shown === 'open' && stands === 'held');
  };
  return (
    <List
      title="Rotations"
      variant="full-page"
      description="Access keys that are being replaced, or were. Begin one with Rotate on an access key of a user, or let a rotation policy begin them."
      items={read.data?.filter(fits)}
      columns={COLUMNS}
      rowId={({ id }) => id}
      loading={read.isPending}
      error={read.error}
      reload={() => changed(['rotations'])}
      empty="No rotations"
      filter={
        <Select
          selectedOption={SHOWN.find(({ value }) => value === shown) ?? null}
          options={SHOWN}
          ariaLabel="Filter rotations"
          onChange={({ detail }) => show(detail.selectedOption.value as Standing | 'all')}
        />
      }
    />
  );
}

/** Says on a user's page that a key of theirs is being rotated. */
export function OpenRotation({ userName }: { userName: string }) {
  const can = useServed();
  const navigate = useNavigate();
  const { data } = useOpenRotation(userName, can('ListRotations'));
  if (!data) return null;
  const stuck = data.held !== undefined || data.trouble !== undefined;
  return (
    <Alert
      type={stuck ? 'warning' : 'info'}
      header={data.held === undefined ? 'An access key is being rotated' : 'A rotation is held'}
      action={<Button onClick={() => void navigate(address(data))}>View rotation</Button>}
    >
      {data.oldKey}: {words(data.phase)} since {full(data.since)}.{' '}
      {data.held !== undefined && `${advice(data.held).title}.`}
    </Alert>
  );
}
