// Acting in a role, as AWS's console does after "Switch role".
//
// The console has no private API for this: the user's own credentials sign AssumeRole, and the
// credentials of the role sign everything else. They live in this page's memory only; the tab
// stores which role it acts in, and assumes it again after a reload. A switch is a reload, so that
// nothing that was begun as one principal is continued as the other. For the same reason nothing
// is signed after the end of the role's session until the person has chosen how to continue.
import {
  durationsToTry,
  readStoredRole,
  roleArn,
  roleSessionName,
  SHORTEST_SECONDS,
  switchRoleHref,
  type ActingRole,
  type StoredRole,
  type SwitchTarget,
} from '../lib/switch-role';
import { callAs } from './client';
import { AssumeRole } from './generated/sts';
import {
  leaveRole,
  ownCredentials,
  queryClient,
  reloadAs,
  ROLE_STORAGE,
  ServiceError,
  setRoleCredentials,
  type SignedIn,
} from './session';

interface Assumed {
  arn: string;
  expires: string;
}

/** Assumes a role for so many seconds, and signs with its credentials from now on, or until then. */
async function assume(
  session: SignedIn,
  target: SwitchTarget,
  DurationSeconds: number,
  until?: string,
): Promise<Assumed> {
  const { Credentials: made, AssumedRoleUser: user } = await callAs(ownCredentials, AssumeRole, {
    RoleArn: roleArn(target),
    RoleSessionName: roleSessionName(session.userName ?? ''),
    DurationSeconds,
  });
  if (!made || !user) throw new Error('The answer has no credentials.');
  setRoleCredentials({
    accessKeyId: made.AccessKeyId,
    secretAccessKey: made.SecretAccessKey,
    sessionToken: made.SessionToken,
    expiresAt: until ?? made.Expiration,
  });
  return { arn: user.Arn, expires: made.Expiration };
}

const isTooLong = (error: unknown): boolean =>
  error instanceof ServiceError && error.message.includes('MaxSessionDuration');

/** Assumes a role for as long as it allows. */
async function assumeLongest(session: SignedIn, target: SwitchTarget): Promise<Assumed> {
  const left = (Date.parse(session.expiresAt) - Date.now()) / 1_000;
  let tooLong: unknown;
  for (const seconds of durationsToTry(left)) {
    try {
      return await assume(session, target, seconds);
    } catch (error) {
      if (!isTooLong(error)) throw error;
      tooLong = error;
    }
  }
  throw tooLong;
}

const write = (stored: StoredRole): void =>
  sessionStorage.setItem(ROLE_STORAGE, JSON.stringify(stored));

/** Switches to a role: loads the console again, which then acts in it or shows why it can't. */
export function switchRole({ arn: by }: SignedIn, chosen: SwitchTarget): void {
  const target = { ...chosen, account: chosen.account.replaceAll('-', '') };
  write({ target, by });
  reloadAs(switchRoleHref(target));
}

/** Acts as the user again. */
export function switchBack(): void {
  sessionStorage.removeItem(ROLE_STORAGE);
  reloadAs('/iam');
}

/** The query that has the error because of which the tab could not switch. */
export const SWITCH_FAILURE = ['switch-failure'] as const;

/** The role that the tab acts in after it was loaded; null if it is none. */
export async function resumeRole(session: SignedIn): Promise<ActingRole | null> {
  const stored = readStoredRole(sessionStorage.getItem(ROLE_STORAGE), session.arn);
  // Whatever goes wrong, the next reload is the user's.
  leaveRole();
  if (!stored) return null;
  const { target, by, until } = stored;
  if (until === undefined) {
    try {
      const { arn, expires } = await assumeLongest(session, target);
      write({ target, by, until: expires });
      return { target, by, until: expires, arn, isNew: true };
    } catch (error) {
      queryClient.setQueryData(SWITCH_FAILURE, error);
      return null;
    }
  }
  const left = Math.floor((Date.parse(until) - Date.now()) / 1_000);
  const { arn } = await assume(session, target, Math.max(left, SHORTEST_SECONDS), until);
  write({ target, by, until });
  return { target, by, until, arn };
}
