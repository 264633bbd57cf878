// The engine's phases as the steps and words of the pages.
//
// Pure: what a rotation says about itself goes in, texts come out. The steps are in the order in
// which the engine takes them.
import {
  PERSON,
  PHASES,
  type Delivery,
  type Hold,
  type Phase,
  type Rotation,
} from '../../api/rotation';
import { span } from '../../lib/age';

type StepId =
  | 'create'
  | 'verify'
  | 'deliver'
  | 'watch'
  | 'deactivate'
  | 'dwell'
  | 'delete'
  | 'restore'
  | 'settle'
  | 'retire';

export type StepState = 'done' | 'moving' | 'waiting' | 'trouble' | 'held' | 'skipped' | 'ahead';

export interface Step {
  id: StepId;
  title: string;
  state: StepState;
  text: string;
}

const FORWARD = ['create', 'verify', 'deliver', 'watch', 'deactivate', 'dwell', 'delete'] as const;
const BACK = ['restore', 'settle', 'retire'] as const;

const TITLES: Record<StepId, string> = {
  create: 'Create',
  verify: 'Verify',
  deliver: 'Deliver',
  watch: 'Watch',
  deactivate: 'Deactivate',
  dwell: 'Dwell',
  delete: 'Delete',
  restore: 'Put back',
  settle: 'Watch the new key',
  retire: 'Remove the new key',
};

/** A phase in words, and the step that it belongs to; nothing where no step is left. */
const KNOWN: Record<Phase, { words: string; step?: StepId }> = {
  Planned: { words: 'Beginning', step: 'create' },
  Creating: { words: 'Creating the new key', step: 'create' },
  Created: { words: 'Verifying the new key', step: 'verify' },
  Distributing: { words: 'Delivering the new key', step: 'deliver' },
  Observing: { words: 'Watching the old key', step: 'watch' },
  Confirming: { words: 'Verifying once more', step: 'deactivate' },
  Deactivating: { words: 'Deactivating the old key', step: 'deactivate' },
  Dwelling: { words: 'Old key inactive', step: 'dwell' },
  Deleting: { words: 'Deleting the old key', step: 'delete' },
  Done: { words: 'Done' },
  RollingBack: { words: 'Putting back', step: 'restore' },
  Settling: { words: 'Put back, new key watched', step: 'settle' },
  Retiring: { words: 'Put back, new key inactive', step: 'retire' },
  RolledBack: { words: 'Rolled back' },
  UserGone: { words: 'User deleted' },
  Abandoned: { words: 'Ended as it was' },
};

const BACK_PHASES: readonly string[] = ['RollingBack', 'Settling', 'Retiring', 'RolledBack'];

const known = (phase: string) =>
  (PHASES as readonly string[]).includes(phase) ? KNOWN[phase as Phase] : undefined;

/** A phase in a few words; one that this page does not know as the server calls it. */
export const words = (phase: string): string => known(phase)?.words ?? phase;

/** Whether a rotation is being put back, or was. */
export const isBack = ({ phase }: Rotation): boolean => BACK_PHASES.includes(phase);

/** Whether the server waits for somebody to deliver the new key and say so. */
export const awaitsPerson = ({ phase, deliveries }: Rotation): boolean =>
  (phase === 'Distributing' || phase === 'Dwelling') &&
  deliveries.some(
    ({ place, stage, removed }) => place === PERSON && stage === 'Writing' && !removed,
  );

/** A principal of this account without what is the same for all. */
export const principal = (arn: string): string => arn.split(':').slice(5).join(':') || arn;

function isSkipped(id: StepId, { observeSecs, dwellSecs }: Rotation): boolean {
  if (id === 'watch' || id === 'settle') return observeSecs === 0;
  return id === 'dwell' && dwellSecs === 0;
}

/** All steps of a rotation, and how far each is. */
export function steps(rotation: Rotation): Step[] {
  // Which of them were done before it ended is in the history.
  if (rotation.phase === 'UserGone' || rotation.phase === 'Abandoned') return [];
  const ids: readonly StepId[] = isBack(rotation) ? BACK : FORWARD;
  const phase = known(rotation.phase);
  const at = phase?.step ? ids.indexOf(phase.step) : phase ? ids.length : 0;
  return ids.map((id, place) => {
    const state = place === at ? stateNow(rotation) : place < at ? 'done' : 'ahead';
    const shown = state === 'held' || state === 'trouble' || !isSkipped(id, rotation);
    const shownState = shown ? state : 'skipped';
    return { id, title: TITLES[id], state: shownState, text: text(id, shownState, rotation) };
  });
}

function stateNow(rotation: Rotation): StepState {
  if (rotation.held !== undefined) return 'held';
  if (rotation.trouble !== undefined) return 'trouble';
  return rotation.waitingFor !== undefined ? 'waiting' : 'moving';
}

/** What the server still has to do, or did, in a step. */
function text(id: StepId, state: StepState, rotation: Rotation): string {
  const { oldKey, userName, observeSecs, dwellSecs } = rotation;
  const newKey = rotation.newKey ?? 'the new key';
  const done = state === 'done';
  switch (id) {
    case 'create':
      if (done) return `${newKey} was created.`;
      return 'A second key is created, and its secret sealed on disk before anything else happens.';
    case 'verify':
      if (done) return `It was accepted five times in a row as ${userName}.`;
      return `The new key must be accepted five times in a row as ${userName}.`;
    case 'deliver':
      if (done) return 'Every place has the new key.';
      return 'Both keys work until every place has the new one.';
    case 'watch':
      if (state === 'skipped') return 'Skipped: whoever still uses the old key will be refused.';
      // Somebody may have deactivated or deleted it by hand meanwhile.
      if (done) return `The watch over ${oldKey} has ended.`;
      return `${oldKey} must be unused for ${span(observeSecs)}. Each use begins the wait again.`;
    case 'deactivate':
      if (done) return `Nobody can use ${oldKey} any more.`;
      return 'Places and the new key are checked once more, then the old key is deactivated.';
    case 'dwell':
      if (state === 'skipped') return 'Skipped: the old key is deleted at once, for good.';
      if (done) return `The dwell of ${oldKey} has ended.`;
      return `${oldKey} stays inactive for ${span(dwellSecs)}. Until then it can be brought back.`;
    case 'delete':
      if (done) return `${oldKey} was deleted.`;
      return `${oldKey} is deleted once a program has used the new key. This cannot be undone.`;
    case 'restore':
      if (done) return `${oldKey} is active, and places are as they were.`;
      return `${oldKey} is made active, and every place gets back what it had.`;
    case 'settle':
      if (state === 'skipped') return 'Skipped: whoever still uses the new key will be refused.';
      if (done) return `The watch over ${newKey} has ended.`;
      return `Whoever got ${newKey} goes back: it must be unused for ${span(observeSecs)}.`;
    case 'retire':
      return done ? `${newKey} was deleted.` : `${newKey} is deactivated, and deleted later.`;
  }
}

const STAGES: Record<string, string> = {
  Pending: 'Not begun',
  Staged: 'Backup taken',
  Writing: 'Being written',
  Written: 'Written, to be read back',
  ReadBack: 'Delivered and read back',
  Restored: 'Put back as it was',
};
const STAGES_OF_PERSON: Record<string, string> = {
  Pending: 'Not begun',
  Staged: 'Not begun',
  Writing: 'Waits for you: fetch the new key, put it in place, confirm',
  Written: 'Confirmed',
  ReadBack: 'Confirmed',
  Restored: 'To be put back by hand',
};

/** How far a delivery is, in words. */
export const stage = ({ place, stage: name, removed }: Delivery): string =>
  removed ? 'Removed' : ((place === PERSON ? STAGES_OF_PERSON : STAGES)[name] ?? name);

/** A place in words. */
export const placeName = (place: string): string => (place === PERSON ? 'By hand (person)' : place);

export interface Advice {
  title: string;
  todo: string;
}

/** What is to be done about each reason that the engine holds for, by its code. */
export const ADVICE: Readonly<Record<string, Advice>> = {
  SecondKey: {
    title: 'The user has a second key',
    todo: 'Find out who made it and who uses it. When it is gone, release the rotation.',
  },
  OldKeyGone: {
    title: 'The key to replace is gone',
    todo: 'If it was deactivated by mistake, activate it and release the rotation. If it was deleted, end the rotation.',
  },
  NewKeyGone: {
    title: 'The new key is gone',
    todo: 'If it was deactivated, activate it and release the rotation. If it was deleted, roll back.',
  },
  KeyActivated: {
    title: 'Somebody activated a key that should rest',
    todo: 'Ask who needs it. Deactivate it and release the rotation, or roll back.',
  },
  AnotherUser: {
    title: 'This is another user now',
    todo: 'This rotation must not touch that one. If its own user was deleted, roll back to end it.',
  },
  UserMissing: {
    title: 'The user is not there any more',
    todo: 'If it was deleted, roll back to end the rotation.',
  },
  NotVerified: {
    title: 'The new key was not accepted',
    todo: 'Nobody has got it yet. Roll back, or release the rotation to try again.',
  },
  StillUsed: {
    title: 'Somebody still needs the old key',
    todo: 'See below who it is and bring them the new key. Then release: the watch begins again.',
  },
  PlaceFailed: {
    title: 'A place cannot be written or read',
    todo: 'Both keys work meanwhile. Mend the place, then release the rotation; or roll back.',
  },
  PermissionMissing: {
    title: 'A permission is missing',
    todo: 'Allow it to whoever started it. It then goes on by itself, or at once when released.',
  },
  OtherRotation: {
    title: 'Another rotation works on this user',
    todo: 'Let it end, for example a keywright rotate on another machine. Then release this one.',
  },
  NotOurs: {
    title: 'A key may be ours, but somebody uses it',
    todo: 'Find out who made it. When it is gone, release the rotation.',
  },
  Asked: {
    title: 'A person has held this rotation',
    todo: 'Nothing happens until it is released.',
  },
  NewKeyUnused: {
    title: 'No program has used the new key',
    todo: 'Bring it to whatever used the old one: the rotation then goes on by itself. If nothing does any more, delete the old key all the same.',
  },
};

/** What a person can do about a held rotation. */
export const advice = ({ code }: Hold): Advice =>
  ADVICE[code] ?? {
    title: 'A person must decide',
    todo: 'When the reason is gone, release the rotation; or roll back.',
  };

export type Standing = 'open' | 'held' | 'over';

/** What a rotation is counted as in a list. */
export function standing({ over, held }: Rotation): Standing {
  if (over) return 'over';
  return held === undefined ? 'open' : 'held';
}
