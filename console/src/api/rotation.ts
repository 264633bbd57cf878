// Rotations and rotation policies. The shapes are the model's.
//
// The server's engine runs rotations; nothing here decides what happens to a key.
import { call, pages } from './client';
import {
  AbandonRotation,
  ChangeRotation,
  ConfirmDelivery,
  DeleteRotationPolicy,
  GetRotation,
  HoldRotation,
  ListRotationHistory,
  ListRotationPlaces,
  ListRotationPolicies,
  ListRotations,
  PutRotationPolicy,
  ReleaseRotation,
  ResumeRotation,
  RetrieveRotationKey,
  RollBackRotation,
  StartRotation,
  type ListRotationsRequest,
  type PutRotationPolicyRequest,
  type RetrieveRotationKeyResponse,
  type Rotation,
  type RotationDelivery,
  type RotationHoldType,
  type RotationPhaseType,
  type RotationPolicy,
  type StartRotationRequest,
} from './generated/keywright';

export type {
  PutRotationPolicyRequest,
  RetrieveRotationKeyResponse,
  Rotation,
  RotationDelivery,
  RotationHoldType,
  RotationPhaseType,
  RotationPolicy,
};

/** The destination that a person delivers the new key to, instead of the server. */
export const MANUAL_DELIVERY = 'person';

/** The users that a rotation policy applies to: all, those under a path, or those with tags. */
export type UserSelector = Pick<RotationPolicy, 'Everyone' | 'PathPrefix' | 'Tags'>;

/** An operation that answers with a rotation. */
const rotationOf = async (answer: Promise<{ Rotation: Rotation }>): Promise<Rotation> =>
  (await answer).Rotation;

/** All rotations, newest first, optionally of one user or only the open ones. */
export const listRotations = (filter: Pick<ListRotationsRequest, 'UserName' | 'Open'> = {}) =>
  pages(ListRotations, filter, (page) => page.Rotations);

export const getRotation = (UserName: string, RotationId?: string) =>
  rotationOf(call(GetRotation, { UserName, RotationId }));
export const startRotation = (request: StartRotationRequest) =>
  rotationOf(call(StartRotation, request));
export const confirmDelivery = (UserName: string) =>
  rotationOf(call(ConfirmDelivery, { UserName }));
export const resumeRotation = (UserName: string) => rotationOf(call(ResumeRotation, { UserName }));
export const releaseRotation = (UserName: string) =>
  rotationOf(call(ReleaseRotation, { UserName }));
export const holdRotation = (UserName: string, Reason: string) =>
  rotationOf(call(HoldRotation, { UserName, Reason }));
export const rollBackRotation = (UserName: string, Reason: string) =>
  rotationOf(call(RollBackRotation, { UserName, Reason }));
export const abandonRotation = (UserName: string, Reason: string) =>
  rotationOf(call(AbandonRotation, { UserName, Reason }));
/** Deactivates the old key without waiting until it is unused: it has leaked. */
export const skipObservation = (UserName: string, Reason: string) =>
  rotationOf(call(ChangeRotation, { UserName, Incident: true, Reason }));
/** Allows the old key to be deleted although no consumer has used the new one. */
export const overrideUnused = (UserName: string, Reason: string) =>
  rotationOf(call(ChangeRotation, { UserName, OverrideUnused: Reason, Reason }));

/** The new key with its secret, for a person to deliver. */
export const retrieveKey = (UserName: string) => call(RetrieveRotationKey, { UserName });

export const listHistory = (UserName: string, RotationId: string) =>
  pages(ListRotationHistory, { UserName, RotationId }, (page) => page.Events);

/** The destinations that the server's operator allows. */
export const listDestinations = async () => (await call(ListRotationPlaces)).Places;

export const listRotationPolicies = () =>
  pages(ListRotationPolicies, {}, (page) => page.RotationPolicies);
export const putRotationPolicy = (request: PutRotationPolicyRequest) =>
  call(PutRotationPolicy, request);
export const deleteRotationPolicy = (RotationPolicyName: string) =>
  call(DeleteRotationPolicy, { RotationPolicyName });
