// The tabs of a user's page: permissions, groups, tags.
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import {
  DeleteUserPermissionsBoundary,
  PutUserPermissionsBoundary,
  TagUser,
  UntagUser,
  AddUserToGroup,
  RemoveUserFromGroup,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { AttachedPolicies, NAME_AND_TYPE, ownPolicies, type AttachedRow } from './attached';
import { PermissionsBoundary } from './boundary';
import { GroupPicker } from './permissions';
import { invalidate, useUserGroups, invalidateUser } from './queries';
import { Tags } from './tags';

/** The policies of a user, its own and those of its groups. */
async function permissionsOf(UserName: string): Promise<AttachedRow[]> {
  const [rows, groups] = await Promise.all([
    ownPolicies({ UserName }),
    iam.listUserGroups(UserName),
  ]);
  for (const group of groups) {
    for (const { name, type, href, arn } of await ownPolicies({ GroupName: group.GroupName }))
      rows.push({ name, type, href, via: `Group ${group.GroupName}`, ...(arn ? { arn } : {}) });
  }
  return rows;
}

const COLUMNS: Column<AttachedRow>[] = [
  ...NAME_AND_TYPE,
  { id: 'via', header: 'Attached via', value: ({ via }) => via, cell: ({ via }) => via },
];

export function UserPermissions({ user }: { user: iam.User }) {
  const { UserName: name } = user;
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
        reload={() => invalidateUser(name)}
        onChange={() => {
          invalidateUser(name);
          invalidate(['policies']);
        }}
      />
      <PermissionsBoundary
        kind="user"
        arn={user.PermissionsBoundary?.PermissionsBoundaryArn}
        put={(PermissionsBoundary) =>
          call(PutUserPermissionsBoundary, { UserName: name, PermissionsBoundary })
        }
        remove={() => call(DeleteUserPermissionsBoundary, { UserName: name })}
        onDone={() => invalidateUser(name)}
      />
    </SpaceBetween>
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
  { id: 'path', header: 'Path', value: ({ Path }) => Path, cell: ({ Path }) => Path },
];

export function UserGroups({ name }: { name: string }) {
  const { notifySuccess } = useFrame();
  const groups = useUserGroups(name);
  const [selected, setSelected] = useState<iam.Group[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [toAdd, setToAdd] = useState<iam.Group[]>([]);
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    setToAdd([]);
    invalidateUser(name);
    notifySuccess(message);
  };
  const add = async (): Promise<void> => {
    for (const { GroupName } of toAdd) await call(AddUserToGroup, { UserName: name, GroupName });
  };
  const remove = async (): Promise<void> => {
    for (const { GroupName } of selected)
      await call(RemoveUserFromGroup, { UserName: name, GroupName });
  };
  return (
    <>
      <List
        title="User groups membership"
        items={groups.data}
        columns={GROUPS}
        rowId={(group) => group.GroupName}
        loading={groups.isPending}
        error={groups.error}
        empty="No groups"
        selection="multi"
        selected={selected}
        onSelect={setSelected}
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
        <ActionDialog
          title={`Remove ${name} from groups?`}
          verb="Remove"
          onDismiss={close()}
          onDone={close(`${name} removed from groups`)}
          action={remove}
        >
          {selected.map((group) => group.GroupName).join(', ')}
        </ActionDialog>
      )}
      {open === 'add' && (
        <ActionDialog
          size="large"
          title="Add user to groups"
          verb="Add user to groups"
          onDismiss={close()}
          action={add}
          onDone={close(`${name} added to groups`)}
        >
          <GroupPicker
            selected={toAdd}
            onSelect={setToAdd}
            except={groups.data?.map((group) => group.GroupName) ?? []}
          />
        </ActionDialog>
      )}
    </>
  );
}

export function UserTags({ name }: { name: string }) {
  const tags = useQuery({
    queryKey: ['user', name, 'tags'],
    queryFn: () => iam.listUserTags(name),
  });
  return (
    <Tags
      tags={tags.data}
      error={tags.error}
      tag={(Tags) => call(TagUser, { UserName: name, Tags })}
      untag={(TagKeys) => call(UntagUser, { UserName: name, TagKeys })}
      onDone={() => invalidateUser(name)}
    />
  );
}
