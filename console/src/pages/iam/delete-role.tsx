// Deletes roles, after everything that depends on them; those of services by their deletion task.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import {
  deleteRole,
  deleteServiceLinkedRole,
  getRole,
  isOwnProfile,
  roleDependents,
  type Role,
} from '../../api/roles';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog } from '../../frame/parts';
import { ago } from '../../lib/age';
import { sentence } from '../../lib/key-activity';
import { isServiceLinked } from '../../lib/trust-policy';
import { invalidate } from './queries';

interface DeleteRolesDialogProps {
  roles: readonly Role[];
  onDismiss: () => void;
  onDone: (message: string) => void;
}

const LISTED_MAX = 20;

export function DeleteRolesDialog({ roles, onDismiss, onDone }: DeleteRolesDialogProps) {
  const [current, setCurrent] = useState(0);
  const [first, second] = roles;
  const only = second ? undefined : first;
  const refresh = (): void => invalidate(['roles'], ['role'], ['policies'], ['summary']);
  return (
    <ActionDialog
      title={only ? `Delete ${only.RoleName}?` : `Delete ${String(roles.length)} roles?`}
      verb={only ? 'Delete role' : 'Delete roles'}
      confirmText={only?.RoleName ?? 'delete'}
      onDismiss={() => {
        // Some of the roles may be deleted although one failed.
        if (current > 0) refresh();
        onDismiss();
      }}
      action={async () => {
        for (const [index, role] of roles.entries()) {
          setCurrent(index + 1);
          await (isServiceLinked(role) ? deleteServiceLinkedRole : deleteRole)(role.RoleName);
        }
      }}
      onDone={() => {
        refresh();
        onDone(only ? `Role ${only.RoleName} deleted` : `${String(roles.length)} roles deleted`);
      }}
    >
      <Alert type="warning">
        {only
          ? 'This permanently deletes the role and its inline policies. Its sessions, and programs that assume it, lose access immediately.'
          : 'This permanently deletes the roles and their inline policies. Their sessions, and programs that assume them, lose access immediately.'}
      </Alert>
      {only ? <Dependents role={only} /> : <RoleNames roles={roles} />}
      {current > 1 && (
        <Box>
          Deleting role {current} of {roles.length}
        </Box>
      )}
    </ActionDialog>
  );
}

function RoleNames({ roles }: { roles: readonly Role[] }) {
  return (
    <>
      <ul>
        {roles.slice(0, LISTED_MAX).map((role) => (
          <li key={role.RoleName}>
            {role.RoleName}
            {isServiceLinked(role) && ' (service-linked)'}
          </li>
        ))}
      </ul>
      {roles.length > LISTED_MAX && <Box>and {roles.length - LISTED_MAX} more</Box>}
    </>
  );
}

/** What is deleted with a role, by name, and when it was last used. */
function Dependents({ role }: { role: Role }) {
  const { RoleName: name } = role;
  const isLinked = isServiceLinked(role);
  const read = useQuery({
    queryKey: ['role', name, 'dependents'],
    queryFn: async () => {
      const [{ RoleLastUsed }, found] = await Promise.all([getRole(name), roleDependents(name)]);
      return { ...found, used: RoleLastUsed?.LastUsedDate };
    },
    gcTime: 0,
  });
  if (read.error) return <ErrorAlert error={read.error} />;
  if (!read.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const { profiles, attached, inline, used } = read.data;
  const own = profiles.filter((profile) => isOwnProfile(profile, name));
  const others = profiles.filter((profile) => !isOwnProfile(profile, name));
  const named = (list: typeof profiles): string =>
    list.map(({ InstanceProfileName }) => InstanceProfileName).join(', ');
  const lines = [
    `Last activity: ${sentence(ago(used))}`,
    isLinked && 'Service-linked role: it is deleted only if its AWS service no longer uses it',
    inline.length > 0 && `Inline policies: ${inline.join(', ')}`,
    own.length > 0 && `Instance profile: ${named(own)}`,
    others.length > 0 && `Removed from instance profiles (not deleted): ${named(others)}`,
    !isLinked &&
      attached.length > 0 &&
      `Detached (not deleted): ${attached.map(({ PolicyName }) => PolicyName).join(', ')}`,
  ].filter((line) => typeof line === 'string');
  return (
    <ul>
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
