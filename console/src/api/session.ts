// Signing in and out, and the temporary credentials of the session.
//
// The credentials live in this page's memory only; the session itself is a cookie that no script
// can read.
import { QueryClient } from '@tanstack/react-query';

import type { ActingRole } from '../lib/switch-role';

export type Session =
  | { state: 'signed-out' }
  | { state: 'password-change'; userName: string }
  | {
      state: 'signed-in';
      accountId: string;
      accountAlias?: string;
      userName?: string;
      arn: string;
      /** When the session ends, however much it is used. */
      expiresAt: string;
      mfa?: boolean;
      /** The role that this tab acts in; then the account and the ARN are the role's. */
      role?: ActingRole;
    };

export type SignedIn = Extract<Session, { state: 'signed-in' }>;

/** Whether requests are made as the root user. */
export const isRoot = ({ userName, role }: SignedIn): boolean => !userName && !role;

/** The error that a service or the console's own API answers with. */
export class ServiceError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly requestId?: string,
  ) {
    super(message);
    this.name = 'ServiceError';
  }
}

const DENIED = new Set(['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation']);

/** Whether a policy denied the request. */
export const isDenied = (error: unknown): boolean =>
  error instanceof ServiceError && DENIED.has(error.code);

/** The server did not answer. */
export class UnreachableError extends Error {
  constructor() {
    super('The server is not responding. Check that it is running, and try again.');
    this.name = 'UnreachableError';
  }
}

/** Sends a request; throws `UnreachableError` if there is no answer. */
export async function send(input: Request | string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new UnreachableError();
  }
}

interface ErrorBody {
  code?: string;
  message?: string;
}

async function request<T>(endpoint: string, body?: object): Promise<T> {
  const init: RequestInit | undefined = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keywright-console': '1' },
    body: JSON.stringify(body),
  };
  const response = await send(`/console/api/${endpoint}`, init);
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => ({}))) as T & ErrorBody;
  if (!response.ok) {
    const {
      code = 'Unknown',
      message = `The server answered with status ${String(response.status)}.`,
    } = answer;
    throw new ServiceError(code, message, response.status);
  }
  return answer;
}

export type SignInRequest =
  | { account: string; userName: string; password: string; mfaCode?: string }
  | { account: string; root: true; password: string; mfaCode?: string };

/** The server's time, rounded up to the second. */
export async function serverTime(): Promise<Date> {
  const response = await send('/console/api/session');
  const date = Date.parse(response.headers.get('date') ?? '');
  return new Date((Number.isNaN(date) ? Date.now() : date) + 1_000);
}

export const readSession = (): Promise<Session> => request('session');
export const signIn = (credentials: SignInRequest): Promise<Session> =>
  request('sign-in', credentials);
export const changePassword = (oldPassword: string, newPassword: string): Promise<Session> =>
  request('password', { oldPassword, newPassword });

export interface Capabilities {
  iam: string[];
  sts: string[];
  keywright: string[];
  s3: string[];
  /** The actions that policies can name, of the services that are served. */
  actions: string[];
}
/** Whether an operation is served, of whatever service. */
export const isServed = ({ iam, sts, keywright, s3 }: Capabilities, operation: string): boolean =>
  [iam, sts, keywright, s3].some((operations) => operations.includes(operation));
export const readCapabilities = (): Promise<Capabilities> => request('capabilities');

interface TemporaryCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiresAt: string;
}

interface Credentials extends TemporaryCredentials {
  /** The endpoint of IAM, STS and S3, which has another origin than the console. */
  endpointUrl: string;
}

let cached: Promise<Credentials> | undefined;
let cachedUntil = 0;

/** The user's own credentials, which stay valid for at least a minute. */
export async function ownCredentials(): Promise<Credentials> {
  if (!cached || Date.now() > cachedUntil - 60_000) {
    cachedUntil = Number.POSITIVE_INFINITY;
    cached = request<Credentials>('credentials', {}).then(
      (answer) => {
        cachedUntil = Date.parse(answer.expiresAt);
        return answer;
      },
      (error: unknown) => {
        cached = undefined;
        throw error;
      },
    );
  }
  return cached;
}

/** The key of the query for the role that this tab acts in. */
export const ROLE_QUERY = ['role-session'] as const;
/** The key under which the tab stores it. */
export const ROLE_STORAGE = 'keywright-role';
let ofRole: TemporaryCredentials | undefined;

/** Signs with the credentials of a role from now on, or as the user again. */
export function setRoleCredentials(assumed: TemporaryCredentials | undefined): void {
  ofRole = assumed;
}

/** The session of the role is over, so nothing can be signed until the person has switched. */
export class RoleSessionEnded extends Error {
  constructor() {
    super('Your session in this role has ended.');
    this.name = 'RoleSessionEnded';
  }
}

let isLeaving = false;

/**
 * Loads the console again as somebody else. Until then nothing is signed: what one began, for
 * example to delete several users, the other must not continue.
 */
export function reloadAs(address: string): void {
  isLeaving = true;
  location.assign(`/console${address}`);
}

/** The credentials that requests are signed with: the role's if the tab acts in one. */
export async function credentials(): Promise<Credentials> {
  if (isLeaving) return new Promise(() => undefined);
  const role = ofRole;
  if (role && Date.now() > Date.parse(role.expiresAt)) throw new RoleSessionEnded();
  // They tell the endpoint, keep the session from being idle, and end with it.
  const own = await ownCredentials();
  return role ? { ...own, ...role } : own;
}

/** Forgets the role, when the user's session ends or another one begins. */
export function leaveRole(): void {
  sessionStorage.removeItem(ROLE_STORAGE);
  setRoleCredentials(undefined);
}

/** Forgets the credentials, so that the next request asks for new ones. */
export function forgetCredentials(): void {
  cached = undefined;
}

export async function signOut(): Promise<void> {
  await request('sign-out', {});
  forgetCredentials();
  leaveRole();
  // The session's query stays: components that observe it would not notice its removal.
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
}

/** Whether an error says that the session, or its credentials, are no longer valid. */
function isSignedOut(error: unknown): boolean {
  return (
    error instanceof ServiceError &&
    ['SignedOut', 'ExpiredToken', 'InvalidClientTokenId', 'InvalidAccessKeyId'].includes(error.code)
  );
}

/** Reads the session again when an error says that it, or that of the role, is over. */
export function endIfSignedOut(error: unknown): void {
  const isRoleOver = error instanceof RoleSessionEnded;
  if (!isRoleOver && !isSignedOut(error)) return;
  if (ofRole)
    queryClient.setQueryData<ActingRole | null>(
      ROLE_QUERY,
      (role) => role && { ...role, isOver: true },
    );
  forgetCredentials();
  void queryClient.invalidateQueries({ queryKey: ['session'] });
}

/** The cache of what pages have read. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: false, staleTime: 5_000, refetchOnWindowFocus: false },
  },
});
