// Acting in a role: who signs what, for how long, and what happens at the end.
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { ActingRole } from '../lib/switch-role';
import type { SignedIn } from './session';

const callAs = vi.hoisted(() => vi.fn());
vi.mock('./client', () => ({ callAs }));

const HOUR = 3_600;
const later = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const USER: SignedIn = {
  state: 'signed-in',
  accountId: '111122223333',
  userName: 'ann',
  arn: 'arn:aws:iam::111122223333:user/ann',
  expiresAt: later(13 * HOUR),
};
const TARGET = { account: '444455556666', name: 'readers' };
const STORED = 'keywright-role';

let role: typeof import('./role-session');
let session: typeof import('./session');
/** The durations that AssumeRole was called with, and the role's maximum. */
let durations: number[] = [];
let maximum = HOUR;
let addresses: string[] = [];

/** Loads the console: memory is lost, the tab's storage is not. */
async function load(): Promise<void> {
  vi.resetModules();
  session = await import('./session');
  role = await import('./role-session');
  durations = [];
}

beforeEach(async () => {
  maximum = HOUR;
  addresses = [];
  sessionStorage.clear();
  const own = { endpointUrl: 'http://api.test', accessKeyId: 'ASIAOWN', secretAccessKey: 's' };
  const answer = { ...own, sessionToken: 't', expiresAt: later(900) };
  vi.stubGlobal(
    'fetch',
    vi.fn(() => Promise.resolve(new Response(JSON.stringify(answer)))),
  );
  vi.spyOn(location, 'assign').mockImplementation((address) => {
    addresses.push(String(address));
  });
  callAs.mockImplementation((source: unknown, _: object, input: Record<string, unknown>) => {
    // The role's credentials must never sign this: it would be role chaining.
    expect(source).toBe(session.ownCredentials);
    expect(input).toMatchObject({
      RoleArn: 'arn:aws:iam::444455556666:role/readers',
      RoleSessionName: 'ann',
    });
    const seconds = Number(input['DurationSeconds']);
    durations.push(seconds);
    if (seconds > maximum) {
      const text =
        'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
      return Promise.reject(new session.ServiceError('ValidationError', text, 400));
    }
    return Promise.resolve({
      Credentials: {
        AccessKeyId: 'ASIAROLE',
        SecretAccessKey: 'role-secret',
        SessionToken: 'role-token',
        Expiration: later(seconds),
      },
      AssumedRoleUser: { Arn: 'arn:aws:sts::444455556666:assumed-role/readers/ann' },
    });
  });
  await load();
});

const deny = (): void => {
  callAs.mockImplementation(() => {
    durations.push(0);
    return Promise.reject(new session.ServiceError('AccessDenied', 'not authorized', 403));
  });
};
const signer = async (): Promise<string> => (await session.credentials()).accessKeyId;
/** Whether a signature is made within a moment. */
const isSigned = (): Promise<boolean> =>
  Promise.race([
    signer().then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 20)),
  ]);

/** Switches, and loads the console again as the browser does then. */
async function switched(): Promise<ActingRole | null> {
  role.switchRole(USER, TARGET);
  await load();
  return role.resumeRole(USER);
}

describe('a switch', () => {
  it('loads the console again, until which nothing is signed', async () => {
    expect(await signer()).toBe('ASIAOWN');
    role.switchRole(USER, { ...TARGET, account: '4444-5555-6666' });
    expect(addresses).toEqual(['/console/switch-role?account=444455556666&roleName=readers']);
    expect(await isSigned()).toBe(false);
    expect(durations).toEqual([]);
  });
  it('makes the role sign, at the same endpoint', async () => {
    expect(await switched()).toMatchObject({ target: TARGET, isNew: true });
    expect(await session.credentials()).toMatchObject({
      accessKeyId: 'ASIAROLE',
      endpointUrl: 'http://api.test',
    });
  });
  it('and back again, until which nothing is signed', async () => {
    await switched();
    role.switchBack();
    expect(addresses.at(-1)).toBe('/console/iam');
    expect(await isSigned()).toBe(false);
    await load();
    expect(await role.resumeRole(USER)).toBeNull();
    expect(await signer()).toBe('ASIAOWN');
  });
  it('stores no credentials', async () => {
    await switched();
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? '') as object;
    expect(Object.keys(stored).sort()).toEqual(['by', 'target', 'until']);
  });
  it('that is denied is tried once and leaves the user who they are', async () => {
    deny();
    expect(await switched()).toBeNull();
    expect(durations).toHaveLength(1);
    expect(session.queryClient.getQueryData(role.SWITCH_FAILURE)).toMatchObject({
      message: 'not authorized',
    });
    expect(await signer()).toBe('ASIAOWN');
    expect(sessionStorage.length).toBe(0);
  });
  it.each([
    [HOUR, [43_200, 28_800, 14_400, 7_200, 3_600]],
    [2 * HOUR, [43_200, 28_800, 14_400, 7_200]],
    [12 * HOUR, [43_200]],
  ])('to a role with a maximum of %d s asks for %j', async (allowed, expected) => {
    maximum = allowed;
    await switched();
    expect(durations).toEqual(expected);
  });
});

describe('after a reload', () => {
  it('the same user continues until the first session would have ended', async () => {
    const before = await switched();
    await load();
    const resumed = await role.resumeRole(USER);
    expect(resumed).toMatchObject({ target: TARGET, until: before?.until });
    expect(resumed?.isNew).toBeUndefined();
    expect(durations).toHaveLength(1);
    expect(durations[0]).toBeLessThanOrEqual(HOUR);
    expect(await signer()).toBe('ASIAROLE');
  });
  it('a session that is almost over is not prolonged', async () => {
    const until = later(60);
    sessionStorage.setItem(STORED, JSON.stringify({ target: TARGET, by: USER.arn, until }));
    expect(await role.resumeRole(USER)).toMatchObject({ until });
    // AWS issues no shorter session.
    expect(durations).toEqual([900]);
    expect((await session.credentials()).expiresAt).toBe(until);
  });
  it('another user does not', async () => {
    await switched();
    await load();
    expect(await role.resumeRole({ ...USER, arn: `${USER.arn}e` })).toBeNull();
    expect(durations).toEqual([]);
    expect(sessionStorage.length).toBe(0);
  });
  it('a role that may no longer be assumed is an error once', async () => {
    await switched();
    await load();
    deny();
    await expect(role.resumeRole(USER)).rejects.toThrow('not authorized');
    expect(await role.resumeRole(USER)).toBeNull();
  });
});

describe('when the session of the role is over', () => {
  it('nothing is signed, neither as the role nor as the user', async () => {
    await switched();
    vi.useFakeTimers({ now: Date.now() + (HOUR + 1) * 1_000 });
    await expect(session.credentials()).rejects.toBeInstanceOf(session.RoleSessionEnded);
    vi.useRealTimers();
  });
  it.each(['RoleSessionEnded', 'ExpiredToken', 'InvalidClientTokenId', 'AccessDenied'])(
    '%s is the end of it, except for a denial',
    async (code) => {
      const began = await switched();
      session.queryClient.setQueryData(session.ROLE_QUERY, began);
      const error =
        code === 'RoleSessionEnded'
          ? new session.RoleSessionEnded()
          : new session.ServiceError(code, 'no', 403);
      session.endIfSignedOut(error);
      const acting = session.queryClient.getQueryData<ActingRole>(session.ROLE_QUERY);
      expect(acting?.isOver ?? false).toBe(code !== 'AccessDenied');
    },
  );
});
