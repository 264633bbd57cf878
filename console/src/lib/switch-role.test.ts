// Switching roles: the fields, the link, and what a tab remembers.
import { describe, expect, it } from 'vitest';

import {
  durationsToTry,
  knownColor,
  readStoredRole,
  roleArn,
  roleLabel,
  roleSessionName,
  switchProblems,
  switchRoleHref,
  type StoredRole,
} from './switch-role';

const TARGET = { account: '111122223333', name: 'developers' };

it.each([
  [TARGET, []],
  [{ ...TARGET, account: '1111-2222-3333' }, []],
  [{ ...TARGET, account: '11112222333' }, ['account']],
  [{ ...TARGET, account: 'alias' }, ['account']],
  [{ ...TARGET, name: '' }, ['name']],
  [{ ...TARGET, name: 'teams/developers' }, []],
  [{ ...TARGET, name: 'a b' }, ['name']],
  [{ ...TARGET, displayName: 'a'.repeat(64) }, []],
  [{ ...TARGET, displayName: 'a'.repeat(65) }, ['displayName']],
])('the problems of %j are in %j', (target, fields) => {
  const wrong = Object.entries(switchProblems(target)).filter(([, text]) => text !== '');
  expect(wrong.map(([field]) => field)).toEqual(fields);
});

it.each([
  [TARGET, 'arn:aws:iam::111122223333:role/developers'],
  [
    { account: '1111-2222-3333', name: '/teams/developers' },
    'arn:aws:iam::111122223333:role/teams/developers',
  ],
])('the role of %j is %s', (target, arn) => {
  expect(roleArn(target)).toBe(arn);
});

it('is named by its display name, or by role and account', () => {
  expect(roleLabel({ ...TARGET, name: 'teams/developers' })).toBe('developers @ 111122223333');
  expect(roleLabel({ ...TARGET, displayName: 'Shop (production)' })).toBe('Shop (production)');
});

it('has a link with everything that was entered', () => {
  expect(switchRoleHref({ ...TARGET, name: '/developers' })).toBe(
    '/switch-role?account=111122223333&roleName=developers',
  );
  const whole = { ...TARGET, name: '/teams/a', displayName: 'Shop & co', color: 'f2b0a9' };
  expect(switchRoleHref(whole)).toBe(
    '/switch-role?account=111122223333&roleName=teams%2Fa&displayName=Shop+%26+co&color=f2b0a9',
  );
});

it('takes only the colors of the form from a link', () => {
  expect(['F2B0A9', '99bce3', 'javascript', '', null].map(knownColor)).toEqual([
    'f2b0a9',
    '99bce3',
    '',
    '',
    '',
  ]);
});

it.each([
  ['a', 'a-console'],
  ['ann', 'ann'],
  ['a'.repeat(64), 'a'.repeat(64)],
])('the session of %s is named %s', (user, name) => {
  expect(roleSessionName(user)).toBe(name);
});

describe('a tab', () => {
  const BY = 'arn:aws:iam::111122223333:user/ann';
  const STORED: StoredRole = { target: TARGET, by: BY, until: '2026-12-01T12:00:00Z' };
  const before = Date.parse('2026-12-01T11:59:59Z');
  const read = (text: string | null, by = BY, now = before) => readStoredRole(text, by, now);
  it('continues in the role of the same user', () => {
    expect(read(JSON.stringify(STORED))).toEqual(STORED);
  });
  it('begins with the role that its user has just chosen', () => {
    const chosen: StoredRole = { target: TARGET, by: BY };
    expect(read(JSON.stringify(chosen))).toEqual(chosen);
    expect(read(JSON.stringify(chosen), `${BY}e`)).toBeUndefined();
  });
  it('does not for another user, after the end, or without all of it', () => {
    expect(read(JSON.stringify(STORED), `${BY}e`)).toBeUndefined();
    expect(read(JSON.stringify(STORED), BY, before + 1_000)).toBeUndefined();
    expect(read(JSON.stringify({ ...STORED, until: 'soon' }))).toBeUndefined();
    expect(read(JSON.stringify({ ...STORED, target: {} }))).toBeUndefined();
    for (const text of [null, '', 'null', '1', '{']) expect(read(text)).toBeUndefined();
  });
});

it.each([
  [43_200, [43_200, 28_800, 14_400, 7_200, 3_600]],
  [43_199, [28_800, 14_400, 7_200, 3_600]],
  [3_600, [3_600]],
  [3_599.9, [3_599]],
  [60, [900]],
  [-5, [900]],
])('with %d seconds left it asks for %j', (left, durations) => {
  expect(durationsToTry(left)).toEqual(durations);
});
