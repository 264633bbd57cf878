// What the rotation pages read, and how often: again and again while a rotation is open and the
// page is seen.
import { useQuery } from '@tanstack/react-query';

import * as api from '../../api/rotation';
import { changed } from '../iam/queries';
import { awaitsPerson } from './phases';

const SOON_MS = 2_000;
const LATER_MS = 10_000;

/** How soon a rotation is looked at again; never where it is over. */
export function pause(rotation: api.Rotation | undefined, now = Date.now()): number | false {
  if (!rotation || rotation.over) return false;
  const due = rotation.waitingUntil ? Date.parse(rotation.waitingUntil) - now : 0;
  const rests = rotation.held !== undefined || awaitsPerson(rotation) || due > 60_000;
  return rests ? LATER_MS : SOON_MS;
}

export const useRotation = (userName: string, id: string | undefined) =>
  useQuery({
    queryKey: ['rotation', userName, id ?? 'newest'],
    queryFn: () => api.getRotation(userName, id),
    refetchInterval: ({ state }) => pause(state.data),
  });

export const useRotations = () =>
  useQuery({
    queryKey: ['rotations'],
    queryFn: () => api.listRotations(),
    refetchInterval: ({ state }) => (state.data?.some(({ over }) => !over) ? LATER_MS : false),
  });

export const useOpenRotation = (userName: string, enabled = true) =>
  useQuery({
    queryKey: ['rotation', userName, 'open'],
    queryFn: async () => (await api.listRotations({ UserName: userName, Open: true }))[0] ?? null,
    enabled,
  });

export const useAttempts = (keyId: string, enabled: boolean, refetchInterval: number | false) =>
  useQuery({
    queryKey: ['attempts', keyId],
    queryFn: () => api.attemptsWith(keyId),
    enabled,
    refetchInterval,
  });

export const usePlaces = () =>
  useQuery({ queryKey: ['rotation-places'], queryFn: api.listPlaces, staleTime: 60_000 });

export const useRotationPolicies = () =>
  useQuery({
    queryKey: ['rotation-policies'],
    queryFn: api.listPolicies,
    refetchInterval: LATER_MS,
  });

/** Something about a user's rotation has changed, and so about their keys. */
export const rotationChanged = (userName: string): void =>
  changed(['rotation', userName], ['rotations'], ['user', userName], ['attempts']);
