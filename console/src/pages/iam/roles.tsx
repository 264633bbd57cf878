// The roles of the account.
import Button from '@cloudscape-design/components/button';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { getRole, trustPolicy, type Role } from '../../api/roles';
import { unlessDenied } from '../../api/key-activity';
import { useFrame, useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { ago, durationText, fullDate } from '../../lib/age';
import { useIsSettled } from '../../lib/debounce';
import { UNKNOWN } from '../../lib/key-activity';
import { isServiceLinked, trustedEntities } from '../../lib/trust-policy';
import { DeleteRolesDialog } from './delete-role';
import { roleHref } from './permissions';
import { invalidate, useRoles } from './queries';

/** Whom a role trusts, as the list has it. */
export const trustedBy = (role: Role): string[] =>
  trustedEntities(trustPolicy(role), isServiceLinked(role));

/** The last use of a role, which the list of roles does not have: read when the row is visible. */
function LastActivity({ name }: { name: string }) {
  const isSettled = useIsSettled();
  const read = useQuery({
    queryKey: ['role', name, 'activity'],
    // One denial is enough to know that the caller may not read roles.
    queryFn: () => unlessDenied('GetRole', '', () => getRole(name)),
    enabled: isSettled,
    staleTime: 60_000,
  });
  if (read.error || read.data === null) return <>{UNKNOWN}</>;
  return <>{read.data ? ago(read.data.RoleLastUsed?.LastUsedDate) : '…'}</>;
}

const COLUMNS: Column<Role>[] = [
  {
    id: 'name',
    header: 'Role name',
    minWidth: 180,
    value: ({ RoleName }) => RoleName,
    cell: ({ RoleName }) => <Link to={roleHref(RoleName)}>{RoleName}</Link>,
    isRowHeader: true,
  },
  {
    id: 'trusted',
    header: 'Trusted entities',
    minWidth: 180,
    value: (role) => trustedBy(role).join('\n'),
    cell: (role) => {
      const trusted = trustedBy(role);
      return trusted.length === 0 ? '–' : trusted.map((one) => <div key={one}>{one}</div>);
    },
  },
  {
    id: 'activity',
    header: 'Last activity',
    minWidth: 130,
    cell: ({ RoleName }) => <LastActivity name={RoleName} />,
  },
  {
    id: 'path',
    header: 'Path',
    hidden: true,
    value: ({ Path }) => Path,
    cell: ({ Path }) => Path,
  },
  {
    id: 'description',
    header: 'Description',
    hidden: true,
    value: ({ Description = '' }) => Description,
    cell: ({ Description }) => Description || '–',
  },
  {
    id: 'arn',
    header: 'ARN',
    hidden: true,
    value: ({ Arn }) => Arn,
    cell: ({ Arn }) => Arn,
  },
  {
    id: 'created',
    header: 'Creation time',
    hidden: true,
    value: ({ CreateDate }) => Date.parse(CreateDate),
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
  {
    id: 'duration',
    header: 'Maximum session duration',
    hidden: true,
    value: ({ MaxSessionDuration = 0 }) => MaxSessionDuration,
    cell: ({ MaxSessionDuration = 0 }) => durationText(MaxSessionDuration),
  },
];

export function RolesPage() {
  const navigate = useNavigate();
  const isServed = useIsServed();
  const { notifySuccess } = useFrame();
  const roles = useRoles();
  const [selected, setSelected] = useState<Role[]>([]);
  const [deleting, setDeleting] = useState(false);
  const create = isServed('CreateRole') && (
    <Button variant="primary" onClick={() => void navigate('/iam/roles/create')}>
      Create role
    </Button>
  );
  return (
    <>
      <List<Role>
        title="Roles"
        variant="full-page"
        description="An IAM role is an identity you can create that has specific permissions with credentials that are valid for short durations. Roles can be assumed by entities that you trust."
        items={roles.data}
        columns={COLUMNS}
        rowId={({ RoleName }) => RoleName}
        loading={roles.isPending}
        error={roles.error}
        reload={() => invalidate(['roles'], ['role'])}
        empty="No roles"
        emptyAction={create}
        selection="multi"
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {create}
          </>
        }
      />
      {deleting && (
        <DeleteRolesDialog
          roles={selected}
          onDismiss={() => setDeleting(false)}
          onDone={(message) => {
            setDeleting(false);
            setSelected([]);
            notifySuccess(message);
          }}
        />
      )}
    </>
  );
}
