// The groups of the account, created and deleted.
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import {
  AddUserToGroup,
  AttachGroupPolicy,
  CreateGroup,
  DeleteGroup,
  DeleteGroupPolicy,
  DetachGroupPolicy,
  RemoveUserFromGroup,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { fullDate } from '../../lib/age';
import { useIsSettled } from '../../lib/debounce';
import { UNKNOWN } from '../../lib/key-activity';
import { PolicyPicker, UserPicker } from './permissions';
import { invalidate, useGroups } from './queries';

/** What belongs to a group, read when its row is visible. */
function useGroupQuery<T>(group: string, key: string, read: () => Promise<T>) {
  const isSettled = useIsSettled();
  const queryKey = ['groups', group, key];
  return useQuery({ queryKey, queryFn: read, enabled: isSettled, staleTime: 60_000 });
}

function UserCount({ name }: { name: string }) {
  const users = useGroupQuery(name, 'users', () => iam.listGroupUsers(name));
  if (users.error) return <>{UNKNOWN}</>;
  return <>{users.data?.length ?? '…'}</>;
}

const policyCount = async (name: string): Promise<number> => {
  const [attached, inline] = await Promise.all([
    iam.listAttachedPolicies({ GroupName: name }),
    iam.listInlinePolicies({ GroupName: name }),
  ]);
  return attached.length + inline.length;
};

function PermissionsStatus({ name }: { name: string }) {
  const count = useGroupQuery(name, 'policy-count', () => policyCount(name));
  if (count.error) return <>{UNKNOWN}</>;
  if (count.data === undefined) return <>…</>;
  return count.data > 0 ? (
    <StatusIndicator type="success">Defined</StatusIndicator>
  ) : (
    <StatusIndicator type="warning">Not defined</StatusIndicator>
  );
}

const GROUPS: Column<iam.Group>[] = [
  {
    id: 'name',
    header: 'Group name',
    value: ({ GroupName }) => GroupName,
    cell: ({ GroupName }) => (
      <Link to={`/iam/groups/${encodeURIComponent(GroupName)}`}>{GroupName}</Link>
    ),
    isRowHeader: true,
  },
  { id: 'users', header: 'Users', cell: ({ GroupName }) => <UserCount name={GroupName} /> },
  {
    id: 'permissions',
    header: 'Permissions',
    cell: ({ GroupName }) => <PermissionsStatus name={GroupName} />,
  },
  {
    id: 'created',
    header: 'Creation time',
    value: ({ CreateDate }) => Date.parse(CreateDate),
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
  {
    id: 'path',
    header: 'Path',
    hidden: true,
    value: ({ Path }) => Path,
    cell: ({ Path }) => Path,
  },
  {
    id: 'arn',
    header: 'ARN',
    hidden: true,
    value: ({ Arn }) => Arn,
    cell: ({ Arn }) => Arn,
  },
];

export function GroupsPage() {
  const { notifySuccess } = useFrame();
  const groups = useGroups();
  const [selected, setSelected] = useState<iam.Group[]>([]);
  const [open, setOpen] = useState<'create' | 'delete'>();
  const group = selected[0];
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    notifySuccess(message);
  };
  return (
    <>
      <List
        title="IAM user groups"
        variant="full-page"
        description="A user group is a collection of IAM users. Use groups to specify permissions for a collection of users."
        items={groups.data}
        columns={GROUPS}
        rowId={({ GroupName }) => GroupName}
        loading={groups.isPending}
        error={groups.error}
        reload={() => invalidate(['groups'])}
        empty="No groups"
        selection="single"
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={!group} onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => setOpen('create')}>
              Create group
            </Button>
          </>
        }
      />
      {open === 'create' && (
        <CreateGroupDialog onDismiss={close()} onDone={close('Group created')} />
      )}
      {open === 'delete' && group && (
        <DeleteGroupDialog
          name={group.GroupName}
          onDismiss={close()}
          onDone={close(`Group ${group.GroupName} deleted`)}
        />
      )}
    </>
  );
}

interface DialogProps {
  onDismiss: () => void;
  onDone: () => void;
}

const NAME = /^[\w+=,.@-]{1,128}$/;
const NAME_RULE =
  'Maximum 128 characters. Valid characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)';

/** The dialog that creates a group, with its users and policies. */
export function CreateGroupDialog({ onDismiss, onDone }: DialogProps) {
  const [name, setName] = useState('');
  const [users, setUsers] = useState<iam.User[]>([]);
  const [policies, setPolicies] = useState<iam.Policy[]>([]);
  const hasError = name !== '' && !NAME.test(name);
  const create = async (): Promise<void> => {
    await call(CreateGroup, { GroupName: name });
    for (const user of users) {
      await call(AddUserToGroup, { GroupName: name, UserName: user.UserName });
    }
    for (const { Arn } of policies) {
      await call(AttachGroupPolicy, { GroupName: name, PolicyArn: Arn });
    }
  };
  return (
    <ActionDialog
      size="large"
      title="Create user group"
      verb="Create user group"
      disabled={!NAME.test(name)}
      onDismiss={onDismiss}
      action={create}
      onDone={() => {
        invalidate(['groups'], ['user'], ['policies'], ['summary']);
        onDone();
      }}
    >
      <FormField
        label="User group name"
        constraintText={hasError ? '' : NAME_RULE}
        errorText={hasError ? NAME_RULE : ''}
      >
        <Input
          value={name}
          spellcheck={false}
          autoComplete={false}
          onChange={({ detail }) => setName(detail.value)}
        />
      </FormField>
      <UserPicker title="Add users – optional" selected={users} onSelect={setUsers} />
      <PolicyPicker
        title="Attach permissions policies – optional"
        selected={policies}
        onSelect={setPolicies}
      />
    </ActionDialog>
  );
}

/** Removes everything that keeps IAM from deleting a group, then the group. */
async function deleteGroup(GroupName: string): Promise<void> {
  for (const { UserName } of await iam.listGroupUsers(GroupName)) {
    await call(RemoveUserFromGroup, { GroupName, UserName });
  }
  for (const { PolicyArn } of await iam.listAttachedPolicies({ GroupName })) {
    await call(DetachGroupPolicy, { GroupName, PolicyArn });
  }
  for (const PolicyName of await iam.listInlinePolicies({ GroupName })) {
    await call(DeleteGroupPolicy, { GroupName, PolicyName });
  }
  await call(DeleteGroup, { GroupName });
}

/** The dialog that deletes a group, and lists what depends on it. */
export function DeleteGroupDialog({ name, onDismiss, onDone }: DialogProps & { name: string }) {
  const dependents = useQuery({
    queryKey: ['groups', name, 'dependents'],
    queryFn: async () => {
      const [users, inline] = await Promise.all([
        iam.listGroupUsers(name),
        iam.listInlinePolicies({ GroupName: name }),
      ]);
      return { users: users.length, inline };
    },
    gcTime: 0,
  });
  return (
    <ActionDialog
      title={`Delete ${name}?`}
      verb="Delete"
      confirmText={name}
      onDismiss={onDismiss}
      action={() => deleteGroup(name)}
      onDone={() => {
        invalidate(['groups'], ['user'], ['policies'], ['summary']);
        onDone();
      }}
    >
      {dependents.error ? (
        <ErrorAlert error={dependents.error} />
      ) : (
        <div>
          {dependents.data ? `Its users (${String(dependents.data.users)})` : 'Its users'} are not
          deleted, but lose the permissions of the group.{' '}
          {dependents.data && dependents.data.inline.length > 0
            ? `Its inline policies are deleted: ${dependents.data.inline.join(', ')}.`
            : 'Managed policies are not deleted.'}
        </div>
      )}
    </ActionDialog>
  );
}
