// The choice of permissions: groups, a user to copy from, or policies; and the boundary.
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import Header from '@cloudscape-design/components/header';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import { useState, type ReactNode } from 'react';

import { call } from '../../api/client';
import { AddUserToGroup, AttachUserPolicy, PutUserPolicy } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { List, type Column } from '../../frame/list';
import { fullDate } from '../../lib/age';
import { invalidate, useGroups, usePolicies, useUsers } from './queries';

type PolicyType = 'AWS managed' | 'AWS managed - job function' | 'Customer managed';

/** The type of a managed policy, by its ARN. */
export function policyType(arn: string): PolicyType {
  if (arn.startsWith('arn:aws:iam::aws:policy/job-function/')) return 'AWS managed - job function';
  return arn.startsWith('arn:aws:iam::aws:') ? 'AWS managed' : 'Customer managed';
}

/** The page of a managed policy. */
export const policyHref = (arn: string): string => `/iam/policy?arn=${encodeURIComponent(arn)}`;

/** The page of an inline policy, or of one to be created. */
export function inlineHref(owner: iam.PolicyOwner, policy?: string): string {
  const query = policy === undefined ? '' : `?policy=${encodeURIComponent(policy)}`;
  return `${ownerHref(owner)}/inline${query}`;
}

/** The page of a role. */
export const roleHref = (name: string): string => `/iam/roles/${encodeURIComponent(name)}`;

/** The page of a user, group or role. */
export const ownerHref = (owner: iam.PolicyOwner): string =>
  iam.forOwner(
    owner,
    ({ UserName }) => `/iam/users/${encodeURIComponent(UserName)}`,
    ({ GroupName }) => `/iam/groups/${encodeURIComponent(GroupName)}`,
    ({ RoleName }) => roleHref(RoleName),
  );

/** The types of managed policies to filter by. */
export const TYPE_FILTERS = [
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
    value: ({ PolicyName }) => PolicyName,
    cell: ({ PolicyName }) => PolicyName,
    isRowHeader: true,
  },
  {
    id: 'type',
    header: 'Type',
    value: ({ Arn }) => policyType(Arn),
    cell: ({ Arn }) => policyType(Arn),
  },
  {
    id: 'attached',
    header: 'Attached entities',
    value: ({ AttachmentCount = 0 }) => AttachmentCount,
    cell: ({ AttachmentCount = 0 }) => AttachmentCount,
  },
];

/** A table to select managed policies. */
export function PolicyPicker(props: {
  selected: iam.Policy[];
  onSelect: (policies: iam.Policy[]) => void;
  single?: boolean;
  except?: readonly string[];
  title?: string;
}) {
  const policies = usePolicies();
  const [type, setType] = useState('All types');
  const items = policies.data?.filter(
    ({ Arn }) => !props.except?.includes(Arn) && (type === 'All types' || policyType(Arn) === type),
  );
  return (
    <List
      title={props.title ?? 'Permissions policies'}
      empty="No policies"
      items={items}
      columns={POLICY_COLUMNS}
      rowId={({ Arn }) => Arn}
      loading={policies.isPending}
      error={policies.error}
      reload={() => invalidate(['policies'])}
      selection={props.single ? 'single' : 'multi'}
      selected={props.selected}
      onSelect={props.onSelect}
      filter={
        <Select
          selectedOption={{ label: type, value: type }}
          options={TYPE_FILTERS}
          ariaLabel="Filter by type"
          onChange={({ detail }) => setType(detail.selectedOption.value ?? 'All types')}
        />
      }
    />
  );
}

const GROUP_COLUMNS: Column<iam.Group>[] = [
  {
    id: 'name',
    header: 'Group name',
    value: ({ GroupName }) => GroupName,
    cell: ({ GroupName }) => GroupName,
    isRowHeader: true,
  },
  { id: 'path', header: 'Path', value: ({ Path }) => Path, cell: ({ Path }) => Path },
  {
    id: 'created',
    header: 'Created',
    value: ({ CreateDate }) => CreateDate,
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
];

/** A table to select groups. */
export function GroupPicker(props: {
  selected: iam.Group[];
  onSelect: (groups: iam.Group[]) => void;
  except?: readonly string[];
  actions?: ReactNode;
}) {
  const groups = useGroups();
  return (
    <List
      title="User groups"
      empty="No groups"
      items={groups.data?.filter(({ GroupName }) => !props.except?.includes(GroupName))}
      columns={GROUP_COLUMNS}
      rowId={({ GroupName }) => GroupName}
      loading={groups.isPending}
      error={groups.error}
      reload={() => invalidate(['groups'])}
      selection="multi"
      selected={props.selected}
      onSelect={props.onSelect}
      actions={props.actions}
    />
  );
}

export interface PermissionsChoice extends Boundary {
  method: 'group' | 'copy' | 'attach';
  groups: iam.Group[];
  copyFrom: iam.User[];
  policies: iam.Policy[];
}

export const NO_PERMISSIONS: PermissionsChoice = {
  method: 'group',
  groups: [],
  copyFrom: [],
  policies: [],
  hasBoundary: false,
  boundary: [],
};

const USER_COLUMNS: Column<iam.User>[] = [
  {
    id: 'name',
    header: 'User name',
    value: ({ UserName }) => UserName,
    cell: ({ UserName }) => UserName,
    isRowHeader: true,
  },
  {
    id: 'created',
    header: 'Created',
    value: ({ CreateDate }) => CreateDate,
    cell: ({ CreateDate }) => fullDate(CreateDate),
  },
];

/** A table to select users. */
export function UserPicker(props: {
  selected: iam.User[];
  onSelect: (users: iam.User[]) => void;
  single?: boolean;
  except?: readonly string[];
  title?: string;
}) {
  const users = useUsers();
  const except = new Set(props.except);
  return (
    <List
      title={props.title ?? 'Users'}
      empty="No users"
      items={users.data?.filter(({ UserName }) => !except.has(UserName))}
      columns={USER_COLUMNS}
      rowId={({ UserName }) => UserName}
      loading={users.isPending}
      error={users.error}
      reload={() => invalidate(['users'])}
      selection={props.single ? 'single' : 'multi'}
      selected={props.selected}
      onSelect={props.onSelect}
    />
  );
}

/** The wizard's step "Set permissions". */
export function Permissions(props: {
  choice: PermissionsChoice;
  set: (choice: PermissionsChoice) => void;
  groupActions?: ReactNode;
}) {
  const { choice, set } = props;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Permissions options</Header>}>
        <Tiles
          value={choice.method}
          ariaLabel="Permissions options"
          onChange={({ detail }) =>
            set({ ...choice, method: detail.value as PermissionsChoice['method'] })
          }
          items={[
            {
              value: 'group',
              label: 'Add user to group',
              description:
                'Add user to an existing group, or create a new group. We recommend using groups to manage permissions by job function.',
            },
            {
              value: 'copy',
              label: 'Copy permissions',
              description:
                'Copy all group memberships, attached managed policies, and inline policies from an existing user.',
            },
            {
              value: 'attach',
              label: 'Attach policies directly',
              description: 'Attach a managed policy directly to the user.',
            },
          ]}
        />
      </Container>
      {choice.method === 'group' && (
        <GroupPicker
          selected={choice.groups}
          onSelect={(groups) => set({ ...choice, groups })}
          actions={props.groupActions}
        />
      )}
      {choice.method === 'copy' && (
        <UserPicker
          single
          selected={choice.copyFrom}
          onSelect={(copyFrom) => set({ ...choice, copyFrom })}
        />
      )}
      {choice.method === 'attach' && (
        <PolicyPicker
          selected={choice.policies}
          onSelect={(policies) => set({ ...choice, policies })}
        />
      )}
      <BoundaryChoice choice={choice} set={(boundary) => set({ ...choice, ...boundary })} />
    </SpaceBetween>
  );
}

/** The policy that is to be the boundary, if one is used. */
export interface Boundary {
  hasBoundary: boolean;
  boundary: iam.Policy[];
}

/** The part of a wizard's step that sets the permissions boundary. */
export function BoundaryChoice({
  choice: { hasBoundary, boundary },
  set,
}: {
  choice: Boundary;
  set: (boundary: Boundary) => void;
}) {
  return (
    <ExpandableSection variant="container" headerText="Set permissions boundary – optional">
      <SpaceBetween size="m">
        <Checkbox
          checked={hasBoundary}
          onChange={({ detail }) => set({ hasBoundary: detail.checked, boundary: [] })}
        >
          Use a permissions boundary to control the maximum permissions
        </Checkbox>
        {hasBoundary && (
          <PolicyPicker
            single
            title="Boundary"
            selected={boundary}
            onSelect={(selected) => set({ hasBoundary, boundary: selected })}
          />
        )}
      </SpaceBetween>
    </ExpandableSection>
  );
}

/** What a choice results in, for the review and to apply it. */
export interface Grant {
  name: string;
  type: string;
  usedAs: string;
  apply: (UserName: string) => Promise<unknown>;
}

export const attachGrant = (name: string, PolicyArn: string): Grant => ({
  name,
  type: policyType(PolicyArn),
  usedAs: 'Permissions policy',
  apply: (UserName) => call(AttachUserPolicy, { UserName, PolicyArn }),
});

const groupGrant = ({ GroupName }: iam.Group): Grant => ({
  name: GroupName,
  type: 'Group',
  usedAs: 'Permissions group',
  apply: (UserName) => call(AddUserToGroup, { UserName, GroupName }),
});

/** The grants of a choice; what is copied is read when this is called. */
export async function grantsOf(choice: PermissionsChoice): Promise<Grant[]> {
  if (choice.method === 'group') return choice.groups.map(groupGrant);
  if (choice.method === 'attach')
    return choice.policies.map(({ PolicyName, Arn }) => attachGrant(PolicyName, Arn));
  const from = choice.copyFrom[0]?.UserName;
  if (!from) return [];
  const [groups, policies, inline] = await Promise.all([
    iam.listUserGroups(from),
    iam.listAttachedPolicies({ UserName: from }),
    iam.listInlinePolicies({ UserName: from }),
  ]);
  const inlineGrants = inline.map((PolicyName): Grant => ({
    name: PolicyName,
    type: 'Customer inline',
    usedAs: 'Permissions policy',
    apply: async (UserName) => {
      const PolicyDocument = await iam.inlinePolicyDocument({ UserName: from }, PolicyName);
      return call(PutUserPolicy, { UserName, PolicyName, PolicyDocument });
    },
  }));
  return [
    ...groups.map(groupGrant),
    ...policies.map(({ PolicyName, PolicyArn }) => attachGrant(PolicyName, PolicyArn)),
    ...inlineGrants,
  ];
}
