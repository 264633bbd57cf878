// Signing in and out, and the short-lived credentials of the session.
//
// The one rule: the credentials live in this page's memory only; the session itself is a cookie
// that no script can read.
import { QueryClient } from '@tanstack/react-query';

export type Session =
  | { state: 'signed-out' }
  | { state: 'password-change'; accountId: string; userName: string }
  | {
      state: 'signed-in';
      accountId: string;
      accountAlias?: string;
      userName?: string;
      arn: string;
      expiresAt: string;
      mfa?: boolean;
    };

export type SignedIn = Extract<Session, { state: 'signed-in' }>;

/** What a service or the console refused to do. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly requestId?: string,
    readonly retryAfterSecs?: number,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor() {
    super('The server does not answer. Check that it runs, then try again.');
    this.name = 'Unreachable';
  }
}

/** Sends a request; that nobody answers is `Unreachable`. */
export async function send(input: Request | string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Unreachable();
  }
}

interface Complaint {
  code?: string;
  message?: string;
  retryAfterSecs?: number;
}

async function ask<T>(endpoint: string, body?: object): Promise<T> {
  const init: RequestInit | undefined = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keywright-console': '1' },
    body: JSON.stringify(body),
  };
  const response = await send(`/console/api/${endpoint}`, init);
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => ({}))) as T & Complaint;
  if (!response.ok) {
    const { code = 'Unknown', message = `The server answered ${String(response.status)}.` } =
      answer;
    throw new Refusal(code, message, response.status, undefined, answer.retryAfterSecs);
  }
  return answer;
}

export type SignIn =
  | { account: string; userName: string; password: string; mfaCode?: string }
  | { account: string; root: true; password: string; mfaCode?: string };

export const readSession = (): Promise<Session> => ask('session');
export const signIn = (who: SignIn): Promise<Session> => ask('sign-in', who);
export const changePassword = (oldPassword: string, newPassword: string): Promise<Session> =>
  ask('password', { oldPassword, newPassword });

export interface Capabilities {
  iam: string[];
  sts: string[];
  keywright: string[];
  s3: string[];
  /** The actions that policies can name, of the services that are served. */
  actions: string[];
}
export const readCapabilities = (): Promise<Capabilities> => ask('capabilities');

export interface Credentials {
  /** Where clients reach IAM, STS and S3; another origin than the console's. */
  endpointUrl: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiresAt: string;
}

let held: Promise<Credentials> | undefined;
let heldUntil = 0;

/** Credentials that are valid for a minute more at least. */
export async function credentials(): Promise<Credentials> {
  if (!held || Date.now() > heldUntil - 60_000) {
    heldUntil = Number.POSITIVE_INFINITY;
    held = ask<Credentials>('credentials', {}).then(
      (got) => {
        heldUntil = Date.parse(got.expiresAt);
        return got;
      },
      (error: unknown) => {
        held = undefined;
        throw error;
      },
    );
  }
  return held;
}

/** Forgets the credentials, so that the next request asks for new ones. */
export function forgetCredentials(): void {
  held = undefined;
}

export async function signOut(): Promise<void> {
  await ask('sign-out', {});
  forgetCredentials();
  // The session stays: whoever shows it would not see that it changed.
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
}

/** That the session is over: the credentials, or the session itself, are refused. */
function isSignedOut(error: unknown): boolean {
  return (
    error instanceof Refusal &&
    ['SignedOut', 'ExpiredToken', 'InvalidClientTokenId', 'InvalidAccessKeyId'].includes(error.code)
  );
}

/** Asks for the session again when a failure says that it is over. */
export function endIfSignedOut(error: unknown): void {
  if (!isSignedOut(error)) return;
  forgetCredentials();
  void queries.invalidateQueries({ queryKey: ['session'] });
}

/** What the pages have read. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: false, staleTime: 5_000, refetchOnWindowFocus: false },
  },
});
