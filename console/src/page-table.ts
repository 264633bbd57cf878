// Every page of the console, one row each: its address, title, place in the navigation and in the
// breadcrumbs, the operations without which it is not offered, and its component.
import { lazy, type ComponentType } from 'react';

import type { OperationName } from './api/operation-name';
import { providerName } from './lib/trust-policy';

/** The sections of the navigation, in order. */
export const SECTIONS = ['Access management', 'Key rotation', 'Access reports', 'S3'] as const;

/** The values of a page's address, from its path and its query. */
export type PageParameters = Readonly<Record<string, string | undefined>>;

export interface Page {
  path: string;
  title: string | ((parameters: PageParameters) => string);
  /** Its name in the breadcrumbs, if it is another one. */
  crumb?: string;
  /** The path of the page above it in the breadcrumbs. */
  parent?: string;
  /** Where the navigation lists it; absent: nowhere. */
  section?: (typeof SECTIONS)[number];
  /** The query parameter without which the address is incomplete. */
  query?: string;
  operations: readonly OperationName[];
  component: ComponentType;
}

const page = <K extends string>(load: () => Promise<Record<K, ComponentType>>, name: K) =>
  lazy(async () => ({ default: (await load())[name] }));

const byName = ({ name = '' }: PageParameters): string => name;

export const PAGES: readonly Page[] = [
  {
    path: '/iam',
    title: 'Dashboard',
    crumb: 'IAM',
    operations: [],
    component: page(() => import('./pages/iam/dashboard'), 'DashboardPage'),
  },
  {
    path: '/iam/users',
    title: 'IAM users',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListUsers'],
    component: page(() => import('./pages/iam/users'), 'UsersPage'),
  },
  {
    path: '/iam/users/create',
    title: 'Create user',
    parent: '/iam/users',
    operations: ['CreateUser'],
    component: page(() => import('./pages/iam/create-user'), 'CreateUserPage'),
  },
  {
    path: '/iam/users/:name',
    title: byName,
    parent: '/iam/users',
    operations: ['GetUser'],
    component: page(() => import('./pages/iam/user'), 'UserPage'),
  },
  {
    path: '/iam/users/:name/keys/create',
    title: 'Create access key',
    parent: '/iam/users/:name',
    operations: ['CreateAccessKey'],
    component: page(() => import('./pages/iam/create-key'), 'CreateKeyPage'),
  },
  {
    path: '/iam/users/:name/keys/rotate',
    title: 'Rotate access key',
    parent: '/iam/users/:name',
    operations: ['StartRotation'],
    component: page(() => import('./pages/rotation/start'), 'StartRotationPage'),
  },
  {
    path: '/iam/users/:name/mfa/assign',
    title: 'Assign MFA device',
    parent: '/iam/users/:name',
    operations: ['EnableMFADevice'],
    component: page(() => import('./pages/iam/mfa'), 'AssignMfaPage'),
  },
  {
    path: '/iam/users/:name/inline',
    title: ({ policy }) => policy ?? 'Create inline policy',
    parent: '/iam/users/:name',
    operations: ['PutUserPolicy'],
    component: page(() => import('./pages/iam/inline-policy'), 'UserInlinePolicyPage'),
  },
  {
    path: '/iam/keys',
    title: 'Access keys',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListUsers', 'ListAccessKeys'],
    component: page(() => import('./pages/iam/account-keys'), 'AccountKeysPage'),
  },
  {
    path: '/iam/groups',
    title: 'IAM user groups',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListGroups'],
    component: page(() => import('./pages/iam/groups'), 'GroupsPage'),
  },
  {
    path: '/iam/groups/:name',
    title: byName,
    parent: '/iam/groups',
    operations: ['GetGroup'],
    component: page(() => import('./pages/iam/group'), 'GroupPage'),
  },
  {
    path: '/iam/groups/:name/inline',
    title: ({ policy }) => policy ?? 'Create inline policy',
    parent: '/iam/groups/:name',
    operations: ['PutGroupPolicy'],
    component: page(() => import('./pages/iam/inline-policy'), 'GroupInlinePolicyPage'),
  },
  {
    path: '/iam/roles',
    title: 'Roles',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListRoles'],
    component: page(() => import('./pages/iam/roles'), 'RolesPage'),
  },
  {
    path: '/iam/roles/create',
    title: 'Create role',
    parent: '/iam/roles',
    operations: ['CreateRole'],
    component: page(() => import('./pages/iam/create-role'), 'CreateRolePage'),
  },
  {
    path: '/iam/roles/:name',
    title: byName,
    parent: '/iam/roles',
    operations: ['GetRole'],
    component: page(() => import('./pages/iam/role'), 'RolePage'),
  },
  {
    path: '/iam/roles/:name/trust',
    title: 'Edit trust policy',
    parent: '/iam/roles/:name',
    operations: ['UpdateAssumeRolePolicy'],
    component: page(() => import('./pages/iam/edit-trust'), 'EditTrustPolicyPage'),
  },
  {
    path: '/iam/roles/:name/inline',
    title: ({ policy }) => policy ?? 'Create inline policy',
    parent: '/iam/roles/:name',
    operations: ['PutRolePolicy'],
    component: page(() => import('./pages/iam/inline-policy'), 'RoleInlinePolicyPage'),
  },
  {
    path: '/iam/policies',
    title: 'Policies',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListPolicies'],
    component: page(() => import('./pages/iam/policies'), 'PoliciesPage'),
  },
  {
    path: '/iam/policies/create',
    title: 'Create policy',
    parent: '/iam/policies',
    operations: ['CreatePolicy'],
    component: page(() => import('./pages/iam/create-policy'), 'CreatePolicyPage'),
  },
  {
    path: '/iam/policy',
    title: ({ arn }) => arn?.split('/').pop() ?? 'Policy',
    parent: '/iam/policies',
    query: 'arn',
    operations: ['GetPolicy'],
    component: page(() => import('./pages/iam/policy'), 'PolicyPage'),
  },
  {
    path: '/iam/policy/edit',
    title: 'Edit policy',
    parent: '/iam/policy',
    query: 'arn',
    operations: ['CreatePolicyVersion'],
    component: page(() => import('./pages/iam/edit-policy'), 'EditPolicyPage'),
  },
  {
    path: '/iam/providers',
    title: 'Identity providers',
    parent: '/iam',
    section: 'Access management',
    operations: ['ListOpenIDConnectProviders', 'ListSAMLProviders'],
    component: page(() => import('./pages/iam/providers'), 'ProvidersPage'),
  },
  {
    path: '/iam/providers/create',
    title: 'Add identity provider',
    parent: '/iam/providers',
    operations: ['CreateOpenIDConnectProvider', 'CreateSAMLProvider'],
    component: page(() => import('./pages/iam/create-provider'), 'CreateProviderPage'),
  },
  {
    path: '/iam/provider',
    title: ({ arn }) => (arn ? providerName(arn) : 'Identity provider'),
    parent: '/iam/providers',
    query: 'arn',
    operations: ['GetOpenIDConnectProvider', 'GetSAMLProvider'],
    component: page(() => import('./pages/iam/provider'), 'ProviderPage'),
  },
  {
    path: '/iam/account',
    title: 'Account settings',
    parent: '/iam',
    section: 'Access management',
    operations: ['GetAccountPasswordPolicy'],
    component: page(() => import('./pages/iam/account'), 'AccountSettingsPage'),
  },
  {
    path: '/rotations',
    title: 'Rotations',
    parent: '/iam',
    section: 'Key rotation',
    operations: ['ListRotations'],
    component: page(() => import('./pages/rotation/rotations'), 'RotationsPage'),
  },
  {
    path: '/rotations/:name',
    title: byName,
    parent: '/rotations',
    operations: ['GetRotation'],
    component: page(() => import('./pages/rotation/rotation'), 'RotationPage'),
  },
  {
    path: '/rotation-policies',
    title: 'Rotation policies',
    parent: '/iam',
    section: 'Key rotation',
    operations: ['ListRotationPolicies'],
    component: page(() => import('./pages/rotation/policies'), 'RotationPoliciesPage'),
  },
  {
    path: '/rotation-policies/create',
    title: 'Create rotation policy',
    parent: '/rotation-policies',
    operations: ['PutRotationPolicy'],
    component: page(() => import('./pages/rotation/policy-form'), 'CreateRotationPolicyPage'),
  },
  {
    path: '/rotation-policies/edit',
    title: byName,
    parent: '/rotation-policies',
    query: 'name',
    operations: ['PutRotationPolicy'],
    component: page(() => import('./pages/rotation/policy-form'), 'EditRotationPolicyPage'),
  },
  {
    path: '/iam/report',
    title: 'Credential report',
    parent: '/iam',
    section: 'Access reports',
    operations: ['GetCredentialReport'],
    component: page(() => import('./pages/iam/report'), 'ReportPage'),
  },
  {
    path: '/denied',
    title: 'Denied requests',
    parent: '/iam',
    section: 'Access reports',
    operations: ['ListDeniedRequests'],
    component: page(() => import('./pages/iam/denied'), 'DeniedRequestsPage'),
  },
  {
    path: '/denied/:id',
    title: 'Denied request',
    parent: '/denied',
    operations: ['ExplainDeniedRequest'],
    component: page(() => import('./pages/iam/denied'), 'DeniedRequestPage'),
  },
  {
    path: '/iam/simulator',
    title: 'Policy simulator',
    parent: '/iam',
    section: 'Access reports',
    operations: ['SimulateCustomPolicy'],
    component: page(() => import('./pages/iam/simulator'), 'SimulatorPage'),
  },
  {
    path: '/security-credentials',
    title: 'My security credentials',
    parent: '/iam',
    operations: [],
    component: page(() => import('./pages/iam/security-credentials'), 'SecurityCredentialsPage'),
  },
  {
    path: '/security-credentials/keys/create',
    title: 'Create access key',
    parent: '/security-credentials',
    operations: ['CreateAccessKey'],
    component: page(() => import('./pages/iam/create-key'), 'CreateRootKeyPage'),
  },
  {
    path: '/security-credentials/mfa/assign',
    title: 'Assign MFA device',
    parent: '/security-credentials',
    operations: ['EnableMFADevice'],
    component: page(() => import('./pages/iam/mfa'), 'AssignMfaPage'),
  },
  {
    path: '/switch-role',
    title: 'Switch role',
    parent: '/iam',
    operations: ['AssumeRole'],
    component: page(() => import('./pages/switch-role'), 'SwitchRolePage'),
  },
  {
    path: '/s3',
    title: 'Buckets',
    section: 'S3',
    operations: ['ListBuckets'],
    component: page(() => import('./pages/s3/buckets'), 'BucketsPage'),
  },
  {
    path: '/s3/create',
    title: 'Create bucket',
    parent: '/s3',
    operations: ['CreateBucket'],
    component: page(() => import('./pages/s3/create-bucket'), 'CreateBucketPage'),
  },
  {
    path: '/s3/buckets/:name',
    title: byName,
    parent: '/s3',
    operations: ['ListObjectsV2'],
    component: page(() => import('./pages/s3/bucket'), 'BucketPage'),
  },
];
