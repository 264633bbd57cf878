// Rotations as the pages read and ask for them.
//
// The server's engine drives them; nothing here decides what happens to a key.
import { call, pages } from './client';
import type { Tag } from './iam';
import type { Xml } from './xml';

export const PHASES = [
  'Planned',
  'Creating',
  'Created',
  'Distributing',
  'Observing',
  'Confirming',
  'Deactivating',
  'Dwelling',
  'Deleting',
  'Done',
  'RollingBack',
  'Settling',
  'Retiring',
  'RolledBack',
  'UserGone',
  'Abandoned',
] as const;
export type Phase = (typeof PHASES)[number];

/** The place that is no place of the server: whoever uses the key. */
export const PERSON = 'person';

export interface Delivery {
  place: string;
  stage: string;
  failures: number;
  trouble?: string | undefined;
  /** A person has removed it: it is left as it is. */
  removed?: boolean | undefined;
}
/** Why nothing goes on until somebody decides. */
export interface Hold {
  /** `rotationHoldType` in models/keywright.json. */
  code: string;
  text: string;
}
export interface Rotation {
  id: string;
  userName: string;
  oldKey: string;
  newKey?: string | undefined;
  /** One of `PHASES`, unless the server is newer than this page. */
  phase: string;
  since: string;
  started: string;
  startedBy: string;
  policy?: string | undefined;
  observeSecs: number;
  dwellSecs: number;
  over: boolean;
  canRollBack: boolean;
  held?: Hold | undefined;
  waitingFor?: string | undefined;
  waitingUntil?: string | undefined;
  trouble?: string | undefined;
  /** Whether the new key can still be retrieved by a person. */
  canRetrieve: boolean;
  /** Whether the old key goes only when a consumer has used the new one, and none has yet. */
  unused: boolean;
  endedBecause?: string | undefined;
  deliveries: Delivery[];
}
export interface Attempt {
  address: string;
  agent: string;
  action: string;
  last: string;
  count: number;
}
export interface HistoryEvent {
  time: string;
  text: string;
  hash: string;
}
export type Selector = { path: string } | { tags: Tag[] } | { everyone: true };
export interface RotationPolicy {
  name: string;
  selector: Selector;
  maxAgeDays: number;
  jitterDays: number;
  observeSecs: number;
  dwellSecs: number;
  places: string[];
  createdBy: string;
  created: string;
  updated: string;
  /** What was in its way when the server last looked. */
  trouble?: string | undefined;
}
export interface Begin {
  userName: string;
  keyId: string;
  places: string[];
  /** Nothing where an incident skips it. */
  observeSecs: number | undefined;
  dwellSecs: number;
  incident: boolean;
}

const must = (node: Xml, name: string): string => node.text(name) ?? '';
const number = (node: Xml, name: string): number => Number(node.text(name) ?? 0);
const yes = (node: Xml, name: string): boolean => node.text(name) === 'true';
const texts = (node: Xml, name: string): string[] => node.list(name).map(({ value }) => value);

function hold(node: Xml): Hold | undefined {
  const text = node.text('HeldReason');
  return text === undefined ? undefined : { code: must(node, 'HeldCode'), text };
}

const rotation = (node: Xml): Rotation => ({
  id: must(node, 'RotationId'),
  userName: must(node, 'UserName'),
  oldKey: must(node, 'OldAccessKeyId'),
  newKey: node.text('NewAccessKeyId'),
  phase: must(node, 'Phase'),
  since: must(node, 'PhaseSince'),
  started: must(node, 'StartDate'),
  startedBy: must(node, 'StartedBy'),
  policy: node.text('RotationPolicyName'),
  observeSecs: number(node, 'ObserveSeconds'),
  dwellSecs: number(node, 'DwellSeconds'),
  over: yes(node, 'IsOver'),
  canRollBack: yes(node, 'CanRollBack'),
  held: hold(node),
  waitingFor: node.text('WaitingFor'),
  waitingUntil: node.text('WaitingUntil'),
  trouble: node.text('Trouble'),
  canRetrieve: yes(node, 'CanRetrieveKey'),
  unused:
    node.text('NewKeyFirstUsedDate') === undefined &&
    node.text('OverrideUnusedReason') === undefined,
  endedBecause: node.text('EndedBecause'),
  deliveries: node.list('Deliveries').map((delivery) => ({
    place: must(delivery, 'Place'),
    stage: must(delivery, 'Stage'),
    failures: number(delivery, 'Failures'),
    trouble: delivery.text('Trouble'),
    removed: yes(delivery, 'Removed'),
  })),
});

const tags = (node: Xml): Tag[] =>
  node.list('Tags').map((tag) => ({ key: must(tag, 'Key'), value: must(tag, 'Value') }));

function selector(node: Xml): Selector {
  const path = node.text('PathPrefix');
  if (path !== undefined) return { path };
  return yes(node, 'Everyone') ? { everyone: true } : { tags: tags(node) };
}

const policy = (node: Xml): RotationPolicy => ({
  name: must(node, 'RotationPolicyName'),
  selector: selector(node),
  maxAgeDays: number(node, 'MaxAgeDays'),
  jitterDays: number(node, 'JitterDays'),
  observeSecs: number(node, 'ObserveSeconds'),
  dwellSecs: number(node, 'DwellSeconds'),
  places: texts(node, 'Places'),
  createdBy: must(node, 'CreatedBy'),
  created: must(node, 'CreateDate'),
  updated: must(node, 'UpdateDate'),
  trouble: node.text('Trouble'),
});

/** Calls an operation that answers with a rotation. */
async function one(
  action: string,
  parameters: { readonly [name: string]: string | number | boolean | string[] | undefined },
): Promise<Rotation> {
  const found = (await call('keywright', action, parameters)).child('Rotation');
  if (!found) throw new Error(`${action} answered no rotation.`);
  return rotation(found);
}

/** All rotations, newest first; those of a user, or the open ones, where asked for. */
export const listRotations = (only: { UserName?: string; Open?: boolean } = {}) =>
  pages('keywright', 'ListRotations', only, (page) => page.list('Rotations').map(rotation));

export const getRotation = (UserName: string, RotationId?: string): Promise<Rotation> =>
  one('GetRotation', { UserName, RotationId });

export const startRotation = (begin: Begin): Promise<Rotation> =>
  one('StartRotation', {
    UserName: begin.userName,
    AccessKeyId: begin.keyId,
    Places: begin.places,
    ObserveSeconds: begin.observeSecs,
    DwellSeconds: begin.dwellSecs,
    Incident: begin.incident,
  });

export const confirmDelivery = (UserName: string) => one('ConfirmDelivery', { UserName });
export const resumeRotation = (UserName: string) => one('ResumeRotation', { UserName });
export const releaseRotation = (UserName: string) => one('ReleaseRotation', { UserName });
export const holdRotation = (UserName: string, Reason: string) =>
  one('HoldRotation', { UserName, Reason });
export const rollBackRotation = (UserName: string, Reason: string) =>
  one('RollBackRotation', { UserName, Reason });

export const abandonRotation = (UserName: string, Reason: string) =>
  one('AbandonRotation', { UserName, Reason });
/** The old key has leaked: it is not waited until it is quiet. */
export const hurryRotation = (UserName: string, Reason: string) =>
  one('ChangeRotation', { UserName, Incident: true, Reason });
/** The old key may be deleted although no consumer has used the new one. */
export const overrideUnused = (UserName: string, Reason: string) =>
  one('ChangeRotation', { UserName, OverrideUnused: Reason, Reason });

/** The new key with its secret, for a person to deliver. */
export async function retrieveKey(UserName: string): Promise<{ id: string; secret: string }> {
  const got = await call('keywright', 'RetrieveRotationKey', { UserName });
  return { id: must(got, 'AccessKeyId'), secret: must(got, 'SecretAccessKey') };
}

export const historyOf = (UserName: string, RotationId: string) =>
  pages('keywright', 'ListRotationHistory', { UserName, RotationId }, (page) =>
    page.list('Events').map((event): HistoryEvent => ({
      time: must(event, 'EventTime'),
      text: must(event, 'Event'),
      hash: must(event, 'Hash'),
    })),
  );

/** Where the server may deliver keys to, as its operator allows. */
export const listPlaces = async (): Promise<string[]> =>
  texts(await call('keywright', 'ListRotationPlaces'), 'Places');

/** Who tried an inactive key, the latest first. */
export async function attemptsWith(AccessKeyId: string): Promise<Attempt[]> {
  const got = await call('keywright', 'ListAccessKeyAttempts', { AccessKeyId });
  const attempts = got.list('Attempts').map((node) => ({
    address: must(node, 'SourceAddress'),
    agent: node.text('UserAgent') ?? '–',
    action: must(node, 'Action'),
    last: must(node, 'LastAttempt'),
    count: number(node, 'Count'),
  }));
  return attempts.sort((a, b) => Date.parse(b.last) - Date.parse(a.last));
}

export const listPolicies = () =>
  pages('keywright', 'ListRotationPolicies', {}, (page) =>
    page.list('RotationPolicies').map(policy),
  );

export type PolicyToPut = Omit<RotationPolicy, 'createdBy' | 'created' | 'updated' | 'trouble'>;

export async function putPolicy(put: PolicyToPut): Promise<void> {
  await call('keywright', 'PutRotationPolicy', {
    RotationPolicyName: put.name,
    ...('path' in put.selector ? { PathPrefix: put.selector.path } : {}),
    ...('everyone' in put.selector ? { Everyone: true } : {}),
    ...('tags' in put.selector
      ? { Tags: put.selector.tags.map(({ key, value }) => ({ Key: key, Value: value })) }
      : {}),
    MaxAgeDays: put.maxAgeDays,
    JitterDays: put.jitterDays,
    ObserveSeconds: put.observeSecs,
    DwellSeconds: put.dwellSecs,
    Places: put.places,
  });
}

export const deletePolicy = (RotationPolicyName: string) =>
  call('keywright', 'DeleteRotationPolicy', { RotationPolicyName });
