// Every phase and every state as a row; durations, and which users a policy applies to.
import { describe, expect, it } from 'vitest';

import type { Rotation, RotationPhaseType, UserSelector } from '../../api/rotation';
import { durationOf, durationSeconds } from './durations';
import {
  awaitsManualDelivery,
  holdAdvice,
  phaseText,
  rotationStatus,
  stageText,
  steps,
  type StepState,
} from './phases';
import { pollInterval } from './queries';
import { effectivePolicy, matches, nextRotation, selectorText } from './selector';

const DAY = 86_400;
const OLD = 'AKIAIOSFODNN7EXAMPLE';
const PAUSED = { HeldCode: 'Asked', HeldReason: 'held: lunch' } as const;
const NEW = 'AKIAI44QH8DHBEXAMPLE';

const rotation = (part: Partial<Rotation>): Rotation => ({
  RotationId: 'r-1',
  UserName: 'ann',
  UserId: 'AIDAIOSFODNN7EXAMPLE',
  OldAccessKeyId: OLD,
  NewAccessKeyId: NEW,
  Phase: 'Planned',
  PhaseSince: '2026-11-24T10:00:00Z',
  StartDate: '2026-11-24T10:00:00Z',
  StartedBy: 'arn:aws:iam::123456789012:root',
  ObserveSeconds: DAY,
  DwellSeconds: 7 * DAY,
  Incident: false,
  IsOver: false,
  CanRollBack: true,
  CanRetrieveKey: false,
  Deliveries: [],
  ...part,
});

const states = (part: Partial<Rotation>): string =>
  steps(rotation(part))
    .map(({ id, state }) => `${id}:${state}`)
    .join(' ');

const FORWARD = ['create', 'verify', 'deliver', 'observe', 'deactivate', 'grace', 'delete'];
const BACK = ['restore', 'observe-new', 'retire'];

/** The states of steps, of which the one with this name is running. */
const running = (ids: string[], current: string): string =>
  ids
    .map((id, index): [string, StepState] => [
      id,
      id === current ? 'running' : index < ids.indexOf(current) ? 'done' : 'pending',
    ])
    .map((step) => step.join(':'))
    .join(' ');
const done = (ids: string[]): string => ids.map((id) => `${id}:done`).join(' ');

const TABLE: Record<RotationPhaseType, readonly [text: string, steps: string]> = {
  Planned: ['Starting', running(FORWARD, 'create')],
  Creating: ['Creating the new key', running(FORWARD, 'create')],
  Created: ['Verifying the new key', running(FORWARD, 'verify')],
  Distributing: ['Delivering the new key', running(FORWARD, 'deliver')],
  Observing: ['Observing the old key', running(FORWARD, 'observe')],
  Confirming: ['Verifying again', running(FORWARD, 'deactivate')],
  Deactivating: ['Deactivating the old key', running(FORWARD, 'deactivate')],
  Dwelling: ['Old key inactive', running(FORWARD, 'grace')],
  Deleting: ['Deleting the old key', running(FORWARD, 'delete')],
  Done: ['Complete', done(FORWARD)],
  RollingBack: ['Rolling back', running(BACK, 'restore')],
  Settling: ['Rolled back, observing the new key', running(BACK, 'observe-new')],
  Retiring: ['Rolled back, new key inactive', running(BACK, 'retire')],
  RolledBack: ['Rolled back', done(BACK)],
  UserGone: ['User deleted', ''],
  Abandoned: ['Ended early', ''],
};
const PHASES = Object.keys(TABLE) as RotationPhaseType[];
/** A phase of a server that is newer than this page. */
const UNKNOWN = 'Cooling' as RotationPhaseType;

describe('phases', () => {
  it.each(PHASES)('%s', (phase) => {
    const [text, expected] = TABLE[phase];
    expect(phaseText(phase)).toBe(text);
    expect(states({ Phase: phase })).toBe(expected);
  });

  it.each(PHASES)('%s: every step has its own text', (phase) => {
    const texts = steps(rotation({ Phase: phase })).map(({ text }) => text);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(text).toMatch(/^[A-Z].*\.$/);
  });

  it('an unknown phase has the name that the server gives it', () => {
    expect(phaseText('Cooling')).toBe('Cooling');
    expect(states({ Phase: UNKNOWN })).toMatch(/^create:running verify:pending/);
  });

  it.each<[Partial<Rotation>, string]>([
    [{}, 'observe:running'],
    [{ WaitingFor: 'the old key to stay unused' }, 'observe:waiting'],
    [{ Trouble: 'no answer' }, 'observe:failing'],
    [{ Trouble: 'no answer', ...PAUSED }, 'observe:paused'],
    [{ ObserveSeconds: 0 }, 'observe:skipped'],
    [{ ObserveSeconds: 0, ...PAUSED }, 'observe:paused'],
  ])('the current step: %j', (part, expected) => {
    expect(states({ Phase: 'Observing', ...part }).split(' ')).toContain(expected);
  });

  it('a period of zero is skipped, not done', () => {
    const all = states({ Phase: 'Done', ObserveSeconds: 0, DwellSeconds: 0 }).split(' ');
    expect(all.filter((step) => step.endsWith('skipped'))).toEqual([
      'observe:skipped',
      'grace:skipped',
    ]);
    expect(states({ Phase: 'RolledBack', ObserveSeconds: 0 })).toContain('observe-new:skipped');
  });

  it('a rotation that was rolled back before there was a new key names none', () => {
    const texts = steps(rotation({ Phase: 'RolledBack', NewAccessKeyId: undefined }));
    expect(texts.map(({ text }) => text).join(' ')).not.toContain('undefined');
  });
});

describe('deliveries', () => {
  const delivery = (Place: string, stage: string) => ({
    Place,
    Stage: stage as Rotation['Deliveries'][number]['Stage'],
    Failures: 0,
    Removed: false,
  });
  it.each<[RotationPhaseType, ReturnType<typeof delivery>, boolean]>([
    ['Distributing', delivery('person', 'Writing'), true],
    ['Distributing', delivery('person', 'Written'), false],
    ['Distributing', delivery('dotenv:/x', 'Writing'), false],
    ['RollingBack', delivery('person', 'Writing'), false],
    ['Dwelling', delivery('person', 'Writing'), true],
    ['Distributing', { ...delivery('person', 'Writing'), Removed: true }, false],
  ])('%s %j', (Phase, one, waits) => {
    expect(awaitsManualDelivery(rotation({ Phase, Deliveries: [one] }))).toBe(waits);
  });
  it.each([
    ['dotenv:/x', 'Pending', 'Not started'],
    ['dotenv:/x', 'ReadBack', 'Delivered and read back'],
    ['person', 'ReadBack', 'Confirmed'],
    ['person', 'Restored', 'Restore manually'],
    ['person', 'Lost', 'Lost'],
  ])('%s %s', (destination, stage, text) =>
    expect(stageText(delivery(destination, stage))).toBe(text),
  );
  it('a removed destination is not waited for', () =>
    expect(stageText({ ...delivery('dotenv:/x', 'Writing'), Removed: true })).toBe('Removed'));
});

it.each([
  ['PermissionMissing', 'A permission is missing'],
  ['Asked', 'Rotation paused'],
  ['Moon', 'Manual action required'],
  [undefined, 'Manual action required'],
])('the advice for %s', (code, title) => expect(holdAdvice(code).title).toBe(title));

describe('lists and polling', () => {
  const now = Date.parse('2026-11-24T10:00:00Z');
  it.each<[Partial<Rotation>, string, number | false]>([
    [{ Phase: 'Created' }, 'open', 2_000],
    [{ Phase: 'Observing', WaitingUntil: '2026-11-24T10:00:30Z' }, 'open', 2_000],
    [{ Phase: 'Observing', WaitingUntil: '2026-11-25T10:00:00Z' }, 'open', 10_000],
    [{ Phase: 'Observing', ...PAUSED }, 'paused', 10_000],
    [{ Phase: 'Done', IsOver: true }, 'ended', false],
  ])('%j', (part, status, interval) => {
    expect(rotationStatus(rotation(part))).toBe(status);
    expect(pollInterval(rotation(part), now)).toBe(interval);
  });
  it('what was not read is not polled', () => expect(pollInterval(undefined)).toBe(false));
});

describe('durations', () => {
  it.each([
    ['0', 'days', 0],
    ['90', 'days', 90 * DAY],
    ['91', 'days', undefined],
    ['15', 'minutes', 900],
    ['', 'days', undefined],
    ['-1', 'days', undefined],
    ['1.5', 'days', undefined],
  ] as const)('%s %s', (count, unit, seconds) =>
    expect(durationSeconds({ count, unit })).toBe(seconds),
  );
  it.each([
    [0, '0', 'days'],
    [90, '90', 'seconds'],
    [5400, '90', 'minutes'],
    [DAY, '1', 'days'],
  ] as const)('%s seconds', (seconds, count, unit) =>
    expect(durationOf(seconds)).toEqual({ count, unit }),
  );
});

describe('the users that a policy applies to', () => {
  const tags = [{ Key: 'team', Value: 'Storage' }];
  const team = (Value: string): UserSelector => ({ Tags: [{ Key: 'team', Value }] });
  it.each<[UserSelector, typeof tags | undefined, boolean | undefined, string]>([
    [{ Everyone: true }, undefined, true, 'All users'],
    [{ PathPrefix: '/service/' }, undefined, true, 'Path /service/'],
    [{ PathPrefix: '/s/' }, undefined, false, 'Path /s/'],
    [team('storage'), tags, true, 'team = storage'],
    [team('stor'), tags, false, 'team = stor'],
    [team('storage'), undefined, undefined, 'team = storage'],
  ])('%j', (selector, known, expected, text) => {
    expect(matches(selector, { Path: '/service/jobs/' }, known)).toBe(expected);
    expect(selectorText(selector)).toBe(text);
  });
  it('the first policy by name applies', () => {
    const policies = [
      { RotationPolicyName: 'z', Everyone: true },
      { RotationPolicyName: 'B', PathPrefix: '/jobs/' },
      { RotationPolicyName: 'a', PathPrefix: '/other/' },
    ];
    expect(effectivePolicy(policies, { Path: '/jobs/' }, [])?.RotationPolicyName).toBe('B');
    expect(effectivePolicy(policies, { Path: '/' }, [])?.RotationPolicyName).toBe('z');
    expect(effectivePolicy([], { Path: '/' }, [])).toBeUndefined();
  });

  const now = new Date('2026-11-24T12:00:00Z');
  const key = (number: number, created: string, active = true) => ({
    [`access_key_${String(number)}_active`]: String(active),
    [`access_key_${String(number)}_last_rotated`]: created,
  });
  it.each([
    [undefined, 'Never: no access key'],
    [key(1, 'N/A', false), 'Never: no access key'],
    [key(2, '2026-11-14T12:00:00Z'), 'Within 80 days'],
    [key(1, '2026-08-27T11:00:00Z'), 'Within 1 day'],
    [key(1, '2026-08-20T12:00:00Z'), 'Now: access key is 96 days old'],
    [key(1, '2026-08-20T12:00:00Z', false), 'Never: access key inactive'],
    [
      { ...key(1, '2026-08-20T12:00:00Z'), ...key(2, '2026-10-20T12:00:00Z', false) },
      'Never: two access keys',
    ],
  ])('next rotation: %j', (row, text) => expect(nextRotation(row, 90, now)).toBe(text));
});
