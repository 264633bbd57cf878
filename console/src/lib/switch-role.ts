// Switching roles: the form, its link, and what a browser tab remembers of the role it acts in.

/** The role to switch to, as the form and links name it. */
export interface SwitchTarget {
  account: string;
  name: string;
  displayName?: string;
  color?: string;
}

/** The address of the form, filled in; it can be sent to others. */
export function switchRoleHref(target: SwitchTarget): string {
  // As on AWS, a role's path is part of its name here, and the path `/` is not.
  const roleName = target.name.replace(/^\//, '');
  const query = new URLSearchParams({ account: target.account, roleName });
  if (target.displayName) query.set('displayName', target.displayName);
  if (target.color) query.set('color', target.color);
  return `/switch-role?${query.toString()}`;
}

/** The colours of AWS's form, by name. */
export const ROLE_COLORS = [
  ['Red', 'f2b0a9'],
  ['Orange', 'fbbf93'],
  ['Yellow', 'fad791'],
  ['Green', 'b7ca9d'],
  ['Blue', '99bce3'],
] as const;

/** A colour of a link, if it is one of the form's; otherwise none. */
export const knownColor = (color: string | null): string =>
  ROLE_COLORS.find(([, hex]) => hex === color?.toLowerCase())?.[1] ?? '';

const DISPLAY_NAME_MAX = 64;

export interface SwitchProblems {
  account: string;
  name: string;
  displayName: string;
}

/** What is wrong with the fields; empty texts if nothing is. */
export function switchProblems({ account, name, displayName = '' }: SwitchTarget): SwitchProblems {
  return {
    account: /^\d{12}$/.test(account.replaceAll('-', '')) ? '' : 'An account ID has 12 digits.',
    name: /^[\w+=,.@/-]{1,512}$/.test(name)
      ? ''
      : 'Enter the name of the role, with its path if it has one.',
    displayName: displayName.length > DISPLAY_NAME_MAX ? 'Maximum 64 characters.' : '',
  };
}

/** The ARN of a role by its name, with which its path may be given. */
export const roleArn = ({ account, name }: SwitchTarget): string =>
  `arn:aws:iam::${account.replaceAll('-', '')}:role/${name.replace(/^\/+/, '')}`;

/** The session name of a user's roles: the user's name, as in AWS's console. */
export const roleSessionName = (userName: string): string =>
  userName.length < 2 ? `${userName}-console` : userName.slice(0, 64);

/** What a browser tab stores of the role to act in: no credential. */
export interface StoredRole {
  target: SwitchTarget;
  /** The ARN of the user who switched: nobody else continues it. */
  by: string;
  /** When its session ends, as the first credentials did; absent: it is to begin. */
  until?: string;
}

/** The role that a browser tab acts in now. */
export interface ActingRole extends Required<StoredRole> {
  /** The ARN of its session. */
  arn: string;
  /** Whether it has just begun. */
  isNew?: boolean;
  /** Whether the server no longer accepts its credentials. */
  isOver?: boolean;
}

/** The name that the console shows for a role. */
export const roleLabel = ({ account, name, displayName }: SwitchTarget): string =>
  displayName || `${name.split('/').pop() ?? name} @ ${account}`;

/** The stored role, if it is one of this user and its session has not ended. */
export function readStoredRole(
  text: string | null,
  by: string,
  now = Date.now(),
): StoredRole | undefined {
  try {
    const stored = JSON.parse(text ?? '') as Partial<StoredRole> | null;
    const { target, until } = stored ?? {};
    if (typeof target?.account !== 'string' || typeof target.name !== 'string') return undefined;
    if (stored?.by !== by) return undefined;
    if (until === undefined) return { target, by };
    return Date.parse(until) > now ? { target, by, until } : undefined;
  } catch {
    return undefined;
  }
}

/** The durations of AWS's roles in seconds, the longest first. */
const DURATIONS = [12, 8, 4, 2, 1].map((hours) => hours * 3_600);
export const SHORTEST_SECONDS = 900;

/**
 * The durations to ask for: a role's maximum is known to those only who may read the role. None
 * exceeds what remains of the user's own session by more than the shortest one.
 */
export function durationsToTry(secondsLeft: number): number[] {
  const fitting = DURATIONS.filter((seconds) => seconds <= secondsLeft);
  return fitting.length > 0
    ? fitting
    : [Math.min(3_600, Math.max(SHORTEST_SECONDS, Math.floor(secondsLeft)))];
}
