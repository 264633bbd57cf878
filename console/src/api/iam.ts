// Reads IAM as several pages need it. The shapes are the model's.
import { call, pages } from './client';
import {
  GenerateCredentialReport,
  GetAccountPasswordPolicy,
  GetAccountSummary,
  GetCredentialReport,
  GetGroup,
  GetGroupPolicy,
  GetLoginProfile,
  GetPolicy,
  GetPolicyVersion,
  GetRolePolicy,
  GetUser,
  GetUserPolicy,
  ListAccessKeys,
  ListAccountAliases,
  ListAttachedGroupPolicies,
  ListAttachedRolePolicies,
  ListAttachedUserPolicies,
  ListEntitiesForPolicy,
  ListGroupPolicies,
  ListGroups,
  ListGroupsForUser,
  ListMFADevices,
  ListPolicies,
  ListPolicyVersions,
  ListRolePolicies,
  ListUserPolicies,
  ListUserTags,
  ListUsers,
  ListVirtualMFADevices,
  type Group,
  type LoginProfile,
  type MFADevice,
  type PasswordPolicy,
  type PolicyUsageType,
  type Tag,
  type User,
} from './generated/iam';
import type * as model from './generated/iam';
import { mapConcurrently } from '../lib/concurrent';

export type { Group, LoginProfile, MFADevice, PasswordPolicy, Tag, User };

type Complete<T, K extends keyof T> = T & { [Member in K]-?: Exclude<T[Member], undefined> };

/** A value with members that the service always sends, although AWS's model has them optional. */
const complete =
  <T extends object, K extends keyof T>(...members: K[]) =>
  (value: T): Complete<T, K> => {
    for (const member of members) {
      if (value[member] === undefined) throw new Error(`The answer has no ${String(member)}.`);
    }
    return value as Complete<T, K>;
  };

const completeKey = complete<model.AccessKeyMetadata, 'AccessKeyId' | 'Status' | 'CreateDate'>(
  'AccessKeyId',
  'Status',
  'CreateDate',
);
const completeAttached = complete<model.AttachedPolicy, 'PolicyName' | 'PolicyArn'>(
  'PolicyName',
  'PolicyArn',
);
const completePolicy = complete<
  model.Policy,
  'PolicyName' | 'Arn' | 'DefaultVersionId' | 'CreateDate' | 'UpdateDate'
>('PolicyName', 'Arn', 'DefaultVersionId', 'CreateDate', 'UpdateDate');
const completeVersion = complete<model.PolicyVersion, 'VersionId' | 'CreateDate'>(
  'VersionId',
  'CreateDate',
);

export type AccessKey = ReturnType<typeof completeKey>;
type AttachedPolicy = ReturnType<typeof completeAttached>;
export type Policy = ReturnType<typeof completePolicy>;
export type PolicyVersion = ReturnType<typeof completeVersion>;

export const listUsers = () => pages(ListUsers, {}, (page) => page.Users);
export const listGroups = () => pages(ListGroups, {}, (page) => page.Groups);
export const listPolicies = async (): Promise<Policy[]> =>
  (await pages(ListPolicies, { Scope: 'All' }, (page) => page.Policies)).map(completePolicy);
export const listPolicyVersions = async (PolicyArn: string): Promise<PolicyVersion[]> =>
  (await pages(ListPolicyVersions, { PolicyArn }, (page) => page.Versions)).map(completeVersion);
export const listUserGroups = (UserName: string) =>
  pages(ListGroupsForUser, { UserName }, (page) => page.Groups);
export const listUserTags = (UserName: string) =>
  pages(ListUserTags, { UserName }, (page) => page.Tags);
export const listGroupUsers = (GroupName: string) =>
  pages(GetGroup, { GroupName }, (page) => page.Users);

/** The access keys of a user, or of root where none is named, the oldest first. */
export const listAccessKeys = async (UserName?: string): Promise<AccessKey[]> =>
  oldestFirst(
    (await pages(ListAccessKeys, { UserName }, (page) => page.AccessKeyMetadata)).map(completeKey),
  );

/** An access key of a user of the account. */
export type OwnedKey = AccessKey & { owner: string };

const KEY_REQUESTS = 6;
/** How many users are read between two reports of the progress. */
const PROGRESS_USERS = 50;

/** The access keys of all users, read user by user: IAM has no other list of them. */
export async function listAccountKeys(
  onProgress: (read: number, users: number) => void,
): Promise<OwnedKey[]> {
  const names = (await listUsers()).map(({ UserName }) => UserName);
  let read = 0;
  const keys = await mapConcurrently(names, KEY_REQUESTS, async (owner) => {
    const own = (await listAccessKeys(owner)).map((key): OwnedKey => ({ ...key, owner }));
    read += 1;
    if (read % PROGRESS_USERS === 0) onProgress(read, names.length);
    return own;
  });
  return keys.flat();
}

/** Access keys in the order in which they were created, which is not that of their IDs. */
export const oldestFirst = (keys: readonly AccessKey[]): AccessKey[] =>
  keys.toSorted((a, b) => Date.parse(a.CreateDate) - Date.parse(b.CreateDate));

/** The MFA devices of a user, or of root where none is named. */
export const listMfaDevices = (UserName?: string) =>
  pages(ListMFADevices, { UserName }, (page) => page.MFADevices);

/** A user, group or role, as the operations that name one take it. */
export type PolicyOwner = { UserName: string } | { GroupName: string } | { RoleName: string };

/** Does what is meant for the kind of owner. */
export function forOwner<T>(
  owner: PolicyOwner,
  user: (owner: { UserName: string }) => T,
  group: (owner: { GroupName: string }) => T,
  role: (owner: { RoleName: string }) => T,
): T {
  if ('UserName' in owner) return user(owner);
  return 'GroupName' in owner ? group(owner) : role(owner);
}

export async function listAttachedPolicies(owner: PolicyOwner): Promise<AttachedPolicy[]> {
  const attached = await forOwner(
    owner,
    (user) => pages(ListAttachedUserPolicies, user, (page) => page.AttachedPolicies),
    (group) => pages(ListAttachedGroupPolicies, group, (page) => page.AttachedPolicies),
    (role) => pages(ListAttachedRolePolicies, role, (page) => page.AttachedPolicies),
  );
  return attached.map(completeAttached);
}

/** The names of the inline policies of a user, group or role. */
export const listInlinePolicies = (owner: PolicyOwner): Promise<string[]> =>
  forOwner(
    owner,
    (user) => pages(ListUserPolicies, user, (page) => page.PolicyNames),
    (group) => pages(ListGroupPolicies, group, (page) => page.PolicyNames),
    (role) => pages(ListRolePolicies, role, (page) => page.PolicyNames),
  );

/** The document of an inline policy, as it was written. */
export async function inlinePolicyDocument(
  owner: PolicyOwner,
  PolicyName: string,
): Promise<string> {
  const { PolicyDocument } = await forOwner<Promise<{ PolicyDocument: string }>>(
    owner,
    (user) => call(GetUserPolicy, { ...user, PolicyName }),
    (group) => call(GetGroupPolicy, { ...group, PolicyName }),
    (role) => call(GetRolePolicy, { ...role, PolicyName }),
  );
  return decodeURIComponent(PolicyDocument);
}

export const getUser = async (UserName: string): Promise<User> =>
  (await call(GetUser, { UserName })).User;

export async function getPolicy(PolicyArn: string): Promise<Policy> {
  const { Policy: policy } = await call(GetPolicy, { PolicyArn });
  return completePolicy(policy ?? {});
}

/** The document of a policy's version, as it was written. */
export async function policyDocument(PolicyArn: string, VersionId: string): Promise<string> {
  const { PolicyVersion: version } = await call(GetPolicyVersion, { PolicyArn, VersionId });
  return decodeURIComponent(version?.Document ?? '');
}

/** What a policy is attached to, or is the boundary of. */
export interface PolicyEntity {
  name: string;
  type: 'User' | 'Group' | 'Role';
  boundary: boolean;
}

export async function listPolicyEntities(PolicyArn: string): Promise<PolicyEntity[]> {
  const list = (PolicyUsageFilter: PolicyUsageType, boundary: boolean): Promise<PolicyEntity[]> =>
    pages(ListEntitiesForPolicy, { PolicyArn, PolicyUsageFilter }, (page) => [
      ...(page.PolicyUsers ?? []).map(({ UserName = '' }): PolicyEntity => ({
        name: UserName,
        type: 'User',
        boundary,
      })),
      ...(page.PolicyGroups ?? []).map(({ GroupName = '' }): PolicyEntity => ({
        name: GroupName,
        type: 'Group',
        boundary,
      })),
      ...(page.PolicyRoles ?? []).map(({ RoleName = '' }): PolicyEntity => ({
        name: RoleName,
        type: 'Role',
        boundary,
      })),
    ]);
  const [attached, bounded] = await Promise.all([
    list('PermissionsPolicy', false),
    list('PermissionsBoundary', true),
  ]);
  return [...attached, ...bounded];
}

/** The answer, or null where the service says that there is no such entity. */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'NoSuchEntity') return null;
    throw error;
  }
}

/** The console password of a user, or null where there is none. */
export async function loginProfile(UserName: string): Promise<LoginProfile | null> {
  const answer = await unlessMissing(call(GetLoginProfile, { UserName }));
  return answer && answer.LoginProfile;
}

/** The account's own password policy, or null where IAM's default applies. */
export async function passwordPolicy(): Promise<PasswordPolicy | null> {
  const answer = await unlessMissing(call(GetAccountPasswordPolicy));
  return answer && answer.PasswordPolicy;
}

/** The account's alias, or null where it has none. */
export async function accountAlias(): Promise<string | null> {
  return (await call(ListAccountAliases)).AccountAliases[0] ?? null;
}

type AccountSummary = Readonly<Record<string, number>>;

export async function accountSummary(): Promise<AccountSummary> {
  return (await call(GetAccountSummary)).SummaryMap ?? {};
}

/** A row of the credential report, by the names of its columns. */
export type ReportRow = Readonly<Record<string, string>>;

/** The credential report as the service writes it. */
export async function credentialReport(): Promise<{ csv: string; generated: string }> {
  while ((await call(GenerateCredentialReport)).State !== 'COMPLETE') {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const { Content = '', GeneratedTime = '' } = await call(GetCredentialReport);
  const bytes = Uint8Array.from(atob(Content), (char) => char.charCodeAt(0));
  return { csv: new TextDecoder().decode(bytes), generated: GeneratedTime };
}

/** The names of the users to whom an MFA device is assigned. */
export async function usersWithMfa(): Promise<Set<string>> {
  const devices = await pages(
    ListVirtualMFADevices,
    { AssignmentStatus: 'Assigned' },
    (page) => page.VirtualMFADevices,
  );
  const users = devices.flatMap(({ User }) => User ?? []);
  // The root user's entry has the account's ARN, and a name that a user may have.
  return new Set(users.filter(({ Arn }) => !Arn.endsWith(':root')).map((user) => user.UserName));
}
