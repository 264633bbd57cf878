// The rotation policies of the account: for whom rotations begin by themselves.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { deletePolicy, type RotationPolicy } from '../../api/rotation';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link } from '../../frame/parts';
import { missingAction } from '../../frame/problem';
import { full, span } from '../../lib/age';
import { changed } from '../iam/queries';
import { placeName, principal } from './phases';
import { useRotationPolicies } from './queries';
import { whom } from './select';

const address = ({ name }: RotationPolicy): string =>
  `/rotation-policies/edit?name=${encodeURIComponent(name)}`;
const days = (count: number): string => `${String(count)} day${count === 1 ? '' : 's'}`;

const COLUMNS: Column<RotationPolicy>[] = [
  {
    id: 'name',
    header: 'Policy name',
    minWidth: 150,
    by: ({ name }) => name,
    cell: (policy) => <Link to={address(policy)}>{policy.name}</Link>,
    isRowHeader: true,
  },
  {
    id: 'whom',
    header: 'Users',
    by: ({ selector }) => whom(selector),
    cell: ({ selector }) => whom(selector),
  },
  {
    id: 'age',
    header: 'Maximum age',
    by: ({ maxAgeDays }) => maxAgeDays,
    cell: ({ maxAgeDays, jitterDays }) =>
      jitterDays > 0 ? `${days(maxAgeDays)}, less 0 to ${days(jitterDays)}` : days(maxAgeDays),
  },
  {
    id: 'waits',
    header: 'Watch, dwell',
    by: ({ observeSecs, dwellSecs }) => observeSecs + dwellSecs,
    cell: ({ observeSecs, dwellSecs }) => `${span(observeSecs)}, ${span(dwellSecs)}`,
  },
  {
    id: 'places',
    header: 'Places',
    by: ({ places }) => places.join(' '),
    cell: ({ places }) => places.map((place) => <div key={place}>{placeName(place)}</div>),
  },
  {
    id: 'by',
    header: 'Acts for',
    by: ({ createdBy }) => createdBy,
    cell: ({ createdBy }) => principal(createdBy),
  },
  {
    id: 'trouble',
    header: 'Trouble',
    minWidth: 220,
    by: ({ trouble }) => trouble ?? '',
    cell: ({ trouble }) =>
      trouble === undefined ? (
        '–'
      ) : (
        <StatusIndicator type="warning">{inShort(trouble)}</StatusIndicator>
      ),
  },
  {
    id: 'updated',
    header: 'Updated',
    hidden: true,
    by: ({ updated }) => updated,
    cell: ({ updated }) => full(updated),
  },
];

/** The permission that was missing, if that was it, for which the service has a long sentence. */
function inShort(trouble: string): string {
  const action = missingAction(trouble);
  return action ? `${action} is missing` : trouble;
}

/** What was in a policy's way when the server last looked at it, and what to do. */
export function Trouble({ policy: { trouble, createdBy } }: { policy: RotationPolicy }) {
  if (trouble === undefined) return null;
  const action = missingAction(trouble);
  return (
    <Alert
      type="warning"
      header={action ? `The permission ${action} is missing` : 'It could not be followed for all'}
    >
      <Box variant="p">{trouble}</Box>
      <Box variant="p">
        It acts for {createdBy}. Whoever saves it is the one that it acts for from then on. The
        server looks again every five minutes.
      </Box>
    </Alert>
  );
}

export function RotationPolicies() {
  const navigate = useNavigate();
  const { done } = useFrame();
  const read = useRotationPolicies();
  const [selected, select] = useState<RotationPolicy[]>([]);
  const [deleting, setDeleting] = useState(false);
  const [one] = selected;
  return (
    <>
      <List
        title="Rotation policies"
        variant="full-page"
        description="A policy begins a rotation when a user's key has reached its maximum age, with the permissions of whoever saved the policy. If several mean a user, the first by name counts."
        items={read.data}
        columns={COLUMNS}
        rowId={({ name }) => name}
        loading={read.isPending}
        error={read.error}
        reload={() => changed(['rotation-policies'])}
        empty="No rotation policies"
        selection="single"
        selected={selected}
        select={select}
        actions={
          <>
            <Button disabled={!one} onClick={() => one && void navigate(address(one))}>
              Edit
            </Button>
            <Button disabled={!one} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => void navigate('/rotation-policies/create')}>
              Create rotation policy
            </Button>
          </>
        }
      />
      {deleting && one && (
        <Confirm
          title={`Delete ${one.name}?`}
          verb="Delete"
          typed={one.name}
          onDismiss={() => setDeleting(false)}
          act={() => deletePolicy(one.name)}
          done={() => {
            setDeleting(false);
            select([]);
            changed(['rotation-policies']);
            done('Rotation policy deleted');
          }}
        >
          It begins no more rotations. Those that it has begun go on.
        </Confirm>
      )}
    </>
  );
}
