// What several pages read, under names by which a change makes it read again.
import { useQuery } from '@tanstack/react-query';

import * as iam from '../../api/iam';
import { queries } from '../../api/session';
import { rows } from '../../lib/csv';

export const useUsers = () => useQuery({ queryKey: ['users'], queryFn: iam.listUsers });
export const useGroups = () => useQuery({ queryKey: ['groups'], queryFn: iam.listGroups });
export const usePolicies = () =>
  useQuery({ queryKey: ['policies'], queryFn: iam.listPolicies, staleTime: 60_000 });
export const useAlias = () => useQuery({ queryKey: ['alias'], queryFn: iam.alias });
export const usePasswordPolicy = () =>
  useQuery({ queryKey: ['password-policy'], queryFn: iam.passwordPolicy });
export const useUser = (name: string) =>
  useQuery({ queryKey: ['user', name], queryFn: () => iam.getUser(name) });
export const useGroupsOf = (name: string) =>
  useQuery({ queryKey: ['user', name, 'groups'], queryFn: () => iam.groupsOf(name) });

/** The credential report by user name: everything about everybody's credentials in two calls. */
export const useReport = () =>
  useQuery({
    queryKey: ['report'],
    queryFn: async () => {
      const { text, made } = await iam.reportText();
      return {
        made,
        rows: new Map(rows(text).map((row): [string, iam.ReportRow] => [row['user'] ?? '', row])),
      };
    },
  });

/** A date of the report, or nothing for its words for none. */
export function dateOf(row: iam.ReportRow | undefined, column: string): string | undefined {
  const value = row?.[column];
  return value && /^\d{4}-/.test(value) ? value : undefined;
}

/** What root is read under; no user's name has such letters. */
const ROOT = '<root>';

/** The MFA devices of a user, or of root where none is named. */
export const useDevices = (userName?: string) =>
  useQuery({
    queryKey: ['user', userName ?? ROOT, 'mfa'],
    queryFn: () => iam.devicesOf(userName),
  });

/** The names of the users who have an MFA device. */
export const useMfaUsers = () => useQuery({ queryKey: ['mfa'], queryFn: iam.mfaUsers });

export const useSummary = () => useQuery({ queryKey: ['summary'], queryFn: iam.summary });

/** Where the credentials of a user, or one's own as root, are changed. */
export const credentialsPage = (userName?: string): string =>
  userName ? `/iam/users/${encodeURIComponent(userName)}` : '/security-credentials';

/** The keys of a user: id, status, creation and last use. */
export interface KeyDetail extends iam.AccessKey {
  use: iam.KeyUse;
  description?: string | undefined;
}

/** Of a user, or of root where none is named: root has no tags to describe them. */
export const useKeys = (userName?: string, refetchInterval: number | false = false) =>
  useQuery({
    refetchInterval,
    queryKey: ['user', userName ?? ROOT, 'keys'],
    queryFn: async (): Promise<KeyDetail[]> => {
      const [keys, tags] = await Promise.all([
        iam.keysOf(userName),
        userName ? iam.tagsOfUser(userName).catch((): iam.Tag[] => []) : [],
      ]);
      const described = new Map(tags.map(({ key, value }) => [key, value]));
      const uses = await Promise.all(keys.map(({ id }) => iam.keyUse(id)));
      return keys.map((key, at) => ({
        ...key,
        use: uses[at] ?? { region: 'N/A', service: 'N/A' },
        description: described.get(key.id),
      }));
    },
  });

/** Reads everything again that begins with one of these names. */
export function changed(...names: (readonly string[])[]): void {
  for (const queryKey of names) void queries.invalidateQueries({ queryKey });
}

/** Something about a user has changed. */
export const userChanged = (name?: string): void => changed(['user', name ?? ROOT], ['users']);

/** Who has which MFA devices has changed. */
export const mfaChanged = (name?: string): void => {
  userChanged(name);
  changed(['mfa'], ['summary']);
};
