// Every phase and every reason to hold as a row; what a form and a policy mean.
import { describe, expect, it } from 'vitest';

import models from '../../../../models/keywright.json';
import { PHASES, type Rotation, type Selector } from '../../api/rotation';
import { ADVICE, advice, awaitsPerson, stage, standing, steps, words } from './phases';
import { pause } from './queries';
import { due, first, fits, whom } from './select';
import { secsOf, waitOf } from './waits';

const DAY = 86_400;
const OLD = 'AKIAIOSFODNN7EXAMPLE';
const LUNCH = { code: 'Asked', text: 'held: lunch' };
const NEW = 'AKIAI44QH8DHBEXAMPLE';

const rotation = (part: Partial<Rotation>): Rotation => ({
  id: 'r-1',
  userName: 'ann',
  oldKey: OLD,
  newKey: NEW,
  phase: 'Planned',
  since: '2026-11-24T10:00:00Z',
  started: '2026-11-24T10:00:00Z',
  startedBy: 'arn:aws:iam::123456789012:root',
  observeSecs: DAY,
  dwellSecs: 7 * DAY,
  over: false,
  canRollBack: true,
  canRetrieve: false,
  unused: true,
  deliveries: [],
  ...part,
});

const states = (part: Partial<Rotation>): string =>
  steps(rotation(part))
    .map(({ id, state }) => `${id}:${state}`)
    .join(' ');

const TABLE: Record<(typeof PHASES)[number], readonly [words: string, steps: string]> = {
  Planned: [
    'Beginning',
    'create:moving verify:ahead deliver:ahead watch:ahead deactivate:ahead dwell:ahead delete:ahead',
  ],
  Creating: [
    'Creating the new key',
    'create:moving verify:ahead deliver:ahead watch:ahead deactivate:ahead dwell:ahead delete:ahead',
  ],
  Created: [
    'Verifying the new key',
    'create:done verify:moving deliver:ahead watch:ahead deactivate:ahead dwell:ahead delete:ahead',
  ],
  Distributing: [
    'Delivering the new key',
    'create:done verify:done deliver:moving watch:ahead deactivate:ahead dwell:ahead delete:ahead',
  ],
  Observing: [
    'Watching the old key',
    'create:done verify:done deliver:done watch:moving deactivate:ahead dwell:ahead delete:ahead',
  ],
  Confirming: [
    'Verifying once more',
    'create:done verify:done deliver:done watch:done deactivate:moving dwell:ahead delete:ahead',
  ],
  Deactivating: [
    'Deactivating the old key',
    'create:done verify:done deliver:done watch:done deactivate:moving dwell:ahead delete:ahead',
  ],
  Dwelling: [
    'Old key inactive',
    'create:done verify:done deliver:done watch:done deactivate:done dwell:moving delete:ahead',
  ],
  Deleting: [
    'Deleting the old key',
    'create:done verify:done deliver:done watch:done deactivate:done dwell:done delete:moving',
  ],
  Done: [
    'Done',
    'create:done verify:done deliver:done watch:done deactivate:done dwell:done delete:done',
  ],
  RollingBack: ['Putting back', 'restore:moving settle:ahead retire:ahead'],
  Settling: ['Put back, new key watched', 'restore:done settle:moving retire:ahead'],
  Retiring: ['Put back, new key inactive', 'restore:done settle:done retire:moving'],
  RolledBack: ['Rolled back', 'restore:done settle:done retire:done'],
  UserGone: ['User deleted', ''],
  Abandoned: ['Ended as it was', ''],
};

describe('phases', () => {
  it.each(PHASES)('%s', (phase) => {
    const [said, shown] = TABLE[phase];
    expect(words(phase)).toBe(said);
    expect(states({ phase })).toBe(shown);
  });

  it.each(PHASES)('%s: every step says something of its own', (phase) => {
    const texts = steps(rotation({ phase })).map(({ text }) => text);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(text).toMatch(/^[A-Z].*\.$/);
  });

  it('one that this page does not know is called as the server calls it', () => {
    expect(words('Cooling')).toBe('Cooling');
    expect(states({ phase: 'Cooling' })).toMatch(/^create:moving verify:ahead/);
  });

  it.each<[Partial<Rotation>, string]>([
    [{}, 'watch:moving'],
    [{ waitingFor: 'the old key to stay quiet' }, 'watch:waiting'],
    [{ trouble: 'no answer' }, 'watch:trouble'],
    [{ trouble: 'no answer', held: LUNCH }, 'watch:held'],
    [{ observeSecs: 0 }, 'watch:skipped'],
    [{ observeSecs: 0, held: LUNCH }, 'watch:held'],
  ])('the step that it is at: %j', (part, shown) => {
    expect(states({ phase: 'Observing', ...part }).split(' ')).toContain(shown);
  });

  it('what is not waited for is skipped, not done', () => {
    const shown = states({ phase: 'Done', observeSecs: 0, dwellSecs: 0 }).split(' ');
    expect(shown.filter((one) => one.endsWith('skipped'))).toEqual([
      'watch:skipped',
      'dwell:skipped',
    ]);
    expect(states({ phase: 'RolledBack', observeSecs: 0 })).toContain('settle:skipped');
  });

  it('a rotation that was put back before there was a new key names none', () => {
    const texts = steps(rotation({ phase: 'RolledBack', newKey: undefined }));
    expect(texts.map(({ text }) => text).join(' ')).not.toContain('undefined');
  });
});

describe('deliveries', () => {
  const at = (place: string, name: string) => ({ place, stage: name, failures: 0 });
  it.each([
    ['Distributing', at('person', 'Writing'), true],
    ['Distributing', at('person', 'Written'), false],
    ['Distributing', at('dotenv:/x', 'Writing'), false],
    ['RollingBack', at('person', 'Writing'), false],
    ['Dwelling', at('person', 'Writing'), true],
    ['Distributing', { ...at('person', 'Writing'), removed: true }, false],
  ])('%s %j', (phase, delivery, waits) => {
    expect(awaitsPerson(rotation({ phase, deliveries: [delivery] }))).toBe(waits);
  });
  it.each([
    ['dotenv:/x', 'Pending', 'Not begun'],
    ['dotenv:/x', 'ReadBack', 'Delivered and read back'],
    ['person', 'ReadBack', 'Confirmed'],
    ['person', 'Restored', 'To be put back by hand'],
    ['person', 'Lost', 'Lost'],
  ])('%s %s', (place, name, said) => expect(stage(at(place, name))).toBe(said));
  it('one that was removed says so', () =>
    expect(stage({ ...at('dotenv:/x', 'Writing'), removed: true })).toBe('Removed'));
});

describe('reasons to hold', () => {
  it('each that the API can name has its advice', () => {
    expect(Object.keys(ADVICE)).toEqual(models.shapes.rotationHoldType.enum);
  });
  it.each([
    ['PermissionMissing', 'A permission is missing'],
    ['Asked', 'A person has held this rotation'],
    ['Moon', 'A person must decide'],
  ])('%s', (code, title) => expect(advice({ code, text: '' }).title).toBe(title));
});

describe('lists and polls', () => {
  const now = Date.parse('2026-11-24T10:00:00Z');
  it.each<[Partial<Rotation>, string, number | false]>([
    [{ phase: 'Created' }, 'open', 2_000],
    [{ phase: 'Observing', waitingUntil: '2026-11-24T10:00:30Z' }, 'open', 2_000],
    [{ phase: 'Observing', waitingUntil: '2026-11-25T10:00:00Z' }, 'open', 10_000],
    [{ phase: 'Observing', held: LUNCH }, 'held', 10_000],
    [{ phase: 'Done', over: true }, 'over', false],
  ])('%j', (part, stands, soon) => {
    expect(standing(rotation(part))).toBe(stands);
    expect(pause(rotation(part), now)).toBe(soon);
  });
  it('what was not read is not read again', () => expect(pause(undefined)).toBe(false));
});

describe('waits', () => {
  it.each([
    ['0', 'days', 0],
    ['90', 'days', 90 * DAY],
    ['91', 'days', undefined],
    ['15', 'minutes', 900],
    ['', 'days', undefined],
    ['-1', 'days', undefined],
    ['1.5', 'days', undefined],
  ] as const)('%s %s', (count, unit, secs) => expect(secsOf({ count, unit })).toBe(secs));
  it.each([
    [0, '0', 'days'],
    [90, '90', 'seconds'],
    [5400, '90', 'minutes'],
    [DAY, '1', 'days'],
  ] as const)('%s seconds', (secs, count, unit) => expect(waitOf(secs)).toEqual({ count, unit }));
});

describe('whom a policy means', () => {
  const tags = [{ key: 'team', value: 'Storage' }];
  const team = (value: string): Selector => ({ tags: [{ key: 'team', value }] });
  it.each<[Selector, typeof tags | undefined, boolean | undefined, string]>([
    [{ everyone: true }, undefined, true, 'Everyone'],
    [{ path: '/service/' }, undefined, true, 'Path /service/'],
    [{ path: '/s/' }, undefined, false, 'Path /s/'],
    [team('storage'), tags, true, 'team = storage'],
    [team('stor'), tags, false, 'team = stor'],
    [team('storage'), undefined, undefined, 'team = storage'],
  ])('%j', (selector, known, meant, said) => {
    expect(fits(selector, { path: '/service/jobs/' }, known)).toBe(meant);
    expect(whom(selector)).toBe(said);
  });
  it('the first by name counts', () => {
    const policies = [
      { name: 'z', selector: { everyone: true } as Selector },
      { name: 'B', selector: { path: '/jobs/' } as Selector },
      { name: 'a', selector: { path: '/other/' } as Selector },
    ];
    expect(first(policies, { path: '/jobs/' }, [])?.name).toBe('B');
    expect(first(policies, { path: '/' }, [])?.name).toBe('z');
    expect(first([], { path: '/' }, [])).toBeUndefined();
  });

  const now = new Date('2026-11-24T12:00:00Z');
  const key = (at: number, made: string, active = true) => ({
    [`access_key_${String(at)}_active`]: String(active),
    [`access_key_${String(at)}_last_rotated`]: made,
  });
  it.each([
    [undefined, 'Never: no access key'],
    [key(1, 'N/A', false), 'Never: no access key'],
    [key(2, '2026-11-14T12:00:00Z'), 'In 80 days at the latest'],
    [key(1, '2026-08-27T11:00:00Z'), 'In 1 day at the latest'],
    [key(1, '2026-08-20T12:00:00Z'), 'Now: the key is 96 days old'],
    [key(1, '2026-08-20T12:00:00Z', false), 'Never: the key is inactive'],
    [
      { ...key(1, '2026-08-20T12:00:00Z'), ...key(2, '2026-10-20T12:00:00Z', false) },
      'Never: two access keys',
    ],
  ])('due: %j', (row, said) => expect(due(row, 90, now)).toBe(said));
});
