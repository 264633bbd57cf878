// The tabs of a user's page: permissions, groups, tags.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { GroupPicker, inlineHref, policyHref, PolicyPicker, typeOf } from './permissions';
import { changed, useGroupsOf, userChanged } from './queries';
import { Tags } from './tags';

interface Row {
  name: string;
  type: string;
  via: string;
  href: string;
  arn?: string;
  /** How it is taken away; what comes from a group is taken away there. */
  remove?: (UserName: string) => Promise<unknown>;
}

async function permissionsOf(UserName: string): Promise<Row[]> {
  const [direct, inline, groups] = await Promise.all([
    iam.policiesOfUser(UserName),
    iam.inlineOfUser(UserName),
    iam.groupsOf(UserName),
  ]);
  const rows: Row[] = direct.map(({ name, arn }) => ({
    name,
    arn,
    type: typeOf(arn),
    via: 'Directly',
    href: policyHref(arn),
    remove: (user) => call('iam', 'DetachUserPolicy', { UserName: user, PolicyArn: arn }),
  }));
  for (const name of inline) {
    const remove = (user: string) =>
      call('iam', 'DeleteUserPolicy', { UserName: user, PolicyName: name });
    rows.push({
      name,
      type: 'Customer inline',
      via: 'Inline',
      href: inlineHref('users', UserName, name),
      remove,
    });
  }
  for (const group of groups) {
    for (const { name, arn } of await iam.policiesOfGroup(group.name)) {
      rows.push({
        name,
        arn,
        type: typeOf(arn),
        via: `Group ${group.name}`,
        href: policyHref(arn),
      });
    }
    for (const name of await iam.inlineOfGroup(group.name)) {
      const href = inlineHref('groups', group.name, name);
      rows.push({ name, type: 'Customer inline', via: `Group ${group.name}`, href });
    }
  }
  return rows;
}

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    header: 'Policy name',
    by: ({ name }) => name,
    cell: ({ name, href }) => <Link to={href}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', by: ({ type }) => type, cell: ({ type }) => type },
  { id: 'via', header: 'Attached via', by: ({ via }) => via, cell: ({ via }) => via },
];

export function UserPermissions({ user }: { user: iam.User }) {
  const { name } = user;
  const navigate = useNavigate();
  const { done } = useFrame();
  const rows = useQuery({
    queryKey: ['user', name, 'permissions'],
    queryFn: () => permissionsOf(name),
  });
  const [selected, select] = useState<Row[]>([]);
  const [open, setOpen] = useState<'add' | 'remove' | 'boundary'>();
  const [chosen, choose] = useState<iam.Policy[]>([]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    userChanged(name);
    changed(['policies']);
    done(said);
  };
  const start = (what: typeof open) => (): void => {
    choose([]);
    setOpen(what);
  };
  const attachAll = async (): Promise<void> => {
    for (const { arn } of chosen)
      await call('iam', 'AttachUserPolicy', { UserName: name, PolicyArn: arn });
  };
  const bound = (): Promise<unknown> => {
    const [policy] = chosen;
    if (policy)
      return call('iam', 'PutUserPermissionsBoundary', {
        UserName: name,
        PermissionsBoundary: policy.arn,
      });
    return call('iam', 'DeleteUserPermissionsBoundary', { UserName: name });
  };
  return (
    <SpaceBetween size="l">
      <List<Row>
        title="Permissions policies"
        items={rows.data}
        columns={COLUMNS}
        rowId={({ name: policy, via }) => `${policy} ${via}`}
        loading={rows.isPending}
        error={rows.error}
        reload={() => userChanged(name)}
        selection="multi"
        selectable={({ remove }) => remove !== undefined}
        selected={selected}
        select={select}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={selected.length === 0} onClick={start('remove')}>
              Remove
            </Button>
            <Button onClick={() => void navigate(inlineHref('users', name))}>
              Create inline policy
            </Button>
            <Button variant="primary" onClick={start('add')}>
              Add permissions
            </Button>
          </SpaceBetween>
        }
      />
      <ExpandableSection
        variant="container"
        headerText={`Permissions boundary (${user.boundary ? 'set' : 'not set'})`}
        headerActions={
          <Button onClick={start('boundary')}>
            {user.boundary ? 'Change boundary' : 'Set boundary'}
          </Button>
        }
      >
        {user.boundary ?? 'The boundary is the most that the policies of this user can allow.'}
      </ExpandableSection>
      {open === 'remove' && (
        <Confirm
          title="Remove permissions?"
          verb="Remove"
          onDismiss={close()}
          done={close('Permissions removed')}
          act={async () => {
            for (const row of selected) await row.remove?.(name);
          }}
        >
          {selected.map(({ name: policy }) => policy).join(', ')}
        </Confirm>
      )}
      {open === 'add' && (
        <Pick
          title="Add permissions"
          verb="Add permissions"
          dismiss={close()}
          act={attachAll}
          done={close('Permissions added')}
        >
          <PolicyPicker
            selected={chosen}
            select={choose}
            except={rows.data?.flatMap(({ arn, remove }) => (arn && remove ? [arn] : [])) ?? []}
          />
        </Pick>
      )}
      {open === 'boundary' && (
        <Pick
          title="Permissions boundary"
          verb="Save"
          dismiss={close()}
          act={bound}
          done={close('Permissions boundary saved')}
        >
          <Box>
            Choose the policy that is the boundary; with none chosen the boundary is removed.
          </Box>
          <PolicyPicker single selected={chosen} select={choose} />
        </Pick>
      )}
    </SpaceBetween>
  );
}

const GROUPS: Column<iam.Group>[] = [
  {
    id: 'name',
    header: 'Group name',
    by: ({ name }) => name,
    cell: ({ name }) => name,
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
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
              Remove
            </Button>
            <Button variant="primary" onClick={() => setOpen('add')}>
              Add user to groups
            </Button>
          </SpaceBetween>
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
