// Reads roles, and deletes them with everything that keeps IAM from deleting them.
import { call, pages } from './client';
import {
  AddRoleToInstanceProfile,
  CreateInstanceProfile,
  DeleteInstanceProfile,
  DeleteRole,
  DeleteRolePolicy,
  DeleteServiceLinkedRole,
  DetachRolePolicy,
  GetRole,
  GetServiceLinkedRoleDeletionStatus,
  ListInstanceProfilesForRole,
  ListRoles,
  ListRoleTags,
  PutRolePolicy,
  RemoveRoleFromInstanceProfile,
  type InstanceProfile,
  type Role,
} from './generated/iam';
import * as iam from './iam';
import { serverTime } from './session';
import { revocationPolicy, REVOCATION_POLICY } from '../lib/trust-policy';

export type { Role };

export const listRoles = () => pages(ListRoles, {}, (page) => page.Roles);
export const getRole = async (RoleName: string): Promise<Role> =>
  (await call(GetRole, { RoleName })).Role;
export const listRoleTags = (RoleName: string) =>
  pages(ListRoleTags, { RoleName }, (page) => page.Tags);

/** The trust policy of a role, as it was written. */
export const trustPolicy = ({ AssumeRolePolicyDocument = '' }: Role): string =>
  decodeURIComponent(AssumeRolePolicyDocument);

export const listRoleInstanceProfiles = (RoleName: string): Promise<InstanceProfile[]> =>
  pages(ListInstanceProfilesForRole, { RoleName }, (page) => page.InstanceProfiles);

/** Creates the instance profile of a role for EC2, which AWS's console gives the role's name. */
export async function createInstanceProfile(RoleName: string): Promise<void> {
  await call(CreateInstanceProfile, { InstanceProfileName: RoleName });
  await call(AddRoleToInstanceProfile, { InstanceProfileName: RoleName, RoleName });
}

/** Everything that keeps IAM from deleting a role. */
export async function roleDependents(RoleName: string) {
  const [profiles, attached, inline] = await Promise.all([
    listRoleInstanceProfiles(RoleName),
    iam.listAttachedPolicies({ RoleName }),
    iam.listInlinePolicies({ RoleName }),
  ]);
  return { profiles, attached, inline };
}

/** Whether an instance profile is deleted with its role: it was created with it. */
export const isOwnProfile = ({ InstanceProfileName }: InstanceProfile, role: string): boolean =>
  InstanceProfileName === role;

/** Removes everything that keeps IAM from deleting a role, then the role. */
export async function deleteRole(RoleName: string): Promise<void> {
  const { profiles, attached, inline } = await roleDependents(RoleName);
  for (const profile of profiles) {
    const { InstanceProfileName } = profile;
    await call(RemoveRoleFromInstanceProfile, { InstanceProfileName, RoleName });
    if (isOwnProfile(profile, RoleName)) await call(DeleteInstanceProfile, { InstanceProfileName });
  }
  for (const { PolicyArn } of attached) await call(DetachRolePolicy, { RoleName, PolicyArn });
  for (const PolicyName of inline) await call(DeleteRolePolicy, { RoleName, PolicyName });
  await call(DeleteRole, { RoleName });
}

const TASK_POLL_MS = 1_000;
const TASK_POLLS_MAX = 60;

/** Deletes a service-linked role and waits until its deletion task has ended. */
export async function deleteServiceLinkedRole(RoleName: string): Promise<void> {
  const { DeletionTaskId } = await call(DeleteServiceLinkedRole, { RoleName });
  for (let polls = 0; polls < TASK_POLLS_MAX; polls += 1) {
    const { Status, Reason } = await call(GetServiceLinkedRoleDeletionStatus, { DeletionTaskId });
    if (Status === 'SUCCEEDED') return;
    if (Status === 'FAILED') {
      const resources = (Reason?.RoleUsageList ?? []).flatMap(({ Resources = [] }) => Resources);
      throw new Error(
        [Reason?.Reason ?? 'The service still uses the role.', ...resources].join('\n'),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, TASK_POLL_MS));
  }
  throw new Error('The role is still being deleted. Refresh the list of roles in a while.');
}

/** Denies everything to the sessions of a role that were issued until now, by the server's clock. */
export async function revokeSessions(RoleName: string): Promise<void> {
  await call(PutRolePolicy, {
    RoleName,
    PolicyName: REVOCATION_POLICY,
    PolicyDocument: revocationPolicy(await serverTime()),
  });
}
