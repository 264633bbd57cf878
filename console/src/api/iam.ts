// IAM as the pages read it: one function for each listing, shapes with the wire's meaning.
import { call, pages } from './client';
import type { Xml } from './xml';

export interface Tag {
  key: string;
  value: string;
}
export interface User {
  name: string;
  path: string;
  arn: string;
  id: string;
  created: string;
  passwordLastUsed?: string | undefined;
  boundary?: string | undefined;
  tags: Tag[];
}
export interface AccessKey {
  id: string;
  active: boolean;
  created: string;
}
export interface KeyUse {
  date?: string | undefined;
  region: string;
  service: string;
}
export interface Group {
  name: string;
  path: string;
  arn: string;
  created: string;
}
export interface Attached {
  name: string;
  arn: string;
}
export interface Policy {
  name: string;
  arn: string;
  path: string;
  attachments: number;
  boundaries: number;
  version: string;
  description: string;
  created: string;
  updated: string;
  tags: Tag[];
}
export interface Version {
  id: string;
  current: boolean;
  created: string;
}

const must = (node: Xml, name: string): string => node.text(name) ?? '';
const tags = (node: Xml): Tag[] =>
  node.list('Tags').map((tag) => ({ key: must(tag, 'Key'), value: must(tag, 'Value') }));

const user = (node: Xml): User => ({
  name: must(node, 'UserName'),
  path: must(node, 'Path'),
  arn: must(node, 'Arn'),
  id: must(node, 'UserId'),
  created: must(node, 'CreateDate'),
  passwordLastUsed: node.text('PasswordLastUsed'),
  boundary: node.child('PermissionsBoundary')?.text('PermissionsBoundaryArn'),
  tags: tags(node),
});
const group = (node: Xml): Group => ({
  name: must(node, 'GroupName'),
  path: must(node, 'Path'),
  arn: must(node, 'Arn'),
  created: must(node, 'CreateDate'),
});
const attached = (node: Xml): Attached => ({
  name: must(node, 'PolicyName'),
  arn: must(node, 'PolicyArn'),
});
const policy = (node: Xml): Policy => ({
  name: must(node, 'PolicyName'),
  arn: must(node, 'Arn'),
  path: must(node, 'Path'),
  attachments: Number(node.text('AttachmentCount') ?? 0),
  boundaries: Number(node.text('PermissionsBoundaryUsageCount') ?? 0),
  version: must(node, 'DefaultVersionId'),
  description: must(node, 'Description'),
  created: must(node, 'CreateDate'),
  updated: must(node, 'UpdateDate'),
  tags: tags(node),
});

const listed = <T>(
  action: string,
  parameters: Record<string, string>,
  list: string,
  read: (node: Xml) => T,
) => pages('iam', action, parameters, (page) => page.list(list).map(read));

export const listUsers = () => listed('ListUsers', {}, 'Users', user);
export const listGroups = () => listed('ListGroups', {}, 'Groups', group);
export const groupsOf = (UserName: string) =>
  listed('ListGroupsForUser', { UserName }, 'Groups', group);
export const policiesOfUser = (UserName: string) =>
  listed('ListAttachedUserPolicies', { UserName }, 'AttachedPolicies', attached);
export const policiesOfGroup = (GroupName: string) =>
  listed('ListAttachedGroupPolicies', { GroupName }, 'AttachedPolicies', attached);
export const inlineOfUser = (UserName: string) =>
  listed('ListUserPolicies', { UserName }, 'PolicyNames', (name) => name.value);
export const inlineOfGroup = (GroupName: string) =>
  listed('ListGroupPolicies', { GroupName }, 'PolicyNames', (name) => name.value);
export const listPolicies = () => listed('ListPolicies', { Scope: 'All' }, 'Policies', policy);
export const listVersions = (PolicyArn: string) =>
  listed('ListPolicyVersions', { PolicyArn }, 'Versions', (node): Version => ({
    id: must(node, 'VersionId'),
    current: node.text('IsDefaultVersion') === 'true',
    created: must(node, 'CreateDate'),
  }));
export const tagsOfUser = (UserName: string) =>
  listed(
    'ListUserTags',
    { UserName },
    'Tags',
    (tag): Tag => ({
      key: must(tag, 'Key'),
      value: must(tag, 'Value'),
    }),
  );
export const keysOf = (UserName?: string) =>
  listed(
    'ListAccessKeys',
    UserName ? { UserName } : {},
    'AccessKeyMetadata',
    (node): AccessKey => ({
      id: must(node, 'AccessKeyId'),
      active: node.text('Status') === 'Active',
      created: must(node, 'CreateDate'),
    }),
  );

export async function getUser(UserName: string): Promise<User> {
  const got = (await call('iam', 'GetUser', { UserName })).child('User');
  if (!got) throw new Error('GetUser answered no user.');
  return user(got);
}

export async function membersOf(GroupName: string): Promise<User[]> {
  return listed('GetGroup', { GroupName }, 'Users', user);
}

export async function getPolicy(PolicyArn: string): Promise<Policy> {
  const got = (await call('iam', 'GetPolicy', { PolicyArn })).child('Policy');
  if (!got) throw new Error('GetPolicy answered no policy.');
  return policy(got);
}

/** A version's text, as it was written. */
export async function versionText(PolicyArn: string, VersionId: string): Promise<string> {
  const got = await call('iam', 'GetPolicyVersion', { PolicyArn, VersionId });
  return decodeURIComponent(got.child('PolicyVersion')?.text('Document') ?? '');
}

/** Who an inline policy belongs to. */
export type Owner = { UserName: string } | { GroupName: string };

/** An inline policy's text, as it was written. */
export async function inlineText(owner: Owner, PolicyName: string): Promise<string> {
  const action = 'UserName' in owner ? 'GetUserPolicy' : 'GetGroupPolicy';
  const got = await call('iam', action, { ...owner, PolicyName });
  return decodeURIComponent(got.text('PolicyDocument') ?? '');
}

export const inlineOf = (owner: Owner): Promise<string[]> =>
  'UserName' in owner ? inlineOfUser(owner.UserName) : inlineOfGroup(owner.GroupName);

/** A user or group that a policy is attached to, or a user that it bounds. */
export interface Entity {
  name: string;
  type: 'User' | 'Group';
  boundary: boolean;
}

/** Everybody a managed policy is attached to or bounds. */
export async function entitiesOf(PolicyArn: string): Promise<Entity[]> {
  const used = (PolicyUsageFilter: string, boundary: boolean): Promise<Entity[]> =>
    pages('iam', 'ListEntitiesForPolicy', { PolicyArn, PolicyUsageFilter }, (page) => [
      ...page
        .list('PolicyUsers')
        .map((node): Entity => ({ name: must(node, 'UserName'), type: 'User', boundary })),
      ...page
        .list('PolicyGroups')
        .map((node): Entity => ({ name: must(node, 'GroupName'), type: 'Group', boundary })),
    ]);
  const [attached, bounded] = await Promise.all([
    used('PermissionsPolicy', false),
    used('PermissionsBoundary', true),
  ]);
  return [...attached, ...bounded];
}

export async function keyUse(AccessKeyId: string): Promise<KeyUse> {
  const got = await call('iam', 'GetAccessKeyLastUsed', { AccessKeyId });
  const used = got.child('AccessKeyLastUsed');
  return {
    date: used?.text('LastUsedDate'),
    region: used?.text('Region') ?? 'N/A',
    service: used?.text('ServiceName') ?? 'N/A',
  };
}

/** What is read, or null where the service says that there is none. */
async function unlessMissing<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'NoSuchEntity') return null;
    throw error;
  }
}

/** When the console password was made, or null where there is none. */
export async function loginProfile(
  UserName: string,
): Promise<{ created: string; mustChange: boolean } | null> {
  const answer = await unlessMissing(call('iam', 'GetLoginProfile', { UserName }));
  if (!answer) return null;
  const got = answer.child('LoginProfile');
  return {
    created: got?.text('CreateDate') ?? '',
    mustChange: got?.text('PasswordResetRequired') === 'true',
  };
}

/** What the account asks of passwords. */
export interface PasswordPolicy {
  length: number;
  upper: boolean;
  lower: boolean;
  digit: boolean;
  symbol: boolean;
  own: boolean;
  /** Days until a password expires. */
  expires?: number | undefined;
  hard: boolean;
  /** How many earlier passwords may not come back. */
  reuse?: number | undefined;
}

/** The account's own password policy, or null where IAM's default holds. */
export async function passwordPolicy(): Promise<PasswordPolicy | null> {
  const answer = await unlessMissing(call('iam', 'GetAccountPasswordPolicy'));
  if (!answer) return null;
  const got = answer.child('PasswordPolicy');
  const is = (name: string): boolean => got?.text(name) === 'true';
  const number = (name: string): number | undefined => {
    const value = got?.text(name);
    return value === undefined ? undefined : Number(value);
  };
  return {
    length: number('MinimumPasswordLength') ?? 6,
    upper: is('RequireUppercaseCharacters'),
    lower: is('RequireLowercaseCharacters'),
    digit: is('RequireNumbers'),
    symbol: is('RequireSymbols'),
    own: is('AllowUsersToChangePassword'),
    expires: number('MaxPasswordAge'),
    hard: is('HardExpiry'),
    reuse: number('PasswordReusePrevention'),
  };
}

/** The account's alias, or null where it has none. */
export async function alias(): Promise<string | null> {
  const got = await call('iam', 'ListAccountAliases');
  return got.list('AccountAliases')[0]?.value ?? null;
}

export async function summary(): Promise<Map<string, number>> {
  const got = await call('iam', 'GetAccountSummary');
  const entries = got.child('SummaryMap')?.all('entry') ?? [];
  return new Map(
    entries.map((entry) => [entry.text('key') ?? '', Number(entry.text('value') ?? 0)]),
  );
}

/** A row of the credential report, by the names of its columns. */
export type ReportRow = Readonly<Record<string, string>>;

/** The credential report as the service writes it. */
export async function reportText(): Promise<{ text: string; made: string }> {
  for (;;) {
    const state = (await call('iam', 'GenerateCredentialReport')).text('State');
    if (state === 'COMPLETE') break;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const got = await call('iam', 'GetCredentialReport');
  const bytes = Uint8Array.from(atob(got.text('Content') ?? ''), (char) => char.charCodeAt(0));
  return { text: new TextDecoder().decode(bytes), made: got.text('GeneratedTime') ?? '' };
}

export interface MfaDevice {
  SerialNumber: string;
  enabled: string;
}

export const devicesOf = (UserName?: string) =>
  listed(
    'ListMFADevices',
    UserName ? { UserName } : {},
    'MFADevices',
    (node): MfaDevice => ({
      SerialNumber: must(node, 'SerialNumber'),
      enabled: must(node, 'EnableDate'),
    }),
  );

/** The names of the users to whom an MFA device is assigned. */
export async function mfaUsers(): Promise<Set<string>> {
  const names = await listed(
    'ListVirtualMFADevices',
    { AssignmentStatus: 'Assigned' },
    'VirtualMFADevices',
    (node) => {
      const owner = node.child('User');
      return owner?.text('Arn')?.endsWith(':root') ? undefined : owner?.text('UserName');
    },
  );
  return new Set(names.filter((name) => name !== undefined));
}
