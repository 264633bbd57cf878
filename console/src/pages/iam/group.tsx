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
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Copy, Link, Pick } from '../../frame/parts';
import { full } from '../../lib/age';
import { AttachedPolicies, NAME_AND_TYPE, ownPolicies } from './attached';
import { DeleteGroup } from './groups';
import { UserPicker } from './permissions';
import { changed, useGroups } from './queries';

export function GroupPage() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { done } = useFrame();
  const [search, setSearch] = useSearchParams();
  const [deleting, setDeleting] = useState(false);
  const groups = useGroups();
  const group = groups.data?.find((one) => one.name === name);
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
                { label: 'Creation time', value: full(group.created) },
                { label: 'ARN', value: <Copy text={group.arn} label="ARN" /> },
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
        <DeleteGroup
          name={name}
          dismiss={() => setDeleting(false)}
          done={() => {
            done('Group deleted');
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
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/iam/users/${encodeURIComponent(name)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
  {
    id: 'created',
    header: 'Creation time',
    by: ({ created }) => Date.parse(created),
    cell: ({ created }) => full(created),
  },
];

function Members({ name }: { name: string }) {
  const { done } = useFrame();
  const members = useQuery({
    queryKey: ['groups', name, 'users'],
    queryFn: () => iam.membersOf(name),
  });
  const [selected, select] = useState<iam.User[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, choose] = useState<iam.User[]>([]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    choose([]);
    if (!said) return;
    select([]);
    changed(['groups'], ['user']);
    done(said);
  };
  const all = (action: string, users: iam.User[]) => async (): Promise<void> => {
    for (const user of users) await call('iam', action, { GroupName: name, UserName: user.name });
  };
  return (
    <>
      <List
        title="Users in this group"
        items={members.data}
        columns={USERS}
        rowId={(user) => user.name}
        loading={members.isPending}
        error={members.error}
        reload={() => changed(['groups'])}
        selection="multi"
        selected={selected}
        select={select}
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
        <Pick
          title="Add users"
          verb="Add users"
          disabled={chosen.length === 0}
          dismiss={close()}
          act={all('AddUserToGroup', chosen)}
          done={close('Users added')}
        >
          <UserPicker
            selected={chosen}
            select={choose}
            except={members.data?.map((user) => user.name) ?? []}
          />
        </Pick>
      )}
      {open === 'remove' && (
        <Confirm
          title="Remove users from the group?"
          verb="Remove"
          onDismiss={close()}
          act={all('RemoveUserFromGroup', selected)}
          done={close('Users removed')}
        >
          They lose what they may do through the group:{' '}
          {selected.map((user) => user.name).join(', ')}
        </Confirm>
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
      reload={() => changed(['groups'])}
      changed={() => changed(['groups'], ['user'], ['policies'])}
    />
  );
}
