// Deletes users, after what hangs on them: keys, password, MFA devices, memberships, policies.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { Confirm } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { ago } from '../../lib/age';

/** Everything that keeps IAM from deleting a user. */
async function hangsOn(UserName: string) {
  const [keys, login, devices, groups, attached, inline] = await Promise.all([
    iam.keysOf(UserName),
    iam.loginProfile(UserName),
    iam.devicesOf(UserName),
    iam.groupsOf(UserName),
    iam.policiesOfUser(UserName),
    iam.inlineOfUser(UserName),
  ]);
  return { keys, login, devices, groups, attached, inline };
}

/** Removes everything that keeps IAM from deleting a user, then the user. */
async function deleteUser(UserName: string): Promise<void> {
  const { keys, login, devices, groups, attached, inline } = await hangsOn(UserName);
  for (const { id } of keys) await call('iam', 'DeleteAccessKey', { UserName, AccessKeyId: id });
  if (login) await call('iam', 'DeleteLoginProfile', { UserName });
  for (const { SerialNumber } of devices) {
    await call('iam', 'DeactivateMFADevice', { UserName, SerialNumber });
    await call('iam', 'DeleteVirtualMFADevice', { SerialNumber });
  }
  for (const { name } of groups) {
    await call('iam', 'RemoveUserFromGroup', { UserName, GroupName: name });
  }
  for (const { arn } of attached) {
    await call('iam', 'DetachUserPolicy', { UserName, PolicyArn: arn });
  }
  for (const PolicyName of inline) await call('iam', 'DeleteUserPolicy', { UserName, PolicyName });
  await call('iam', 'DeleteUser', { UserName });
}

interface Doomed {
  name: string;
  /** The last use of its password or keys, where the list knows it. */
  activity?: string | undefined;
}

export function DeleteUsers(props: { users: Doomed[]; dismiss: () => void; done: () => void }) {
  const { users, dismiss, done } = props;
  const [at, setAt] = useState(0);
  const only = users.length === 1 ? users[0]?.name : undefined;
  return (
    <Confirm
      title={only ? `Delete ${only}?` : `Delete ${String(users.length)} users?`}
      verb={only ? 'Delete user' : 'Delete users'}
      typed={only ?? 'delete'}
      onDismiss={dismiss}
      done={done}
      act={async () => {
        for (const [index, { name }] of users.entries()) {
          setAt(index + 1);
          await deleteUser(name);
        }
      }}
    >
      <Alert type="warning">
        This cannot be undone. The password, the access keys, the MFA devices, the memberships and
        the inline policies of {only ? 'this user' : 'these users'} are deleted too.
      </Alert>
      {only ? (
        <GoesWithIt name={only} />
      ) : (
        <ul>
          {users.slice(0, 20).map(({ name, activity }) => (
            <li key={name}>
              {name}: last activity {ago(activity).toLowerCase()}
            </li>
          ))}
          {users.length > 20 && <li>and {users.length - 20} more</li>}
        </ul>
      )}
      {at > 1 && (
        <Box>
          {at} of {users.length}
        </Box>
      )}
    </Confirm>
  );
}

/** What is deleted with a user, by name. */
function GoesWithIt({ name }: { name: string }) {
  const read = useQuery({
    queryKey: ['user', name, 'hangs-on'],
    queryFn: async () => {
      const found = await hangsOn(name);
      const uses = await Promise.all(found.keys.map(({ id }) => iam.keyUse(id)));
      return { ...found, uses };
    },
    gcTime: 0,
  });
  if (read.error) return <Problem error={read.error} />;
  if (!read.data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const { keys, uses, login, devices, groups, attached, inline } = read.data;
  const names = (of: readonly { name: string }[]): string => of.map((one) => one.name).join(', ');
  const lines = [
    login && 'The console password',
    ...keys.map(
      ({ id, active }, index) =>
        `Access key ${id}, ${active ? 'active' : 'inactive'}, last used ${ago(uses[index]?.date).toLowerCase()}`,
    ),
    ...devices.map(({ SerialNumber }) => `MFA device ${SerialNumber}`),
    groups.length > 0 && `Membership of ${names(groups)}`,
    inline.length > 0 && `Inline policies: ${inline.join(', ')}`,
    attached.length > 0 && `Attachments of ${names(attached)}; the policies stay`,
  ].filter((line) => typeof line === 'string');
  if (lines.length === 0) return <Box>Nothing else goes with this user.</Box>;
  return (
    <ul>
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
