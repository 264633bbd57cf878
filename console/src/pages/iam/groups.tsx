// The groups of the account, made and deleted.
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { useStays } from '../../lib/settled';
import { PolicyPicker, UserPicker } from './permissions';
import { changed, useGroups } from './queries';

/** What a group has, read when its row is seen. */
function useSeen<T>(group: string, what: string, read: () => Promise<T>) {
  const stays = useStays();
  const queryKey = ['groups', group, what];
  return useQuery({ queryKey, queryFn: read, enabled: stays, staleTime: 60_000 });
}

function UserCount({ name }: { name: string }) {
  const users = useSeen(name, 'users', () => iam.membersOf(name));
  if (users.error) return <>–</>;
  return <>{users.data?.length ?? '…'}</>;
}

const policyCount = async (name: string): Promise<number> => {
  const [attached, inline] = await Promise.all([
    iam.policiesOfGroup(name),
    iam.inlineOfGroup(name),
  ]);
  return attached.length + inline.length;
};

function Defined({ name }: { name: string }) {
  const count = useSeen(name, 'policy-count', () => policyCount(name));
  if (count.error) return <>–</>;
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
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/groups/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'users', header: 'Users', cell: ({ name }) => <UserCount name={name} /> },
  { id: 'permissions', header: 'Permissions', cell: ({ name }) => <Defined name={name} /> },
  {
    id: 'created',
    header: 'Creation time',
    by: ({ created }) => Date.parse(created),
    cell: ({ created }) => full(created),
  },
  { id: 'path', header: 'Path', hidden: true, by: ({ path }) => path, cell: ({ path }) => path },
  { id: 'arn', header: 'ARN', hidden: true, by: ({ arn }) => arn, cell: ({ arn }) => arn },
];

export function Groups() {
  const { done } = useFrame();
  const groups = useGroups();
  const [selected, select] = useState<iam.Group[]>([]);
  const [open, setOpen] = useState<'create' | 'delete'>();
  const group = selected[0];
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    done(said);
  };
  return (
    <>
      <List
        title="IAM user groups"
        variant="full-page"
        description="A user group is a collection of IAM users. Its policies hold for all of them."
        items={groups.data}
        columns={GROUPS}
        rowId={({ name }) => name}
        loading={groups.isPending}
        error={groups.error}
        reload={() => changed(['groups'])}
        selection="single"
        selected={selected}
        select={select}
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
      {open === 'create' && <CreateGroup dismiss={close()} done={close('Group created')} />}
      {open === 'delete' && group && (
        <DeleteGroup name={group.name} dismiss={close()} done={close('Group deleted')} />
      )}
    </>
  );
}

interface DialogProps {
  dismiss: () => void;
  done: () => void;
}

const NAME = /^[\w+=,.@-]{1,128}$/;

/** The dialog that makes a group, with its users and policies. */
export function CreateGroup({ dismiss, done }: DialogProps) {
  const [name, setName] = useState('');
  const [users, setUsers] = useState<iam.User[]>([]);
  const [policies, setPolicies] = useState<iam.Policy[]>([]);
  const wrong = name === '' || NAME.test(name) ? '' : 'There is a letter that a name may not have.';
  const create = async (): Promise<void> => {
    await call('iam', 'CreateGroup', { GroupName: name });
    for (const user of users) {
      await call('iam', 'AddUserToGroup', { GroupName: name, UserName: user.name });
    }
    for (const { arn } of policies) {
      await call('iam', 'AttachGroupPolicy', { GroupName: name, PolicyArn: arn });
    }
  };
  return (
    <Pick
      title="Create user group"
      verb="Create user group"
      disabled={!NAME.test(name)}
      dismiss={dismiss}
      act={create}
      done={() => {
        changed(['groups'], ['user'], ['policies'], ['summary']);
        done();
      }}
    >
      <FormField
        label="User group name"
        constraintText="Up to 128 characters: A-Z, a-z, 0-9 and + = , . @ _ - (hyphen)"
        errorText={wrong}
      >
        <Input
          value={name}
          spellcheck={false}
          autoComplete={false}
          onChange={({ detail }) => setName(detail.value)}
        />
      </FormField>
      <UserPicker title="Add users – optional" selected={users} select={setUsers} />
      <PolicyPicker
        title="Attach permissions policies – optional"
        selected={policies}
        select={setPolicies}
      />
    </Pick>
  );
}

/** Removes everything that keeps IAM from deleting a group, then the group. */
async function deleteGroup(GroupName: string): Promise<void> {
  for (const { name } of await iam.membersOf(GroupName)) {
    await call('iam', 'RemoveUserFromGroup', { GroupName, UserName: name });
  }
  for (const { arn } of await iam.policiesOfGroup(GroupName)) {
    await call('iam', 'DetachGroupPolicy', { GroupName, PolicyArn: arn });
  }
  for (const PolicyName of await iam.inlineOfGroup(GroupName)) {
    await call('iam', 'DeleteGroupPolicy', { GroupName, PolicyName });
  }
  await call('iam', 'DeleteGroup', { GroupName });
}

/** The dialog that deletes a group, and says what goes with it. */
export function DeleteGroup({ name, dismiss, done }: DialogProps & { name: string }) {
  const held = useQuery({
    queryKey: ['groups', name, 'held'],
    queryFn: async () => {
      const [users, inline] = await Promise.all([iam.membersOf(name), iam.inlineOfGroup(name)]);
      return { users: users.length, inline };
    },
    gcTime: 0,
  });
  return (
    <Confirm
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={dismiss}
      act={() => deleteGroup(name)}
      done={() => {
        changed(['groups'], ['user'], ['policies'], ['summary']);
        done();
      }}
    >
      {held.error ? (
        <Problem error={held.error} />
      ) : (
        <div>
          {held.data ? `Its users (${String(held.data.users)}) stay` : 'Its users stay'}, but lose
          what they may do through it.{' '}
          {held.data && held.data.inline.length > 0
            ? `Its inline policies are deleted too: ${held.data.inline.join(', ')}.`
            : 'Managed policies stay.'}
        </div>
      )}
    </Confirm>
  );
}
