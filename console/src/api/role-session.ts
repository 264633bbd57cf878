// Acting in a role, as AWS's console does after "Switch role".
//
// The console has no private API for this: the user's own credentials sign AssumeRole, and the
// credentials of the role sign everything else. They live in this page's memory only; the tab
// stores whose role it acts in, and assumes it again after a reload. When the session of the role
// is over, nothing is signed until the person has chosen how to continue: a request that was meant
// for the role must not be made as the user.
import {
  durationsToTry,
  readRoleSession,
  roleArn,
  roleSessionName,
  SHORTEST_SECONDS,
  type ActingRole,
  type RoleSession,
  type SwitchTarget,
} from '../lib/switch-role';
import { callAs } from './client';
import { AssumeRole } from './generated/sts';
import {
  leaveRole,
  ownCredentials,
  queryClient,
  ROLE_QUERY,
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

/** What the user has read is not the role's, and the other way round. */
function forgetAnswers(): void {
  const ofUser = new Set<unknown>(['session', 'capabilities', ROLE_QUERY[0]]);
  queryClient.removeQueries({ predicate: ({ queryKey }) => !ofUser.has(queryKey[0]) });
}

function stored(session: SignedIn): RoleSession | undefined {
  return readRoleSession(sessionStorage.getItem(ROLE_STORAGE), session.arn);
}

/** Switches to a role. */
export async function switchRole(session: SignedIn, target: SwitchTarget): Promise<void> {
  const { arn, expires } = await assumeLongest(session, target);
  const acting: ActingRole = { target, by: session.arn, until: expires, arn };
  const { by, until } = acting;
  sessionStorage.setItem(ROLE_STORAGE, JSON.stringify({ target, by, until } satisfies RoleSession));
  queryClient.setQueryData(ROLE_QUERY, acting);
  forgetAnswers();
}

/** Continues in the role that the tab acted in before it was reloaded; null if there is none. */
export async function resumeRole(session: SignedIn): Promise<ActingRole | null> {
  const before = stored(session);
  if (!before) {
    leaveRole();
    return null;
  }
  const left = Math.floor((Date.parse(before.until) - Date.now()) / 1_000);
  try {
    const seconds = Math.max(left, SHORTEST_SECONDS);
    const { arn } = await assume(session, before.target, seconds, before.until);
    return { ...before, arn };
  } catch (error) {
    // The next reload is the user's.
    sessionStorage.removeItem(ROLE_STORAGE);
    throw error;
  }
}

/** Acts as the user again. */
export function switchBack(): void {
  leaveRole();
  queryClient.setQueryData(ROLE_QUERY, null);
  forgetAnswers();
}
