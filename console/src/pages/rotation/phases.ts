// The phases of a rotation as the pages show them.
//
// Pure: a rotation goes in, texts come out. The steps are in the order in which the engine takes
// them.
import {
  MANUAL_DELIVERY,
  type Rotation,
  type RotationDelivery,
  type RotationHoldType,
  type RotationPhaseType,
} from '../../api/rotation';
import { durationText } from '../../lib/age';

type StepId =
  | 'create'
  | 'verify'
  | 'deliver'
  | 'observe'
  | 'deactivate'
  | 'grace'
  | 'delete'
  | 'restore'
  | 'observe-new'
  | 'retire';

export type StepState =
  'done' | 'running' | 'waiting' | 'failing' | 'paused' | 'skipped' | 'pending';

export interface Step {
  id: StepId;
  title: string;
  state: StepState;
  text: string;
}

const FORWARD = [
  'create',
  'verify',
  'deliver',
  'observe',
  'deactivate',
  'grace',
  'delete',
] as const satisfies readonly StepId[];
const BACK = ['restore', 'observe-new', 'retire'] as const satisfies readonly StepId[];

const TITLES: Record<StepId, string> = {
  create: 'Create',
  verify: 'Verify',
  deliver: 'Deliver',
  observe: 'Observe',
  deactivate: 'Deactivate',
  grace: 'Grace period',
  delete: 'Delete',
  restore: 'Restore',
  'observe-new': 'Observe the new key',
  retire: 'Remove the new key',
};

/** A phase in words, and the step that it belongs to; without a step, the rotation has ended. */
const PHASES: Record<RotationPhaseType, { text: string; step?: StepId }> = {
  Planned: { text: 'Starting', step: 'create' },
  Creating: { text: 'Creating the new key', step: 'create' },
  Created: { text: 'Verifying the new key', step: 'verify' },
  Distributing: { text: 'Delivering the new key', step: 'deliver' },
  Observing: { text: 'Observing the old key', step: 'observe' },
  Confirming: { text: 'Verifying again', step: 'deactivate' },
  Deactivating: { text: 'Deactivating the old key', step: 'deactivate' },
  Dwelling: { text: 'Old key inactive', step: 'grace' },
  Deleting: { text: 'Deleting the old key', step: 'delete' },
  Done: { text: 'Complete' },
  RollingBack: { text: 'Rolling back', step: 'restore' },
  Settling: { text: 'Rolled back, observing the new key', step: 'observe-new' },
  Retiring: { text: 'Rolled back, new key inactive', step: 'retire' },
  RolledBack: { text: 'Rolled back' },
  UserGone: { text: 'User deleted' },
  Abandoned: { text: 'Ended early' },
};

const BACK_PHASES: readonly string[] = ['RollingBack', 'Settling', 'Retiring', 'RolledBack'];

/** A server that is newer than this page may have other phases. */
const phaseOf = (phase: string): { text: string; step?: StepId } | undefined =>
  Object.hasOwn(PHASES, phase) ? PHASES[phase as RotationPhaseType] : undefined;

/** A phase in a few words; an unknown one by its name. */
export const phaseText = (phase: string): string => phaseOf(phase)?.text ?? phase;

/** Whether a rotation is being rolled back, or was. */
export const isRolledBack = ({ Phase }: Rotation): boolean => BACK_PHASES.includes(Phase);

/** Whether the server waits for a person to deliver the new key and confirm. */
export const awaitsManualDelivery = ({ Phase, Deliveries }: Rotation): boolean =>
  (Phase === 'Distributing' || Phase === 'Dwelling') &&
  Deliveries.some(
    ({ Place, Stage, Removed }) => Place === MANUAL_DELIVERY && Stage === 'Writing' && !Removed,
  );

/** Whether the old key must not be deleted yet because no consumer has used the new one. */
export const awaitsFirstUse = ({ NewKeyFirstUsedDate, OverrideUnusedReason }: Rotation): boolean =>
  NewKeyFirstUsedDate === undefined && OverrideUnusedReason === undefined;

function isSkipped(id: StepId, { ObserveSeconds, DwellSeconds }: Rotation): boolean {
  if (id === 'observe' || id === 'observe-new') return ObserveSeconds === 0;
  return id === 'grace' && DwellSeconds === 0;
}

/** All steps of a rotation, and the state of each. */
export function steps(rotation: Rotation): Step[] {
  // Which steps were done before it ended is in the history.
  if (rotation.Phase === 'UserGone' || rotation.Phase === 'Abandoned') return [];
  const ids: readonly StepId[] = isRolledBack(rotation) ? BACK : FORWARD;
  const phase = phaseOf(rotation.Phase);
  const current = phase?.step ? ids.indexOf(phase.step) : phase ? ids.length : 0;
  return ids.map((id, index) => {
    const reached = index < current ? 'done' : 'pending';
    const byPhase = index === current ? currentState(rotation) : reached;
    const needsAttention = byPhase === 'paused' || byPhase === 'failing';
    const state = isSkipped(id, rotation) && !needsAttention ? 'skipped' : byPhase;
    return { id, title: TITLES[id], state, text: stepText(id, state, rotation) };
  });
}

function currentState({ HeldReason, Trouble, WaitingFor }: Rotation): StepState {
  if (HeldReason !== undefined) return 'paused';
  if (Trouble !== undefined) return 'failing';
  return WaitingFor !== undefined ? 'waiting' : 'running';
}

/** What happens in a step, or has happened. */
function stepText(id: StepId, state: StepState, rotation: Rotation): string {
  const { OldAccessKeyId: oldKey, UserName, ObserveSeconds, DwellSeconds } = rotation;
  const newKey = rotation.NewAccessKeyId ?? 'the new key';
  const done = state === 'done';
  switch (id) {
    case 'create':
      if (done) return `${newKey} was created.`;
      return 'A second key is created, and its secret is encrypted on disk before anything else happens.';
    case 'verify':
      if (done) return `The new key was accepted five times in a row as ${UserName}.`;
      return `The new key must be accepted five times in a row as ${UserName}.`;
    case 'deliver':
      if (done) return 'Every destination has the new key.';
      return 'Both keys work until every destination has the new one.';
    case 'observe':
      if (state === 'skipped') return 'Skipped: clients that still use the old key are rejected.';
      // It may have been deactivated or deleted by hand meanwhile.
      if (done) return `The observation period of ${oldKey} has ended.`;
      return `${oldKey} must be unused for ${durationText(ObserveSeconds)}. Each use restarts the period.`;
    case 'deactivate':
      if (done) return `${oldKey} can no longer be used.`;
      return 'Destinations and the new key are checked again, then the old key is deactivated.';
    case 'grace':
      if (state === 'skipped') return 'Skipped: the old key is deleted immediately.';
      if (done) return `The grace period of ${oldKey} has ended.`;
      return `${oldKey} stays inactive for ${durationText(DwellSeconds)}. Until then, you can roll back.`;
    case 'delete':
      if (done) return `${oldKey} was deleted.`;
      return `${oldKey} is deleted after a client has used the new key. This can't be undone.`;
    case 'restore':
      if (done) return `${oldKey} is active, and the destinations are restored.`;
      return `${oldKey} is activated, and the destinations are restored.`;
    case 'observe-new':
      if (state === 'skipped') return 'Skipped: clients that still use the new key are rejected.';
      if (done) return `The observation period of ${newKey} has ended.`;
      return `Clients switch back to the old key: ${newKey} must be unused for ${durationText(ObserveSeconds)}.`;
    case 'retire':
      return done ? `${newKey} was deleted.` : `${newKey} is deactivated, and deleted later.`;
  }
}

type StageTexts = Record<RotationDelivery['Stage'], string>;

const STAGES: StageTexts = {
  Pending: 'Not started',
  Staged: 'Backed up',
  Writing: 'Writing',
  Written: 'Written, not yet read back',
  ReadBack: 'Delivered and read back',
  Restored: 'Restored',
};
const MANUAL_STAGES: StageTexts = {
  Pending: 'Not started',
  Staged: 'Not started',
  Writing: 'Retrieve the new key, install it, and confirm',
  Written: 'Confirmed',
  ReadBack: 'Confirmed',
  Restored: 'Restore manually',
};

/** The progress of a delivery in words. */
export function stageText({ Place, Stage, Removed }: RotationDelivery): string {
  if (Removed) return 'Removed';
  const texts = Place === MANUAL_DELIVERY ? MANUAL_STAGES : STAGES;
  return Object.hasOwn(texts, Stage) ? texts[Stage] : Stage;
}

/** A destination in words. */
export const destinationName = (destination: string): string =>
  destination === MANUAL_DELIVERY ? 'Manual' : destination;

interface HoldAdvice {
  title: string;
  todo: string;
}

const HOLD_ADVICE: Record<RotationHoldType, HoldAdvice> = {
  SecondKey: {
    title: 'The user has another access key',
    todo: 'Find out who created it and what uses it. After it is deleted, resume the rotation.',
  },
  OldKeyGone: {
    title: 'The old key is missing or inactive',
    todo: 'If it was deactivated by mistake, activate it and resume the rotation. If it was deleted, end the rotation.',
  },
  NewKeyGone: {
    title: 'The new key is missing or inactive',
    todo: 'If it was deactivated, activate it and resume the rotation. If it was deleted, roll back.',
  },
  KeyActivated: {
    title: 'A deactivated key was activated again',
    todo: 'Find out what needs it. Deactivate it and resume the rotation, or roll back.',
  },
  AnotherUser: {
    title: 'The user was replaced by another one of the same name',
    todo: 'The rotation does not change the keys of the new user. Roll back to end it.',
  },
  UserMissing: {
    title: 'The user no longer exists',
    todo: 'If it was deleted, roll back to end the rotation.',
  },
  NotVerified: {
    title: 'The new key was not accepted',
    todo: 'It has not been delivered yet. Roll back, or resume the rotation to try again.',
  },
  StillUsed: {
    title: 'The old key is still in use',
    todo: 'See the key usage below and deliver the new key to those clients. Then resume: the observation period restarts.',
  },
  PlaceFailed: {
    title: 'A destination cannot be written or read',
    todo: 'Both keys work meanwhile. Repair the destination and resume the rotation, or roll back.',
  },
  PermissionMissing: {
    title: 'A permission is missing',
    todo: 'Grant it to the principal that started the rotation. The rotation then continues by itself, or immediately when you resume it.',
  },
  OtherRotation: {
    title: 'Another rotation of this user is in progress',
    todo: 'Wait until it ends, for example a keywright rotate on another machine. Then resume this one.',
  },
  NotOurs: {
    title: 'A key of unknown origin is in use',
    todo: 'Find out who created it. After it is deleted, resume the rotation.',
  },
  Asked: {
    title: 'Rotation paused',
    todo: 'It stays paused until someone resumes it.',
  },
  NewKeyUnused: {
    title: 'The new key has not been used',
    todo: 'Deliver it to the clients of the old key; the rotation then continues. If no client is left, skip the usage check.',
  },
};

/** What a person can do about a rotation that is on hold. */
export const holdAdvice = (code: string | undefined): HoldAdvice =>
  code !== undefined && Object.hasOwn(HOLD_ADVICE, code)
    ? HOLD_ADVICE[code as RotationHoldType]
    : {
        title: 'Manual action required',
        todo: 'After you have resolved the cause, resume the rotation, or roll back.',
      };

export type RotationStatus = 'open' | 'paused' | 'ended';

export function rotationStatus({ IsOver, HeldReason }: Rotation): RotationStatus {
  if (IsOver) return 'ended';
  return HeldReason === undefined ? 'open' : 'paused';
}
