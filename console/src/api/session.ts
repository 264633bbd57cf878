// Signing in and out, and the temporary credentials of the session.
//
// The credentials live in this page's memory only; the session itself is a cookie that no script
// can read.
import { QueryClient } from '@tanstack/react-query';

export type Session =
  | { state: 'signed-out' }
  | { state: 'password-change'; userName: string }
  | {
      state: 'signed-in';
      accountId: string;
      accountAlias?: string;
      userName?: string;
      arn: string;
      mfa?: boolean;
    };

export type SignedIn = Extract<Session, { state: 'signed-in' }>;

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
export const isServed = ({ iam, keywright, s3 }: Capabilities, operation: string): boolean =>
  [iam, keywright, s3].some((operations) => operations.includes(operation));
export const readCapabilities = (): Promise<Capabilities> => request('capabilities');

interface Credentials {
  /** The endpoint of IAM, STS and S3, which has another origin than the console. */
  endpointUrl: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiresAt: string;
}

let cached: Promise<Credentials> | undefined;
let cachedUntil = 0;

/** Credentials that stay valid for at least a minute. */
export async function credentials(): Promise<Credentials> {
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

/** Forgets the credentials, so that the next request asks for new ones. */
export function forgetCredentials(): void {
  cached = undefined;
}

export async function signOut(): Promise<void> {
  await request('sign-out', {});
  forgetCredentials();
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

/** Reads the session again when an error says that it is over. */
export function endIfSignedOut(error: unknown): void {
  if (!isSignedOut(error)) return;
  forgetCredentials();
  void queryClient.invalidateQueries({ queryKey: ['session'] });
}

/** The cache of what pages have read. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: false, staleTime: 5_000, refetchOnWindowFocus: false },
  },
});
