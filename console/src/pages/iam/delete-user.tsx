// Deletes users, after what hangs on them: keys, password, MFA devices, memberships, policies.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { Confirm } from '../../frame/parts';

/** Removes everything that keeps IAM from deleting a user, then the user. */
async function deleteUser(UserName: string): Promise<void> {
  for (const { id } of await iam.keysOf(UserName)) {
    await call('iam', 'DeleteAccessKey', { UserName, AccessKeyId: id });
  }
  if (await iam.loginProfile(UserName)) await call('iam', 'DeleteLoginProfile', { UserName });
  for (const { SerialNumber } of await iam.devicesOf(UserName)) {
    await call('iam', 'DeactivateMFADevice', { UserName, SerialNumber });
    await call('iam', 'DeleteVirtualMFADevice', { SerialNumber });
  }
  for (const { name } of await iam.groupsOf(UserName)) {
    await call('iam', 'RemoveUserFromGroup', { UserName, GroupName: name });
  }
  for (const { arn } of await iam.policiesOfUser(UserName)) {
    await call('iam', 'DetachUserPolicy', { UserName, PolicyArn: arn });
  }
  for (const PolicyName of await iam.inlineOfUser(UserName)) {
    await call('iam', 'DeleteUserPolicy', { UserName, PolicyName });
  }
  await call('iam', 'DeleteUser', { UserName });
}

export function DeleteUsers({
  names,
  dismiss,
  done,
}: {
  names: string[];
  dismiss: () => void;
  done: () => void;
}) {
  const [at, setAt] = useState(0);
  const only = names.length === 1 ? names[0] : undefined;
  return (
    <Confirm
      title={only ? `Delete ${only}?` : `Delete ${String(names.length)} users?`}
      verb="Delete user"
      typed={only ?? 'delete'}
      onDismiss={dismiss}
      done={done}
      act={async () => {
        for (const [index, name] of names.entries()) {
          setAt(index + 1);
          await deleteUser(name);
        }
      }}
    >
      <Alert type="warning">
        This cannot be undone. The password, the access keys, the MFA devices, the memberships and
        the inline policies of {only ? 'this user' : 'these users'} are deleted too.
      </Alert>
      {!only && (
        <ul>
          {names.slice(0, 20).map((name) => (
            <li key={name}>{name}</li>
          ))}
          {names.length > 20 && <li>and {names.length - 20} more</li>}
        </ul>
      )}
      {at > 1 && (
        <Box>
          {at} of {names.length}
        </Box>
      )}
    </Confirm>
  );
}
