// All rotations of the account, and an alert about the open one of a user.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Select from '@cloudscape-design/components/select';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import type { Rotation } from '../../api/rotation';
import { useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { timeUntil, fullDate, timeAgo } from '../../lib/age';
import { shortPrincipal } from '../../lib/arn';
import { invalidate } from '../iam/queries';
import { holdAdvice, phaseText, rotationStatus, type RotationStatus } from './phases';
import { useOpenRotation, useRotations } from './queries';

export const rotationHref = ({ UserName, RotationId }: Rotation): string =>
  `/rotations/${encodeURIComponent(UserName)}?id=${encodeURIComponent(RotationId)}`;

function icon({ Phase, IsOver, HeldReason, Trouble }: Rotation): StatusIndicatorProps.Type {
  if (['RolledBack', 'UserGone', 'Abandoned'].includes(Phase)) return 'stopped';
  if (IsOver) return 'success';
  if (HeldReason !== undefined) return 'error';
  return Trouble === undefined ? 'in-progress' : 'warning';
}

function waitingFor(rotation: Rotation): string {
  const { IsOver, HeldReason, HeldCode, WaitingFor, WaitingUntil, Trouble } = rotation;
  if (IsOver) return '–';
  if (HeldReason !== undefined) return holdAdvice(HeldCode).title;
  const text = Trouble ?? WaitingFor ?? '–';
  return WaitingUntil ? `${text} (${timeUntil(WaitingUntil)})` : text;
}

const COLUMNS: Column<Rotation>[] = [
  {
    id: 'started',
    header: 'Started',
    value: ({ StartDate }) => -Date.parse(StartDate),
    cell: ({ StartDate }) => timeAgo(StartDate),
  },
  {
    id: 'user',
    header: 'User',
    minWidth: 120,
    value: ({ UserName }) => UserName,
    cell: (rotation) => <Link to={rotationHref(rotation)}>{rotation.UserName}</Link>,
    isRowHeader: true,
  },
  {
    id: 'phase',
    header: 'Phase',
    minWidth: 220,
    value: ({ Phase }) => phaseText(Phase),
    cell: (rotation) => (
      <StatusIndicator type={icon(rotation)}>{phaseText(rotation.Phase)}</StatusIndicator>
    ),
  },
  {
    id: 'since',
    header: 'Since',
    value: ({ PhaseSince }) => -Date.parse(PhaseSince),
    cell: ({ PhaseSince }) => timeAgo(PhaseSince),
  },
  { id: 'waiting', header: 'Waiting for', value: waitingFor, cell: waitingFor },
  {
    id: 'by',
    header: 'Started by',
    value: ({ RotationPolicyName, StartedBy }) => `${RotationPolicyName ?? ''} ${StartedBy}`,
    cell: ({ RotationPolicyName, StartedBy }) =>
      RotationPolicyName ? `Policy ${RotationPolicyName}` : shortPrincipal(StartedBy),
  },
  {
    id: 'old',
    header: 'Old key',
    hidden: true,
    value: ({ OldAccessKeyId }) => OldAccessKeyId,
    cell: ({ OldAccessKeyId }) => OldAccessKeyId,
  },
  {
    id: 'new',
    header: 'New key',
    hidden: true,
    value: ({ NewAccessKeyId }) => NewAccessKeyId ?? '',
    cell: ({ NewAccessKeyId }) => NewAccessKeyId ?? '–',
  },
  {
    id: 'id',
    header: 'Rotation ID',
    hidden: true,
    value: ({ RotationId }) => RotationId,
    cell: ({ RotationId }) => RotationId,
  },
  {
    id: 'date',
    header: 'Start date',
    hidden: true,
    value: ({ StartDate }) => StartDate,
    cell: ({ StartDate }) => fullDate(StartDate),
  },
];

type Filter = RotationStatus | 'all';

const FILTERS: readonly { label: string; value: Filter }[] = [
  { label: 'All rotations', value: 'all' },
  { label: 'Open', value: 'open' },
  { label: 'Paused', value: 'paused' },
  { label: 'Ended', value: 'ended' },
];

export function RotationsPage() {
  const read = useRotations();
  const [filter, setFilter] = useState<Filter>('all');
  const isIncluded = (rotation: Rotation): boolean => {
    const status = rotationStatus(rotation);
    return filter === 'all' || status === filter || (filter === 'open' && status === 'paused');
  };
  return (
    <List
      title="Rotations"
      variant="full-page"
      description="Current and past rotations. Start one from an access key's Actions menu, or create a rotation policy."
      items={read.data?.filter(isIncluded)}
      columns={COLUMNS}
      rowId={({ RotationId }) => RotationId}
      loading={read.isPending}
      error={read.error}
      reload={() => invalidate(['rotations'])}
      empty="No rotations"
      filter={
        <Select
          selectedOption={FILTERS.find(({ value }) => value === filter) ?? null}
          options={FILTERS}
          ariaLabel="Filter rotations"
          onChange={({ detail }) => setFilter(detail.selectedOption.value as Filter)}
        />
      }
    />
  );
}

/** On a user's page: one of the user's access keys is being rotated. */
export function OpenRotationAlert({ userName }: { userName: string }) {
  const isServed = useIsServed();
  const navigate = useNavigate();
  const { data: rotation } = useOpenRotation(userName, isServed('ListRotations'));
  if (!rotation) return null;
  const { OldAccessKeyId, Phase, PhaseSince, HeldReason, HeldCode, Trouble } = rotation;
  const isPaused = HeldReason !== undefined;
  return (
    <Alert
      type={isPaused || Trouble !== undefined ? 'warning' : 'info'}
      header={isPaused ? 'Access key rotation paused' : 'Access key rotation in progress'}
      action={<Button onClick={() => void navigate(rotationHref(rotation))}>View rotation</Button>}
    >
      {OldAccessKeyId}: {phaseText(Phase)} since {fullDate(PhaseSince)}.{' '}
      {isPaused && `${holdAdvice(HeldCode).title}.`}
    </Alert>
  );
}
