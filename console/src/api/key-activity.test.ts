// Which operation says when a key was used, and what a denial leads to.
import { beforeEach, expect, it, vi } from 'vitest';

import { oldestFirst } from './iam';
import { keyAttempts, keyUses } from './key-activity';
import { queryClient, ServiceError } from './session';

const call = vi.hoisted(() => vi.fn());
vi.mock('./client', () => ({ call, pages: vi.fn() }));

const KEY = 'AKIAIOSFODNN7EXAMPLE';
const answers = new Map<string, object>();
const calls: string[] = [];

beforeEach(() => {
  queryClient.clear();
  answers.clear();
  calls.length = 0;
  call.mockImplementation(({ name }: { name: string }) => {
    calls.push(name);
    const answer = answers.get(name);
    if (answer) return Promise.resolve(answer);
    return Promise.reject(new ServiceError('AccessDenied', 'no', 403));
  });
});

it('the last use is the one to the second', async () => {
  answers.set('GetAccessKeyUse', { LastUsedDate: 'b', ServiceName: 's3', Region: 'r' });
  answers.set('GetAccessKeyLastUsed', { AccessKeyLastUsed: { LastUsedDate: 'a' } });
  const uses = await keyUses(KEY);
  expect(uses?.last).toEqual({ date: 'b', service: 's3', region: 'r', isExact: true });
  expect(uses?.client.date).toBeUndefined();
  expect(calls).toEqual(['GetAccessKeyUse']);
});

it('without that permission it is the one that AWS knows', async () => {
  answers.set('GetAccessKeyLastUsed', {
    AccessKeyLastUsed: { LastUsedDate: 'a', ServiceName: 's3', Region: 'r' },
  });
  expect((await keyUses(KEY))?.last).toMatchObject({ date: 'a', isExact: false });
  await keyUses(KEY);
  // A denial is not provoked again by a page that refreshes itself.
  expect(calls).toEqual(['GetAccessKeyUse', 'GetAccessKeyLastUsed', 'GetAccessKeyLastUsed']);
});

it('what is denied is unknown, and not never or none', async () => {
  expect(await keyUses(KEY)).toBeNull();
  expect(await keyAttempts(KEY)).toBeNull();
});

it('access keys are listed in the order of their creation', () => {
  const key = (AccessKeyId: string, CreateDate: string) =>
    ({ AccessKeyId, CreateDate, Status: 'Active', UserName: 'ann' }) as const;
  const [first, second] = [
    key('AKIAZ', '2026-01-01T00:00:00Z'),
    key('AKIAA', '2026-02-01T00:00:00Z'),
  ];
  expect(oldestFirst([second, first])).toEqual([first, second]);
});
