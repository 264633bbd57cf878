// The groups of the account, and one of them: its users and its policies.
import Button from '@cloudscape-design/components/button';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { full } from '../../lib/age';
import { policyHref, PolicyPicker, typeOf } from './permissions';
import { changed, useGroups } from './queries';

const GROUPS: Column<iam.Group>[] = [
  {
    id: 'name',
    header: 'Group name',
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/groups/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
  {
    id: 'created',
    header: 'Creation time',
    by: ({ created }) => created,
    cell: ({ created }) => full(created),
  },
];

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

export function Groups() {
  const { done } = useFrame();
  const groups = useGroups();
  const [selected, select] = useState<iam.Group[]>([]);
  const [open, setOpen] = useState<'create' | 'delete'>();
  const [name, setName] = useState('');
  const [policies, setPolicies] = useState<iam.Policy[]>([]);
  const group = selected[0];
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    setName('');
    setPolicies([]);
    changed(['groups'], ['user'], ['policies']);
    done(said);
  };
  const create = async (): Promise<void> => {
    await call('iam', 'CreateGroup', { GroupName: name });
    for (const { arn } of policies) {
      await call('iam', 'AttachGroupPolicy', { GroupName: name, PolicyArn: arn });
    }
  };
  return (
    <>
      <List
        title="IAM user groups"
        variant="full-page"
        description="A user group is a collection of IAM users. Its policies hold for all of them."
        items={groups.data}
        columns={GROUPS}
        rowId={({ name: id }) => id}
        loading={groups.isPending}
        error={groups.error}
        reload={() => changed(['groups'])}
        selection="single"
        selected={selected}
        select={select}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!group} onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => setOpen('create')}>
              Create group
            </Button>
          </SpaceBetween>
        }
      />
      {open === 'create' && (
        <Pick
          title="Create user group"
          verb="Create user group"
          dismiss={close()}
          act={create}
          done={close('Group created')}
        >
          <FormField
            label="User group name"
            constraintText="Up to 128 characters: A-Z, a-z, 0-9 and + = , . @ _ -"
          >
            <Input
              value={name}
              spellcheck={false}
              onChange={({ detail }) => setName(detail.value)}
            />
          </FormField>
          <PolicyPicker selected={policies} select={setPolicies} />
        </Pick>
      )}
      {open === 'delete' && group && (
        <Confirm
          title={`Delete ${group.name}?`}
          verb="Delete"
          typed={group.name}
          onDismiss={close()}
          act={() => deleteGroup(group.name)}
          done={close('Group deleted')}
        >
          Its users stay, but lose what they may do through it. Its inline policies are deleted too.
        </Confirm>
      )}
    </>
  );
}

const USERS: Column<iam.User>[] = [
  {
    id: 'name',
    header: 'User name',
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/users/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
];
const POLICIES: Column<iam.Attached>[] = [
  {
    id: 'name',
    header: 'Policy name',
    by: ({ name }) => name,
    cell: ({ name, arn }) => <Link to={policyHref(arn)}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', by: ({ arn }) => typeOf(arn), cell: ({ arn }) => typeOf(arn) },
];

export function GroupPage() {
  const { name = '' } = useParams();
  const { done } = useFrame();
  const members = useQuery({
    queryKey: ['groups', name, 'users'],
    queryFn: () => iam.membersOf(name),
  });
  const attached = useQuery({
    queryKey: ['groups', name, 'policies'],
    queryFn: () => iam.policiesOfGroup(name),
  });
  const [selected, select] = useState<iam.Attached[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, choose] = useState<iam.Policy[]>([]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    choose([]);
    if (!said) return;
    select([]);
    changed(['groups'], ['user'], ['policies']);
    done(said);
  };
  const all = (action: string, arns: string[]) => async (): Promise<void> => {
    for (const PolicyArn of arns) await call('iam', action, { GroupName: name, PolicyArn });
  };
  return (
    <ContentLayout header={<Header variant="h1">{name}</Header>}>
      <SpaceBetween size="l">
        <List
          title="Users in this group"
          items={members.data}
          columns={USERS}
          rowId={(user) => user.name}
          loading={members.isPending}
          error={members.error}
          reload={() => changed(['groups'])}
        />
        <List
          title="Permissions policies"
          items={attached.data}
          columns={POLICIES}
          rowId={({ arn }) => arn}
          loading={attached.isPending}
          error={attached.error}
          reload={() => changed(['groups'])}
          selection="multi"
          selected={selected}
          select={select}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
                Remove
              </Button>
              <Button variant="primary" onClick={() => setOpen('add')}>
                Add permissions
              </Button>
            </SpaceBetween>
          }
        />
      </SpaceBetween>
      {open === 'add' && (
        <Pick
          title="Add permissions"
          verb="Add permissions"
          dismiss={close()}
          act={all(
            'AttachGroupPolicy',
            chosen.map(({ arn }) => arn),
          )}
          done={close('Permissions added')}
        >
          <PolicyPicker
            selected={chosen}
            select={choose}
            except={attached.data?.map(({ arn }) => arn) ?? []}
          />
        </Pick>
      )}
      {open === 'remove' && (
        <Confirm
          title="Remove permissions?"
          verb="Remove"
          onDismiss={close()}
          act={all(
            'DetachGroupPolicy',
            selected.map(({ arn }) => arn),
          )}
          done={close('Permissions removed')}
        >
          {selected.map((policy) => policy.name).join(', ')}
        </Confirm>
      )}
    </ContentLayout>
  );
}
