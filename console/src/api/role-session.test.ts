// Acting in a role: who signs what, for how long, and what happens at the end.
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { ActingRole } from '../lib/switch-role';
import { resumeRole, switchBack, switchRole } from './role-session';
import {
  credentials,
  endIfSignedOut,
  forgetCredentials,
  leaveRole,
  ownCredentials,
  queryClient,
  ROLE_QUERY,
  ROLE_STORAGE,
  RoleSessionEnded,
  ServiceError,
  type SignedIn,
} from './session';

const callAs = vi.hoisted(() => vi.fn());
vi.mock('./client', () => ({ callAs }));

const HOUR = 3_600;
const later = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const OWN = { endpointUrl: 'http://api.test', accessKeyId: 'ASIAOWN', secretAccessKey: 's' };
const USER: SignedIn = {
  state: 'signed-in',
  accountId: '111122223333',
  userName: 'ann',
  arn: 'arn:aws:iam::111122223333:user/ann',
  expiresAt: later(13 * HOUR),
};
const TARGET = { account: '444455556666', name: 'readers' };

/** The inputs of AssumeRole, and the role's maximum. */
let inputs: Record<string, unknown>[] = [];
let maximum = HOUR;

beforeEach(() => {
  inputs = [];
  maximum = HOUR;
  queryClient.clear();
  sessionStorage.clear();
  leaveRole();
  forgetCredentials();
  vi.stubGlobal(
    'fetch',
    vi.fn(() =>
      Promise.resolve(
        new Response(JSON.stringify({ ...OWN, sessionToken: 't', expiresAt: later(900) })),
      ),
    ),
  );
  callAs.mockImplementation((source: unknown, _: object, input: { DurationSeconds: number }) => {
    // The role's credentials must never sign this: it would be role chaining.
    expect(source).toBe(ownCredentials);
    inputs.push(input as unknown as Record<string, unknown>);
    if (input.DurationSeconds > maximum) {
      const text =
        'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
      return Promise.reject(new ServiceError('ValidationError', text, 400));
    }
    return Promise.resolve({
      Credentials: {
        AccessKeyId: 'ASIAROLE',
        SecretAccessKey: 'role-secret',
        SessionToken: 'role-token',
        Expiration: later(input.DurationSeconds),
      },
      AssumedRoleUser: { Arn: 'arn:aws:sts::444455556666:assumed-role/readers/ann' },
    });
  });
});

const acting = (): ActingRole | null | undefined => queryClient.getQueryData(ROLE_QUERY);
const signer = async (): Promise<string> => (await credentials()).accessKeyId;

it('the role signs after a switch, and the user after switching back', async () => {
  expect(await signer()).toBe('ASIAOWN');
  queryClient.setQueryData(['users'], ['of ann']);
  await switchRole(USER, TARGET);
  expect(await signer()).toBe('ASIAROLE');
  expect((await credentials()).endpointUrl).toBe(OWN.endpointUrl);
  expect(inputs.at(-1)).toMatchObject({
    RoleArn: 'arn:aws:iam::444455556666:role/readers',
    RoleSessionName: 'ann',
  });
  // What the user has read is not the role's.
  expect(queryClient.getQueryData(['users'])).toBeUndefined();
  switchBack();
  expect(await signer()).toBe('ASIAOWN');
  expect(acting()).toBeNull();
  expect(sessionStorage.length).toBe(0);
});

it.each([
  [HOUR, [43_200, 28_800, 14_400, 7_200, 3_600]],
  [2 * HOUR, [43_200, 28_800, 14_400, 7_200]],
  [12 * HOUR, [43_200]],
])('with a maximum of %d s it asks for %j', async (allowed, durations) => {
  maximum = allowed;
  await switchRole(USER, TARGET);
  expect(inputs.map(({ DurationSeconds }) => DurationSeconds)).toEqual(durations);
});

it('asks once if it is denied, and the user stays who they are', async () => {
  callAs.mockImplementation(() => {
    inputs.push({});
    return Promise.reject(new ServiceError('AccessDenied', 'not authorized', 403));
  });
  await expect(switchRole(USER, TARGET)).rejects.toThrow('not authorized');
  expect(inputs).toHaveLength(1);
  expect(await signer()).toBe('ASIAOWN');
  expect(sessionStorage.length).toBe(0);
});

it('stores no credentials', async () => {
  await switchRole(USER, TARGET);
  const stored = sessionStorage.getItem(ROLE_STORAGE) ?? '';
  expect(Object.keys(JSON.parse(stored) as object).sort()).toEqual(['by', 'target', 'until']);
});

describe('after a reload', () => {
  const reload = (): void => {
    leaveRoleInMemory();
    inputs = [];
  };
  /** What a reload does: memory is lost, the tab's storage is not. */
  const leaveRoleInMemory = (): void => {
    const stored = sessionStorage.getItem(ROLE_STORAGE);
    leaveRole();
    queryClient.clear();
    if (stored) sessionStorage.setItem(ROLE_STORAGE, stored);
  };
  it('the same user continues until the first session would have ended', async () => {
    await switchRole(USER, TARGET);
    const until = acting()?.until;
    reload();
    const resumed = await resumeRole(USER);
    expect(resumed).toMatchObject({ target: TARGET, until });
    expect(inputs).toHaveLength(1);
    expect(inputs[0]?.['DurationSeconds']).toBeLessThanOrEqual(HOUR);
    expect(await signer()).toBe('ASIAROLE');
  });
  it('a session that is almost over is not prolonged', async () => {
    await switchRole(USER, TARGET);
    const stored = JSON.parse(sessionStorage.getItem(ROLE_STORAGE) ?? '') as object;
    const until = later(60);
    reload();
    sessionStorage.setItem(ROLE_STORAGE, JSON.stringify({ ...stored, until }));
    expect(await resumeRole(USER)).toMatchObject({ until });
    // AWS issues no shorter session.
    expect(inputs[0]).toMatchObject({ DurationSeconds: 900 });
    expect((await credentials()).expiresAt).toBe(until);
  });
  it('another user does not', async () => {
    await switchRole(USER, TARGET);
    reload();
    expect(await resumeRole({ ...USER, arn: `${USER.arn}e` })).toBeNull();
    expect(inputs).toHaveLength(0);
    expect(sessionStorage.length).toBe(0);
  });
  it('a role that may no longer be assumed is an error once', async () => {
    await switchRole(USER, TARGET);
    reload();
    callAs.mockRejectedValue(new ServiceError('AccessDenied', 'not authorized', 403));
    await expect(resumeRole(USER)).rejects.toThrow('not authorized');
    expect(await resumeRole(USER)).toBeNull();
  });
});

describe('when the session of the role is over', () => {
  it('nothing is signed, neither as the role nor as the user', async () => {
    await switchRole(USER, TARGET);
    vi.useFakeTimers({ now: Date.now() + (HOUR + 1) * 1_000 });
    await expect(credentials()).rejects.toBeInstanceOf(RoleSessionEnded);
    vi.useRealTimers();
  });
  it.each([
    new RoleSessionEnded(),
    new ServiceError('ExpiredToken', 'expired', 403),
    new ServiceError('InvalidClientTokenId', 'no such key', 403),
  ])('%s ends it', async (error) => {
    await switchRole(USER, TARGET);
    endIfSignedOut(error);
    expect(acting()?.isOver).toBe(true);
  });
  it('a denial does not end it', async () => {
    await switchRole(USER, TARGET);
    endIfSignedOut(new ServiceError('AccessDenied', 'no', 403));
    expect(acting()?.isOver).toBeUndefined();
  });
});
