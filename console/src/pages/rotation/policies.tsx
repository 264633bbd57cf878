// The rotation policies of the account, which start rotations automatically.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { deleteRotationPolicy, type RotationPolicy } from '../../api/rotation';
import { useFrame } from '../../frame/context';
import { missingAction } from '../../frame/error-alert';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { fullDate, durationText } from '../../lib/age';
import { shortPrincipal } from '../../lib/arn';
import { invalidate } from '../iam/queries';
import { destinationName } from './phases';
import { useRotationPolicies } from './queries';
import { selectorText } from './selector';

const editHref = ({ RotationPolicyName }: RotationPolicy): string =>
  `/rotation-policies/edit?name=${encodeURIComponent(RotationPolicyName)}`;
const days = (count: number): string => `${String(count)} day${count === 1 ? '' : 's'}`;

const COLUMNS: Column<RotationPolicy>[] = [
  {
    id: 'name',
    header: 'Policy name',
    minWidth: 150,
    value: ({ RotationPolicyName }) => RotationPolicyName,
    cell: (policy) => <Link to={editHref(policy)}>{policy.RotationPolicyName}</Link>,
    isRowHeader: true,
  },
  { id: 'users', header: 'Applies to', value: selectorText, cell: selectorText },
  {
    id: 'age',
    header: 'Maximum age',
    value: ({ MaxAgeDays }) => MaxAgeDays,
    cell: ({ MaxAgeDays, JitterDays }) =>
      JitterDays > 0 ? `${days(MaxAgeDays)}, up to ${days(JitterDays)} early` : days(MaxAgeDays),
  },
  {
    id: 'periods',
    header: 'Periods',
    value: ({ ObserveSeconds, DwellSeconds }) => ObserveSeconds + DwellSeconds,
    cell: ({ ObserveSeconds, DwellSeconds }) =>
      `${durationText(ObserveSeconds)}, ${durationText(DwellSeconds)}`,
  },
  {
    id: 'destinations',
    header: 'Destinations',
    value: ({ Places }) => Places.join(' '),
    cell: ({ Places }) =>
      Places.map((destination) => <div key={destination}>{destinationName(destination)}</div>),
  },
  {
    id: 'by',
    header: 'Runs as',
    value: ({ CreatedBy }) => CreatedBy,
    cell: ({ CreatedBy }) => shortPrincipal(CreatedBy),
  },
  {
    id: 'error',
    header: 'Last error',
    minWidth: 220,
    value: ({ Trouble }) => Trouble ?? '',
    cell: ({ Trouble }) =>
      Trouble === undefined ? (
        '–'
      ) : (
        <StatusIndicator type="warning">{shortError(Trouble)}</StatusIndicator>
      ),
  },
  {
    id: 'updated',
    header: 'Updated',
    hidden: true,
    value: ({ UpdateDate }) => UpdateDate,
    cell: ({ UpdateDate }) => fullDate(UpdateDate),
  },
];

/** A missing permission in a few words, for which the service has a long sentence. */
function shortError(error: string): string {
  const action = missingAction(error);
  return action ? `Missing permission: ${action}` : error;
}

/** What failed when the server last applied a policy, and what to do. */
export function PolicyErrorAlert({ policy }: { policy: RotationPolicy }) {
  const { Trouble, CreatedBy } = policy;
  if (Trouble === undefined) return null;
  const action = missingAction(Trouble);
  return (
    <Alert
      type="warning"
      header={
        action ? `Missing permission: ${action}` : 'The policy could not be applied to some users'
      }
    >
      <Box variant="p">{Trouble}</Box>
      <Box variant="p">
        The policy runs as {CreatedBy}, who saved it last. To run it as another principal, sign in
        as that principal and save the policy. The server applies policies every five minutes.
      </Box>
    </Alert>
  );
}

export function RotationPoliciesPage() {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const read = useRotationPolicies();
  const [selected, setSelected] = useState<RotationPolicy[]>([]);
  const [deleting, setDeleting] = useState(false);
  const [policy] = selected;
  return (
    <>
      <List
        title="Rotation policies"
        variant="full-page"
        description="A policy starts a rotation when an access key reaches its maximum age, with the permissions of the principal that saved the policy. If several policies match a user, the first by name applies."
        items={read.data}
        columns={COLUMNS}
        rowId={({ RotationPolicyName }) => RotationPolicyName}
        loading={read.isPending}
        error={read.error}
        reload={() => invalidate(['rotation-policies'])}
        empty="No rotation policies"
        selection="single"
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={!policy} onClick={() => policy && void navigate(editHref(policy))}>
              Edit
            </Button>
            <Button disabled={!policy} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => void navigate('/rotation-policies/create')}>
              Create rotation policy
            </Button>
          </>
        }
      />
      {deleting && policy && (
        <ActionDialog
          title={`Delete ${policy.RotationPolicyName}?`}
          verb="Delete"
          confirmText={policy.RotationPolicyName}
          onDismiss={() => setDeleting(false)}
          action={() => deleteRotationPolicy(policy.RotationPolicyName)}
          onDone={() => {
            setDeleting(false);
            setSelected([]);
            invalidate(['rotation-policies']);
            notifySuccess(`Rotation policy ${policy.RotationPolicyName} deleted`);
          }}
        >
          The policy starts no more rotations. Rotations in progress continue.
        </ActionDialog>
      )}
    </>
  );
}
