// The tabs of a user's page: permissions, groups, tags.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { AttachedPolicies, NAME_AND_TYPE, ownPolicies, type Attached } from './attached';
import { GroupPicker, PolicyPicker } from './permissions';
import { changed, useGroupsOf, userChanged } from './queries';
import { Tags } from './tags';

/** What a user has by itself and through its groups. */
async function permissionsOf(UserName: string): Promise<Attached[]> {
  const [rows, groups] = await Promise.all([ownPolicies({ UserName }), iam.groupsOf(UserName)]);
  for (const group of groups) {
    for (const { name, type, href, arn } of await ownPolicies({ GroupName: group.name }))
      rows.push({ name, type, href, via: `Group ${group.name}`, ...(arn ? { arn } : {}) });
  }
  return rows;
}

const COLUMNS: Column<Attached>[] = [
  ...NAME_AND_TYPE,
  { id: 'via', header: 'Attached via', by: ({ via }) => via, cell: ({ via }) => via },
];

export function UserPermissions({ user }: { user: iam.User }) {
  const { name } = user;
  const read = useQuery({
    queryKey: ['user', name, 'permissions'],
    queryFn: () => permissionsOf(name),
  });
  return (
    <SpaceBetween size="l">
      <AttachedPolicies
        owner={{ UserName: name }}
        read={read}
        columns={COLUMNS}
        reload={() => userChanged(name)}
        changed={() => {
          userChanged(name);
          changed(['policies']);
        }}
      />
      <UserBoundary user={user} />
    </SpaceBetween>
  );
}

function UserBoundary({ user: { name, boundary } }: { user: iam.User }) {
  const { done } = useFrame();
  const [open, setOpen] = useState(false);
  const [[chosen], choose] = useState<iam.Policy[]>([]);
  const bound = (): Promise<unknown> => {
    if (!chosen) return call('iam', 'DeleteUserPermissionsBoundary', { UserName: name });
    const PermissionsBoundary = chosen.arn;
    return call('iam', 'PutUserPermissionsBoundary', { UserName: name, PermissionsBoundary });
  };
  return (
    <>
      <ExpandableSection
        variant="container"
        headerText={`Permissions boundary (${boundary ? 'set' : 'not set'})`}
        headerActions={
          <Button
            onClick={() => {
              choose([]);
              setOpen(true);
            }}
          >
            {boundary ? 'Change boundary' : 'Set boundary'}
          </Button>
        }
      >
        {boundary ?? 'The boundary is the most that the policies of this user can allow.'}
      </ExpandableSection>
      {open && (
        <Pick
          title="Permissions boundary"
          verb="Save"
          dismiss={() => setOpen(false)}
          act={bound}
          done={() => {
            setOpen(false);
            userChanged(name);
            changed(['policies']);
            done('Permissions boundary saved');
          }}
        >
          <Box>
            Choose the policy that is the boundary; with none chosen the boundary is removed.
          </Box>
          <PolicyPicker single selected={chosen ? [chosen] : []} select={choose} />
        </Pick>
      )}
    </>
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
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
];

export function UserGroups({ name }: { name: string }) {
  const { done } = useFrame();
  const groups = useGroupsOf(name);
  const [selected, select] = useState<iam.Group[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, choose] = useState<iam.Group[]>([]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    choose([]);
    userChanged(name);
    done(said);
  };
  const all = (action: string, of: iam.Group[]) => async (): Promise<void> => {
    for (const group of of) await call('iam', action, { UserName: name, GroupName: group.name });
  };
  return (
    <>
      <List
        title="User groups membership"
        items={groups.data}
        columns={GROUPS}
        rowId={(group) => group.name}
        loading={groups.isPending}
        error={groups.error}
        selection="multi"
        selected={selected}
        select={select}
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
              Remove
            </Button>
            <Button variant="primary" onClick={() => setOpen('add')}>
              Add user to groups
            </Button>
          </>
        }
      />
      {open === 'remove' && (
        <Confirm
          title="Remove from groups?"
          verb="Remove"
          onDismiss={close()}
          done={close('Removed from the groups')}
          act={all('RemoveUserFromGroup', selected)}
        >
          {selected.map((group) => group.name).join(', ')}
        </Confirm>
      )}
      {open === 'add' && (
        <Pick
          title="Add user to groups"
          verb="Add user to groups"
          dismiss={close()}
          act={all('AddUserToGroup', chosen)}
          done={close('Added to the groups')}
        >
          <GroupPicker
            selected={chosen}
            select={choose}
            except={groups.data?.map((group) => group.name) ?? []}
          />
        </Pick>
      )}
    </>
  );
}

export function UserTags({ name }: { name: string }) {
  const tags = useQuery({ queryKey: ['user', name, 'tags'], queryFn: () => iam.tagsOfUser(name) });
  return (
    <Tags
      tags={tags.data}
      error={tags.error}
      put={(Tags) => call('iam', 'TagUser', { UserName: name, Tags })}
      take={(TagKeys) => call('iam', 'UntagUser', { UserName: name, TagKeys })}
      done={() => userChanged(name)}
    />
  );
}
