// What several pages read, under the keys by which a change makes them read it again.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as iam from '../../api/iam';
import { keyAttempts, keyUses, unlessDenied, type KeyUses } from '../../api/key-activity';
import { listProviders } from '../../api/providers';
import { getRole, listRoles } from '../../api/roles';
import { queryClient } from '../../api/session';
import { fullDate } from '../../lib/age';
import { csvRows } from '../../lib/csv';
import { UNKNOWN } from '../../lib/key-activity';

export const useUsers = () => useQuery({ queryKey: ['users'], queryFn: iam.listUsers });
export const useGroups = () => useQuery({ queryKey: ['groups'], queryFn: iam.listGroups });
export const useRoles = () => useQuery({ queryKey: ['roles'], queryFn: listRoles });
export const useRole = (name: string) =>
  useQuery({ queryKey: ['role', name], queryFn: () => getRole(name) });
export const useProviders = () => useQuery({ queryKey: ['providers'], queryFn: listProviders });
export const usePolicies = () =>
  useQuery({ queryKey: ['policies'], queryFn: iam.listPolicies, staleTime: 60_000 });
export const useAlias = () => useQuery({ queryKey: ['alias'], queryFn: iam.accountAlias });
export const usePasswordPolicy = () =>
  useQuery({ queryKey: ['password-policy'], queryFn: iam.passwordPolicy });
export const useLoginProfile = (name: string) =>
  useQuery({ queryKey: ['user', name, 'login'], queryFn: () => iam.loginProfile(name) });
export const useUser = (name: string) =>
  useQuery({ queryKey: ['user', name], queryFn: () => iam.getUser(name) });
export const useUserGroups = (name: string) =>
  useQuery({ queryKey: ['user', name, 'groups'], queryFn: () => iam.listUserGroups(name) });

/** The last sign-in with a password, which is null where the user has none. */
export function lastSignIn(
  user: iam.User | undefined,
  password: iam.LoginProfile | null | undefined,
): string {
  if (!user) return UNKNOWN;
  if (user.PasswordLastUsed) return fullDate(user.PasswordLastUsed);
  return password === null ? '–' : 'Never';
}

/** The credential report by user name: the state of all credentials in two calls. */
export const useReport = () =>
  useQuery({
    queryKey: ['report'],
    queryFn: async () => {
      const { csv } = await iam.credentialReport();
      return {
        rows: new Map(csvRows(csv).map((row): [string, iam.ReportRow] => [row['user'] ?? '', row])),
      };
    },
  });

/** A date of the report; undefined for `N/A` and `no_information`. */
export function reportDate(row: iam.ReportRow | undefined, column: string): string | undefined {
  const value = row?.[column];
  return value && /^\d{4}-/.test(value) ? value : undefined;
}

/** The key of root's entries; no user name has these characters. */
const ROOT = '<root>';

/** The MFA devices of a user, or of root where none is named. */
export const useDevices = (userName?: string) =>
  useQuery({
    queryKey: ['user', userName ?? ROOT, 'mfa'],
    queryFn: () => iam.listMfaDevices(userName),
  });

/** The names of the users with an MFA device. */
export const useMfaUsers = () => useQuery({ queryKey: ['mfa'], queryFn: iam.usersWithMfa });

export const useSummary = () => useQuery({ queryKey: ['summary'], queryFn: iam.accountSummary });

/** The page of a user's credentials, or of root's where no user is named. */
export const credentialsPage = (userName?: string): string =>
  userName ? `/iam/users/${encodeURIComponent(userName)}` : '/security-credentials';

/** An access key with its uses and the description in the user's tags; null is unknown. */
export type KeyDetail = iam.AccessKey & {
  uses: KeyUses | null;
  description?: string | null | undefined;
};

/** How often pages that show an access key read its state again. */
export const KEY_POLL_MS = 10_000;

export const isActive = ({ Status }: Pick<iam.AccessKey, 'Status'>): boolean => Status === 'Active';

/** The access keys of a user, or of root where none is named: root has no tags to describe them. */
export const useKeys = (userName?: string, interval: number | false = false, enabled = true) =>
  useQuery({
    enabled,
    refetchInterval: ({ state }) => (state.error ? false : interval),
    refetchOnWindowFocus: true,
    queryKey: ['user', userName ?? ROOT, 'keys'],
    queryFn: async (): Promise<KeyDetail[]> => {
      const [keys, tags] = await Promise.all([
        iam.listAccessKeys(userName),
        userName ? unlessDenied('ListUserTags', userName, () => iam.listUserTags(userName)) : [],
      ]);
      const descriptions = new Map(tags?.map(({ Key, Value }) => [Key, Value]));
      const uses = await Promise.all(keys.map(({ AccessKeyId }) => keyUses(AccessKeyId)));
      return keys.map((key, index) => ({
        ...key,
        uses: uses[index] ?? null,
        description: tags ? descriptions.get(key.AccessKeyId) : null,
      }));
    },
  });

/** The access keys of all users, which takes a request for each of them; and how far that is. */
export function useAccountKeys() {
  const [progress, setProgress] = useState<string>();
  const keys = useQuery({
    queryKey: ['account-keys'],
    queryFn: () =>
      iam.listAccountKeys((read, users) =>
        setProgress(`${read.toLocaleString('en')} of ${users.toLocaleString('en')} users read`),
      ),
    staleTime: 60_000,
    refetchOnWindowFocus: true,
  });
  return { ...keys, progress: keys.isFetching ? progress : undefined };
}

/** The rejected requests with an inactive key; null if they are unknown. */
export const useAttempts = (
  keyId: string,
  enabled = true,
  interval: number | false = KEY_POLL_MS,
) =>
  useQuery({
    queryKey: ['attempts', keyId],
    queryFn: () => keyAttempts(keyId),
    enabled,
    refetchInterval: ({ state }) => (state.error ? false : interval),
    refetchOnWindowFocus: true,
  });

/** Reads everything again under keys that begin with one of these. */
export function invalidate(...keys: (readonly string[])[]): void {
  for (const queryKey of keys) void queryClient.invalidateQueries({ queryKey });
}

/** Reads a user again, and the list of users. */
export const invalidateUser = (name?: string): void =>
  invalidate(['user', name ?? ROOT], ['users'], ['account-keys']);

/** Reads a role again, and the list of roles. */
export const invalidateRole = (name: string): void => invalidate(['role', name], ['roles']);

/** Reads a user's MFA devices again, and what depends on them. */
export const invalidateMfa = (name?: string): void => {
  invalidateUser(name);
  invalidate(['mfa'], ['summary']);
};
