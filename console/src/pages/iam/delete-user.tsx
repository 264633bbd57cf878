// Deletes users, after everything that depends on them: keys, password, MFA devices, policies.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import {
  DeactivateMFADevice,
  DeleteAccessKey,
  DeleteLoginProfile,
  DeleteUser,
  DeleteUserPolicy,
  DeleteVirtualMFADevice,
  RemoveUserFromGroup,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { keyUses } from '../../api/key-activity';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog } from '../../frame/parts';
import { ago } from '../../lib/age';
import { lastUseText, sentence } from '../../lib/key-activity';
import { detachPolicy } from './attached';
import { isActive } from './queries';

/** Everything that keeps IAM from deleting a user. */
async function dependents(UserName: string) {
  const [keys, login, devices, groups, attached, inline] = await Promise.all([
    iam.listAccessKeys(UserName),
    iam.loginProfile(UserName),
    iam.listMfaDevices(UserName),
    iam.listUserGroups(UserName),
    iam.listAttachedPolicies({ UserName }),
    iam.listInlinePolicies({ UserName }),
  ]);
  return { keys, login, devices, groups, attached, inline };
}

/** Removes everything that keeps IAM from deleting a user, then the user. */
async function deleteUser(UserName: string): Promise<void> {
  const { keys, login, devices, groups, attached, inline } = await dependents(UserName);
  for (const { AccessKeyId } of keys) await call(DeleteAccessKey, { UserName, AccessKeyId });
  if (login) await call(DeleteLoginProfile, { UserName });
  for (const { SerialNumber } of devices) {
    await call(DeactivateMFADevice, { UserName, SerialNumber });
    await call(DeleteVirtualMFADevice, { SerialNumber });
  }
  for (const { GroupName } of groups) await call(RemoveUserFromGroup, { UserName, GroupName });
  for (const { PolicyArn } of attached) await detachPolicy({ UserName }, PolicyArn);
  for (const PolicyName of inline) await call(DeleteUserPolicy, { UserName, PolicyName });
  await call(DeleteUser, { UserName });
}

interface UserToDelete {
  name: string;
  /** The last use of the password or keys, where the list has it. */
  activity?: string | undefined;
}

interface DeleteUsersDialogProps {
  users: UserToDelete[];
  onDismiss: () => void;
  onDone: () => void;
}

export function DeleteUsersDialog({ users, onDismiss, onDone }: DeleteUsersDialogProps) {
  const [current, setCurrent] = useState(0);
  const only = users.length === 1 ? users[0]?.name : undefined;
  return (
    <ActionDialog
      title={only ? `Delete ${only}?` : `Delete ${String(users.length)} users?`}
      verb={only ? 'Delete user' : 'Delete users'}
      confirmText={only ?? 'delete'}
      onDismiss={onDismiss}
      onDone={onDone}
      action={async () => {
        for (const [index, { name }] of users.entries()) {
          setCurrent(index + 1);
          await deleteUser(name);
        }
      }}
    >
      <Alert type="warning">
        {only
          ? 'This permanently deletes the user and its password, access keys, MFA devices, group memberships, and inline policies.'
          : 'This permanently deletes the users and their passwords, access keys, MFA devices, group memberships, and inline policies.'}
      </Alert>
      {only ? <Dependents name={only} /> : <UserTable users={users} />}
      {current > 1 && (
        <Box>
          Deleting user {current} of {users.length}
        </Box>
      )}
    </ActionDialog>
  );
}

const LISTED_MAX = 20;

function UserTable({ users }: { users: readonly UserToDelete[] }) {
  return (
    <>
      <Table
        variant="borderless"
        items={users.slice(0, LISTED_MAX)}
        trackBy="name"
        columnDefinitions={[
          { id: 'name', header: 'User name', cell: ({ name }) => name, isRowHeader: true },
          { id: 'activity', header: 'Last activity', cell: ({ activity }) => ago(activity) },
        ]}
      />
      {users.length > LISTED_MAX && <Box>and {users.length - LISTED_MAX} more</Box>}
    </>
  );
}

/** What is deleted with a user, by name. */
function Dependents({ name }: { name: string }) {
  const read = useQuery({
    queryKey: ['user', name, 'dependents'],
    queryFn: async () => {
      const found = await dependents(name);
      const uses = await Promise.all(found.keys.map(({ AccessKeyId }) => keyUses(AccessKeyId)));
      return { ...found, uses };
    },
    gcTime: 0,
  });
  if (read.error) return <ErrorAlert error={read.error} />;
  if (!read.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const { keys, uses, login, devices, groups, attached, inline } = read.data;
  const lines = [
    login && 'Console password',
    ...keys.map(
      (key, index) =>
        `Access key ${key.AccessKeyId}: ${isActive(key) ? 'active' : 'inactive'}, last used ${sentence(lastUseText(uses[index]?.last))}`,
    ),
    ...devices.map(({ SerialNumber }) => `MFA device ${SerialNumber}`),
    groups.length > 0 &&
      `Group memberships: ${groups.map(({ GroupName }) => GroupName).join(', ')}`,
    inline.length > 0 && `Inline policies: ${inline.join(', ')}`,
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
