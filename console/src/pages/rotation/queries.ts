// What the rotation pages read, and how often: repeatedly while a rotation is open and the page is
// visible.
import { useQuery } from '@tanstack/react-query';

import * as api from '../../api/rotation';
import { invalidate } from '../iam/queries';
import { awaitsManualDelivery } from './phases';

const SOON_MS = 2_000;
const LATER_MS = 10_000;

/** How soon a rotation is read again; never if it has ended. */
export function pollInterval(rotation: api.Rotation | undefined, now = Date.now()): number | false {
  if (!rotation || rotation.IsOver) return false;
  const due = rotation.WaitingUntil ? Date.parse(rotation.WaitingUntil) - now : 0;
  const isIdle =
    rotation.HeldReason !== undefined || awaitsManualDelivery(rotation) || due > 60_000;
  return isIdle ? LATER_MS : SOON_MS;
}

export const useRotation = (userName: string, id: string | undefined) =>
  useQuery({
    queryKey: ['rotation', userName, id ?? 'newest'],
    queryFn: () => api.getRotation(userName, id),
    refetchInterval: ({ state }) => pollInterval(state.data),
  });

export const useRotations = () =>
  useQuery({
    queryKey: ['rotations'],
    queryFn: () => api.listRotations(),
    refetchInterval: ({ state }) => (state.data?.some(({ IsOver }) => !IsOver) ? LATER_MS : false),
  });

export const useOpenRotation = (UserName: string, enabled = true) =>
  useQuery({
    queryKey: ['rotation', UserName, 'open'],
    queryFn: async () => (await api.listRotations({ UserName, Open: true }))[0] ?? null,
    enabled,
  });

export const useDestinations = () =>
  useQuery({
    queryKey: ['rotation-destinations'],
    queryFn: api.listDestinations,
    staleTime: 60_000,
  });

export const useRotationPolicies = () =>
  useQuery({
    queryKey: ['rotation-policies'],
    queryFn: api.listRotationPolicies,
    refetchInterval: LATER_MS,
  });

/** Reads a user's rotation and access keys again. */
export const invalidateRotation = (userName: string): void =>
  invalidate(['rotation', userName], ['rotations'], ['user', userName], ['attempts']);
