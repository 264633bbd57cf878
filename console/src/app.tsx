// Chooses between the sign-in page and the console, and routes addresses to pages.
//
// A session that has ended leads to the sign-in page, and from there back to the same address.
import Box from '@cloudscape-design/components/box';
import { useQuery } from '@tanstack/react-query';
import { Suspense, useEffect, useMemo } from 'react';
import { Navigate, Route, Routes, useLocation } from 'react-router';

import {
  endIfSignedOut,
  forgetCredentials,
  leaveRole,
  queryClient,
  readCapabilities,
  readSession,
  ROLE_QUERY,
  type Capabilities,
  type Session,
  type SignedIn,
} from './api/session';
import { resumeRole } from './api/role-session';
import { ErrorAlert } from './frame/error-alert';
import { ErrorBoundary } from './frame/error-boundary';
import { LeaveGuard } from './frame/leave-guard';
import { isAvailable, pageAbove } from './frame/navigation';
import { Link, Loading } from './frame/parts';
import { RoleEnded, RoleNotResumed, useIsOver } from './frame/role-ended';
import { Shell } from './frame/shell';
import type { ActingRole } from './lib/switch-role';
import { PAGES } from './page-table';
import { SignInPage } from './pages/sign-in';

/** Ends the session when a request fails because it is over. */
function useSessionEnd(): void {
  useEffect(
    () =>
      queryClient.getQueryCache().subscribe((event) => {
        if (event.type === 'updated' && event.action.type === 'error')
          endIfSignedOut(event.action.error);
      }),
    [],
  );
  useEffect(() => {
    const onRejection = (event: PromiseRejectionEvent): void => endIfSignedOut(event.reason);
    window.addEventListener('unhandledrejection', onRejection);
    return () => window.removeEventListener('unhandledrejection', onRejection);
  }, []);
}

/** An address without a page: the one above it in the address of a page, or nothing. */
function UnknownPage() {
  const { pathname } = useLocation();
  const href = pageAbove(pathname);
  if (href !== undefined) return <Navigate to={href} replace />;
  return (
    <>
      <Box variant="h1">Page not found</Box>
      <Link to="/iam">Go to dashboard</Link>
    </>
  );
}

/** The session as pages see it while the tab acts in a role. */
const actingSession = (user: SignedIn, role: ActingRole | null): SignedIn =>
  role
    ? {
        state: 'signed-in',
        accountId: role.target.account,
        arn: role.arn,
        expiresAt: role.until,
        role,
      }
    : user;

/** The console of someone who is signed in. */
function Console({ user, capabilities: served }: { user: SignedIn; capabilities: Capabilities }) {
  const { pathname } = useLocation();
  const role = useQuery({
    queryKey: ROLE_QUERY,
    queryFn: () => resumeRole(user),
    staleTime: Infinity,
  });
  const acting = role.data ?? null;
  const isOver = useIsOver(acting);
  // The same object until something changes: pages depend on it.
  const session = useMemo(() => actingSession(user, acting), [user, acting]);
  if (role.error) return <RoleNotResumed error={role.error} />;
  if (role.isPending) return <Loading />;
  if (acting && isOver) return <RoleEnded user={user} role={acting} />;
  return (
    <LeaveGuard>
      <Shell session={session} user={user} capabilities={served}>
        <ErrorBoundary path={pathname}>
          <Suspense fallback={<Loading />}>
            <Routes>
              <Route path="/" element={<Navigate to="/iam" replace />} />
              {PAGES.filter((page) => isAvailable(served, page)).map(
                ({ path, component: Component }) => (
                  <Route key={path} path={path} element={<Component />} />
                ),
              )}
              <Route path="*" element={<UnknownPage />} />
            </Routes>
          </Suspense>
        </ErrorBoundary>
      </Shell>
    </LeaveGuard>
  );
}

export function App() {
  useSessionEnd();
  const session = useQuery({ queryKey: ['session'], queryFn: readSession, staleTime: Infinity });
  const isSignedIn = session.data?.state === 'signed-in';
  const capabilities = useQuery({
    queryKey: ['capabilities'],
    queryFn: readCapabilities,
    enabled: isSignedIn,
    staleTime: Infinity,
  });
  const error = session.error ?? capabilities.error;
  if (error) {
    const retry = (): void =>
      void Promise.all([session.refetch(), isSignedIn && capabilities.refetch()]);
    return (
      <Box padding="xxl">
        <ErrorAlert error={error} retry={retry} />
      </Box>
    );
  }
  if (!session.data) return <Loading />;
  if (session.data.state !== 'signed-in') {
    const onChange = (next: Session): void => {
      forgetCredentials();
      leaveRole();
      queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
      queryClient.setQueryData(['session'], next);
    };
    return <SignInPage session={session.data} onChange={onChange} />;
  }
  if (!capabilities.data) return <Loading />;
  return <Console user={session.data} capabilities={capabilities.data} />;
}
