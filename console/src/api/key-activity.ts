// The activity of an access key: its last use, and the requests that were rejected while it was
// inactive. The server knows both to the second, which AWS's own operations cannot say.
import { call } from './client';
import { GetAccessKeyLastUsed } from './generated/iam';
import {
  GetAccessKeyUse,
  ListAccessKeyAttempts,
  type AccessKeyAttempt,
} from './generated/keywright';
import { isDenied, queryClient } from './session';

/** A use of an access key; without a date, it has never been used. */
export interface KeyUse {
  date?: string | undefined;
  service?: string | undefined;
  region?: string | undefined;
  /** To the second. Otherwise it is the first use within 15 minutes, as on AWS. */
  isExact: boolean;
}

export interface KeyUses {
  /** By anyone. */
  last: KeyUse;
  /** By a client: the checks of a rotation and GetCallerIdentity do not count, where known. */
  client: KeyUse;
}

export interface KeyAttempts {
  total: number;
  /** The latest first. */
  attempts: readonly AccessKeyAttempt[];
}

/**
 * What an operation answers; null if it is denied. A denial is remembered for some minutes: pages
 * that refresh themselves must not fill the list of denied requests.
 */
export async function unlessDenied<T>(
  operation: string,
  of: string,
  ask: () => Promise<T>,
): Promise<T | null> {
  const queryKey = ['denial', operation, of];
  if (queryClient.getQueryData(queryKey) === true) return null;
  try {
    return await ask();
  } catch (error) {
    if (!isDenied(error)) throw error;
    queryClient.setQueryData(queryKey, true);
    return null;
  }
}

/** The last use of a key; null if the caller may not know it. */
export async function keyUses(AccessKeyId: string): Promise<KeyUses | null> {
  const exact = await unlessDenied('GetAccessKeyUse', AccessKeyId, () =>
    call(GetAccessKeyUse, { AccessKeyId }),
  );
  if (exact) {
    return {
      last: {
        date: exact.LastUsedDate,
        service: exact.ServiceName,
        region: exact.Region,
        isExact: true,
      },
      client: {
        date: exact.ConsumerLastUsedDate,
        service: exact.ConsumerServiceName,
        region: exact.ConsumerRegion,
        isExact: true,
      },
    };
  }
  const coarse = await unlessDenied('GetAccessKeyLastUsed', AccessKeyId, () =>
    call(GetAccessKeyLastUsed, { AccessKeyId }),
  );
  if (!coarse) return null;
  const { LastUsedDate: date, ServiceName, Region } = coarse.AccessKeyLastUsed ?? {};
  const last = date
    ? { date, service: ServiceName, region: Region, isExact: false }
    : { isExact: false };
  return { last, client: last };
}

/** The requests that were signed with a key while it was inactive; null if that is denied. */
export async function keyAttempts(AccessKeyId: string): Promise<KeyAttempts | null> {
  const answer = await unlessDenied('ListAccessKeyAttempts', AccessKeyId, () =>
    call(ListAccessKeyAttempts, { AccessKeyId }),
  );
  if (!answer) return null;
  const time = ({ LastAttempt }: AccessKeyAttempt): number => Date.parse(LastAttempt);
  return {
    total: answer.Total,
    attempts: answer.Attempts.toSorted((a, b) => time(b) - time(a)),
  };
}
