// A group's page: its users and its policies.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { AddUserToGroup, RemoveUserFromGroup } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, CopyText, Link } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { AttachedPolicies, NAME_AND_TYPE, ownPolicies } from './attached';
import { DeleteGroupDialog } from './groups';
import { UserPicker } from './permissions';
import { invalidate, useGroups } from './queries';

export function GroupPage() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [search, setSearch] = useSearchParams();
  const [deleting, setDeleting] = useState(false);
  const groups = useGroups();
  const group = groups.data?.find((one) => one.GroupName === name);
  return (
    <ContentLayout
      header={
        <Header variant="h1" actions={<Button onClick={() => setDeleting(true)}>Delete</Button>}>
          {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        {group && (
          <Container header={<Header variant="h2">Summary</Header>}>
            <KeyValuePairs
              columns={3}
              items={[
                { label: 'User group name', value: name },
                { label: 'Creation time', value: fullDate(group.CreateDate) },
                { label: 'ARN', value: <CopyText text={group.Arn} label="ARN" /> },
              ]}
            />
          </Container>
        )}
        <Tabs
          activeTabId={search.get('tab') ?? 'users'}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId }, { replace: true })}
          tabs={[
            { id: 'users', label: 'Users', content: <Members name={name} /> },
            { id: 'permissions', label: 'Permissions', content: <GroupPolicies name={name} /> },
          ]}
        />
      </SpaceBetween>
      {deleting && (
        <DeleteGroupDialog
          name={name}
          onDismiss={() => setDeleting(false)}
          onDone={() => {
            notifySuccess(`Group ${name} deleted`);
            void navigate('/iam/groups');
          }}
        />
      )}
    </ContentLayout>
  );
}

const USERS: Column<iam.User>[] = [
  {
    id: 'name',
    header: 'User name',
    value: ({ UserName }) => UserName,
    cell: ({ UserName }) => (
      <Link to={`/iam/users/${encodeURIComponent(UserName)}`}>{UserName}</Link>
    ),
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', value: ({ Path }) => Path, cell: ({ Path }) => Path },
  {
    id: 'created',
    header: 'Creation time',
    value: ({ CreateDate }) => Date.parse(CreateDate),
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
];

function Members({ name }: { name: string }) {
  const { notifySuccess } = useFrame();
  const members = useQuery({
    queryKey: ['groups', name, 'users'],
    queryFn: () => iam.listGroupUsers(name),
  });
  const [selected, setSelected] = useState<iam.User[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, setChosen] = useState<iam.User[]>([]);
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    setChosen([]);
    if (message === undefined) return;
    setSelected([]);
    invalidate(['groups'], ['user']);
    notifySuccess(message);
  };
  const add = async (): Promise<void> => {
    for (const { UserName } of chosen) await call(AddUserToGroup, { GroupName: name, UserName });
  };
  const remove = async (): Promise<void> => {
    for (const { UserName } of selected)
      await call(RemoveUserFromGroup, { GroupName: name, UserName });
  };
  return (
    <>
      <List
        title="Users in this group"
        items={members.data}
        columns={USERS}
        rowId={(user) => user.UserName}
        loading={members.isPending}
        error={members.error}
        reload={() => invalidate(['groups'])}
        selection="multi"
        selected={selected}
        onSelect={setSelected}
        empty="No users"
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
              Remove
            </Button>
            <Button variant="primary" onClick={() => setOpen('add')}>
              Add users
            </Button>
          </>
        }
      />
      {open === 'add' && (
        <ActionDialog
          size="large"
          title="Add users"
          verb="Add users"
          disabled={chosen.length === 0}
          onDismiss={close()}
          action={add}
          onDone={close('Users added')}
        >
          <UserPicker
            selected={chosen}
            onSelect={setChosen}
            except={members.data?.map((user) => user.UserName) ?? []}
          />
        </ActionDialog>
      )}
      {open === 'remove' && (
        <ActionDialog
          title={`Remove users from ${name}?`}
          verb="Remove"
          onDismiss={close()}
          action={remove}
          onDone={close('Users removed')}
        >
          They lose the permissions of the group: {selected.map((user) => user.UserName).join(', ')}
        </ActionDialog>
      )}
    </>
  );
}

function GroupPolicies({ name }: { name: string }) {
  const owner = { GroupName: name };
  const read = useQuery({
    queryKey: ['groups', name, 'policies'],
    queryFn: () => ownPolicies(owner),
  });
  return (
    <AttachedPolicies
      owner={owner}
      read={read}
      columns={NAME_AND_TYPE}
      reload={() => invalidate(['groups'])}
      onChange={() => invalidate(['groups'], ['user'], ['policies'])}
    />
  );
}
