// Decides between the sign-in page and the console, and which page an address shows.
//
// The one rule: a session that has ended leads to the sign-in page, and from there back to where
// one was.
import Box from '@cloudscape-design/components/box';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect } from 'react';
import { Navigate, Route, Routes, useLocation } from 'react-router';

import {
  endIfSignedOut,
  forgetCredentials,
  queries,
  readCapabilities,
  readSession,
  type Session,
} from './api/session';
import { Boundary } from './frame/boundary';
import { Link, Loading } from './frame/parts';
import { Problem } from './frame/problem';
import { Shell } from './frame/shell';
import { SignInPage } from './pages/sign-in';

const page = <K extends string>(load: () => Promise<Record<K, React.ComponentType>>, name: K) =>
  lazy(async () => ({ default: (await load())[name] }));

const ROUTES = [
  ['/iam', page(() => import('./pages/iam/dashboard'), 'Dashboard')],
  ['/iam/users', page(() => import('./pages/iam/users'), 'Users')],
  ['/iam/users/create', page(() => import('./pages/iam/create-user'), 'CreateUser')],
  ['/iam/users/:name', page(() => import('./pages/iam/user'), 'UserPage')],
  ['/iam/users/:name/keys/create', page(() => import('./pages/iam/create-key'), 'CreateKey')],
  ['/iam/users/:name/mfa/assign', page(() => import('./pages/iam/mfa'), 'AssignMfa')],
  ['/iam/users/:name/keys/rotate', page(() => import('./pages/rotation/start'), 'StartRotation')],
  ['/iam/groups', page(() => import('./pages/iam/groups'), 'Groups')],
  ['/iam/groups/:name', page(() => import('./pages/iam/group'), 'GroupPage')],
  ['/iam/policies', page(() => import('./pages/iam/policies'), 'Policies')],
  ['/iam/policies/create', page(() => import('./pages/iam/create-policy'), 'CreatePolicy')],
  ['/iam/policy', page(() => import('./pages/iam/policy'), 'PolicyPage')],
  ['/iam/policy/edit', page(() => import('./pages/iam/edit-policy'), 'EditPolicy')],
  ['/iam/users/:name/inline', page(() => import('./pages/iam/inline-policy'), 'UserInlinePolicy')],
  [
    '/iam/groups/:name/inline',
    page(() => import('./pages/iam/inline-policy'), 'GroupInlinePolicy'),
  ],
  ['/iam/account', page(() => import('./pages/iam/account'), 'AccountSettings')],
  ['/iam/simulator', page(() => import('./pages/iam/simulator'), 'Simulator')],
  ['/iam/report', page(() => import('./pages/iam/report'), 'Report')],
  ['/denied', page(() => import('./pages/iam/denied'), 'DeniedRequests')],
  ['/denied/:id', page(() => import('./pages/iam/denied'), 'DeniedRequest')],
  [
    '/security-credentials',
    page(() => import('./pages/iam/security-credentials'), 'SecurityCredentials'),
  ],
  [
    '/security-credentials/keys/create',
    page(() => import('./pages/iam/create-key'), 'CreateRootKey'),
  ],
  ['/security-credentials/mfa/assign', page(() => import('./pages/iam/mfa'), 'AssignMfa')],
  ['/rotations', page(() => import('./pages/rotation/rotations'), 'Rotations')],
  ['/rotations/:name', page(() => import('./pages/rotation/rotation'), 'RotationPage')],
  ['/rotation-policies', page(() => import('./pages/rotation/policies'), 'RotationPolicies')],
  [
    '/rotation-policies/create',
    page(() => import('./pages/rotation/policy-form'), 'CreateRotationPolicy'),
  ],
  [
    '/rotation-policies/edit',
    page(() => import('./pages/rotation/policy-form'), 'EditRotationPolicy'),
  ],
  ['/s3', page(() => import('./pages/s3/buckets'), 'Buckets')],
  ['/s3/create', page(() => import('./pages/s3/create-bucket'), 'CreateBucket')],
  ['/s3/buckets/:name', page(() => import('./pages/s3/bucket'), 'BucketPage')],
] as const;

/** Looks at every failed reading or change for the end of the session. */
function useSessionEnd(): void {
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type === 'updated' && event.action.type === 'error')
          endIfSignedOut(event.action.error);
      }),
    [],
  );
  useEffect(() => {
    const caught = (event: PromiseRejectionEvent): void => endIfSignedOut(event.reason);
    window.addEventListener('unhandledrejection', caught);
    return () => window.removeEventListener('unhandledrejection', caught);
  }, []);
}

const NoPage = () => (
  <>
    <Box variant="h1">There is no such page</Box>
    <Link to="/iam">Go to the dashboard</Link>
  </>
);

export function App() {
  useSessionEnd();
  const { pathname } = useLocation();
  const session = useQuery({ queryKey: ['session'], queryFn: readSession, staleTime: Infinity });
  const signedIn = session.data?.state === 'signed-in';
  const served = useQuery({
    queryKey: ['capabilities'],
    queryFn: readCapabilities,
    enabled: signedIn,
    staleTime: Infinity,
  });
  const failed = session.error ?? served.error;
  if (failed) {
    const retry = (): void => void Promise.all([session.refetch(), signedIn && served.refetch()]);
    return (
      <Box padding="xxl">
        <Problem error={failed} retry={retry} />
      </Box>
    );
  }
  if (!session.data) return <Loading />;
  if (session.data.state !== 'signed-in') {
    const changed = (now: Session): void => {
      forgetCredentials();
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
      queries.setQueryData(['session'], now);
    };
    return <SignInPage session={session.data} changed={changed} />;
  }
  if (!served.data) return <Loading />;
  return (
    <Shell session={session.data} served={served.data}>
      <Boundary place={pathname}>
        <Suspense fallback={<Loading />}>
          <Routes>
            <Route path="/" element={<Navigate to="/iam" replace />} />
            {ROUTES.map(([path, Page]) => (
              <Route key={path} path={path} element={<Page />} />
            ))}
            <Route path="*" element={<NoPage />} />
          </Routes>
        </Suspense>
      </Boundary>
    </Shell>
  );
}
