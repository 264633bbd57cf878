// Choosing permissions: groups, a user to copy from, or policies; and the boundary.
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import Header from '@cloudscape-design/components/header';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import { useState, type ReactNode } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { List, type Column } from '../../frame/list';
import { full } from '../../lib/age';
import { changed, useGroups, usePolicies, useUsers } from './queries';

export type PolicyType = 'AWS managed' | 'AWS managed - job function' | 'Customer managed';

/** The kind of a managed policy, by its ARN. */
export function typeOf(arn: string): PolicyType {
  if (arn.startsWith('arn:aws:iam::aws:policy/job-function/')) return 'AWS managed - job function';
  return arn.startsWith('arn:aws:iam::aws:') ? 'AWS managed' : 'Customer managed';
}

/** The page of a managed policy. */
export const policyHref = (arn: string): string => `/iam/policy?arn=${encodeURIComponent(arn)}`;

/** The page of an inline policy, or of one to be written. */
export function inlineHref(of: 'users' | 'groups', owner: string, policy?: string): string {
  const query = policy === undefined ? '' : `?policy=${encodeURIComponent(policy)}`;
  return `/iam/${of}/${encodeURIComponent(owner)}/inline${query}`;
}

/** The kinds of managed policies to filter by. */
export const KINDS = [
  'All types',
  'AWS managed',
  'AWS managed - job function',
  'Customer managed',
].map((value) => ({
  label: value,
  value,
}));

const POLICY_COLUMNS: Column<iam.Policy>[] = [
  {
    id: 'name',
    header: 'Policy name',
    by: ({ name }) => name,
    cell: ({ name }) => name,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', by: ({ arn }) => typeOf(arn), cell: ({ arn }) => typeOf(arn) },
  {
    id: 'attached',
    header: 'Attached entities',
    by: ({ attachments }) => attachments,
    cell: ({ attachments }) => attachments,
  },
];

/** The table of managed policies to choose from. */
export function PolicyPicker(props: {
  selected: iam.Policy[];
  select: (policies: iam.Policy[]) => void;
  single?: boolean;
  except?: readonly string[];
  title?: string;
}) {
  const policies = usePolicies();
  const [kind, setKind] = useState('All types');
  const items = policies.data?.filter(
    ({ arn }) => !props.except?.includes(arn) && (kind === 'All types' || typeOf(arn) === kind),
  );
  return (
    <List
      title={props.title ?? 'Permissions policies'}
      items={items}
      columns={POLICY_COLUMNS}
      rowId={({ arn }) => arn}
      loading={policies.isPending}
      error={policies.error}
      reload={() => changed(['policies'])}
      selection={props.single ? 'single' : 'multi'}
      selected={props.selected}
      select={props.select}
      filter={
        <Select
          selectedOption={{ label: kind, value: kind }}
          options={KINDS}
          ariaLabel="Filter by type"
          onChange={({ detail }) => setKind(detail.selectedOption.value ?? 'All types')}
        />
      }
    />
  );
}

const GROUP_COLUMNS: Column<iam.Group>[] = [
  {
    id: 'name',
    header: 'Group name',
    by: ({ name }) => name,
    cell: ({ name }) => name,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', by: ({ path }) => path, cell: ({ path }) => path },
  {
    id: 'created',
    header: 'Created',
    by: ({ created }) => created,
    cell: ({ created }) => full(created),
  },
];

/** The table of groups to choose from. */
export function GroupPicker(props: {
  selected: iam.Group[];
  select: (groups: iam.Group[]) => void;
  except?: readonly string[];
  actions?: ReactNode;
}) {
  const groups = useGroups();
  return (
    <List
      title="User groups"
      items={groups.data?.filter(({ name }) => !props.except?.includes(name))}
      columns={GROUP_COLUMNS}
      rowId={({ name }) => name}
      loading={groups.isPending}
      error={groups.error}
      reload={() => changed(['groups'])}
      selection="multi"
      selected={props.selected}
      select={props.select}
      actions={props.actions}
    />
  );
}

export interface Choice {
  how: 'group' | 'copy' | 'attach';
  groups: iam.Group[];
  from: iam.User[];
  policies: iam.Policy[];
  bounded: boolean;
  boundary: iam.Policy[];
}

export const NOTHING: Choice = {
  how: 'group',
  groups: [],
  from: [],
  policies: [],
  bounded: false,
  boundary: [],
};

const USER_COLUMNS: Column<iam.User>[] = [
  {
    id: 'name',
    header: 'User name',
    by: ({ name }) => name,
    cell: ({ name }) => name,
    isRowHeader: true,
  },
  {
    id: 'created',
    header: 'Created',
    by: ({ created }) => created,
    cell: ({ created }) => full(created),
  },
];

/** The table of users to choose from. */
export function UserPicker(props: {
  selected: iam.User[];
  select: (users: iam.User[]) => void;
  single?: boolean;
  except?: readonly string[];
  title?: string;
}) {
  const users = useUsers();
  const except = new Set(props.except);
  return (
    <List
      title={props.title ?? 'Users'}
      items={users.data?.filter(({ name }) => !except.has(name))}
      columns={USER_COLUMNS}
      rowId={({ name }) => name}
      loading={users.isPending}
      error={users.error}
      reload={() => changed(['users'])}
      selection={props.single ? 'single' : 'multi'}
      selected={props.selected}
      select={props.select}
    />
  );
}

/** The wizard's step "Set permissions". */
export function Permissions(props: {
  choice: Choice;
  set: (choice: Choice) => void;
  groupActions?: ReactNode;
}) {
  const { choice, set } = props;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Permissions options</Header>}>
        <Tiles
          value={choice.how}
          ariaLabel="Permissions options"
          onChange={({ detail }) => set({ ...choice, how: detail.value as Choice['how'] })}
          items={[
            {
              value: 'group',
              label: 'Add user to group',
              description: 'Permissions by job function, managed in one place.',
            },
            {
              value: 'copy',
              label: 'Copy permissions',
              description: 'Copy group memberships, attached and inline policies of a user.',
            },
            {
              value: 'attach',
              label: 'Attach policies directly',
              description: 'Attach managed policies to the user itself.',
            },
          ]}
        />
      </Container>
      {choice.how === 'group' && (
        <GroupPicker
          selected={choice.groups}
          select={(groups) => set({ ...choice, groups })}
          actions={props.groupActions}
        />
      )}
      {choice.how === 'copy' && (
        <UserPicker single selected={choice.from} select={(from) => set({ ...choice, from })} />
      )}
      {choice.how === 'attach' && (
        <PolicyPicker
          selected={choice.policies}
          select={(policies) => set({ ...choice, policies })}
        />
      )}
      <ExpandableSection variant="container" headerText="Set permissions boundary – optional">
        <SpaceBetween size="m">
          <Checkbox
            checked={choice.bounded}
            onChange={({ detail }) => set({ ...choice, bounded: detail.checked, boundary: [] })}
          >
            Use a permissions boundary to control the maximum permissions
          </Checkbox>
          {choice.bounded && (
            <PolicyPicker
              single
              title="Boundary"
              selected={choice.boundary}
              select={(boundary) => set({ ...choice, boundary })}
            />
          )}
        </SpaceBetween>
      </ExpandableSection>
    </SpaceBetween>
  );
}

/** What a choice comes to, for the review and for doing it. */
export interface Grant {
  name: string;
  type: string;
  usedAs: string;
  give: (UserName: string) => Promise<unknown>;
}

export const attach = (name: string, PolicyArn: string): Grant => ({
  name,
  type: typeOf(PolicyArn),
  usedAs: 'Permissions policy',
  give: (UserName) => call('iam', 'AttachUserPolicy', { UserName, PolicyArn }),
});

const join = ({ name }: iam.Group): Grant => ({
  name,
  type: 'Group',
  usedAs: 'Permissions group',
  give: (UserName) => call('iam', 'AddUserToGroup', { UserName, GroupName: name }),
});

/** The grants of a choice; what is copied is read now. */
export async function grants(choice: Choice): Promise<Grant[]> {
  if (choice.how === 'group') return choice.groups.map(join);
  if (choice.how === 'attach') return choice.policies.map(({ name, arn }) => attach(name, arn));
  const from = choice.from[0]?.name;
  if (!from) return [];
  const [groups, policies, inline] = await Promise.all([
    iam.groupsOf(from),
    iam.policiesOfUser(from),
    iam.inlineOfUser(from),
  ]);
  const written = inline.map((PolicyName): Grant => ({
    name: PolicyName,
    type: 'Customer inline',
    usedAs: 'Permissions policy',
    give: async (UserName) => {
      const PolicyDocument = await iam.inlineText({ UserName: from }, PolicyName);
      return call('iam', 'PutUserPolicy', { UserName, PolicyName, PolicyDocument });
    },
  }));
  return [...groups.map(join), ...policies.map(({ name, arn }) => attach(name, arn)), ...written];
}
