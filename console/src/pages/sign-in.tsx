// Signing in: account, user and password; the code of an MFA device; a password that must change.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Grid from '@cloudscape-design/components/grid';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect, useState, type ReactNode } from 'react';

import {
  changePassword,
  Refusal,
  signIn,
  signOut,
  type Session,
  type SignIn,
} from '../api/session';

const KEPT = 'keywright-account';
type Changed = (session: Session) => void;

function Page({ children }: { children: ReactNode }) {
  return (
    <main>
      <Box padding={{ vertical: 'xxxl', horizontal: 'l' }}>
        <Grid
          gridDefinition={[
            {
              colspan: { default: 12, xs: 8, s: 6, m: 4 },
              offset: { default: 0, xs: 2, s: 3, m: 4 },
            },
          ]}
        >
          <SpaceBetween size="l">
            <Box textAlign="center" fontSize="heading-xl" fontWeight="bold">
              Keywright
            </Box>
            {children}
          </SpaceBetween>
        </Grid>
      </Box>
    </main>
  );
}

export function SignInPage({ session, changed }: { session: Session; changed: Changed }) {
  useEffect(() => {
    document.title = 'Sign in – Keywright';
  }, []);
  return (
    <Page>
      {session.state === 'password-change' ? (
        <ChangePassword userName={session.userName} changed={changed} />
      ) : (
        <SignInForm changed={changed} />
      )}
    </Page>
  );
}

/** What the server said, in a person's words. */
function said(error: unknown): string {
  return error instanceof Error ? error.message : 'It did not work.';
}

function SignInForm({ changed }: { changed: Changed }) {
  const named = new URLSearchParams(location.search).get('account');
  const [root, setRoot] = useState(false);
  const [account, setAccount] = useState(named ?? localStorage.getItem(KEPT) ?? '');
  const [remember, setRemember] = useState(localStorage.getItem(KEPT) !== null);
  const [userName, setUserName] = useState('');
  const [password, setPassword] = useState('');
  const [shown, setShown] = useState(false);
  const [code, setCode] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();

  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    const mfaCode = code === undefined ? {} : { mfaCode: code };
    const trimmed = account.trim().replace(/^(\d{4})-(\d{4})-(\d{4})$/, '$1$2$3');
    const who: SignIn = root
      ? { account: trimmed, root: true, password, ...mfaCode }
      : { account: trimmed, userName: userName.trim(), password, ...mfaCode };
    try {
      const now = await signIn(who);
      if (remember) localStorage.setItem(KEPT, trimmed);
      else localStorage.removeItem(KEPT);
      changed(now);
    } catch (problem) {
      if (problem instanceof Refusal && problem.code === 'MfaRequired' && code === undefined)
        setCode('');
      else {
        setError(said(problem));
        if (code !== undefined) setCode('');
      }
    } finally {
      setBusy(false);
    }
  };

  const other = root ? 'Sign in as an IAM user' : 'Sign in as the root user';
  const title =
    code !== undefined
      ? 'Multi-factor authentication'
      : root
        ? 'Root user sign in'
        : 'IAM user sign in';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Form
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              formAction="none"
              variant="link"
              onClick={() => {
                if (code !== undefined) setCode(undefined);
                else setRoot(!root);
                setError(undefined);
              }}
            >
              {code !== undefined ? 'Back' : other}
            </Button>
            <Button variant="primary" loading={busy}>
              {code !== undefined ? 'Submit' : 'Sign in'}
            </Button>
          </SpaceBetween>
        }
      >
        <Container header={<Header variant="h1">{title}</Header>}>
          <SpaceBetween size="m">
            {error && (
              <Alert type="error" header="There was an error">
                {error}
              </Alert>
            )}
            {code !== undefined ? (
              <FormField
                label="MFA code"
                description="Enter the six digits that your authenticator app shows."
              >
                <Input
                  value={code}
                  inputMode="numeric"
                  autoFocus
                  autoComplete="one-time-code"
                  onChange={({ detail }) => setCode(detail.value.replace(/\s/g, ''))}
                />
              </FormField>
            ) : (
              <>
                <FormField label="Account ID or alias">
                  <Input
                    value={account}
                    autoComplete={false}
                    onChange={({ detail }) => setAccount(detail.value)}
                  />
                </FormField>
                <Checkbox checked={remember} onChange={({ detail }) => setRemember(detail.checked)}>
                  Remember this account
                </Checkbox>
                {!root && (
                  <FormField label="IAM username">
                    <Input
                      value={userName}
                      autoComplete="username"
                      spellcheck={false}
                      onChange={({ detail }) => setUserName(detail.value)}
                    />
                  </FormField>
                )}
                <FormField label="Password">
                  <Input
                    value={password}
                    type={shown ? 'text' : 'password'}
                    autoComplete="current-password"
                    onChange={({ detail }) => setPassword(detail.value)}
                  />
                </FormField>
                <Checkbox checked={shown} onChange={({ detail }) => setShown(detail.checked)}>
                  Show password
                </Checkbox>
              </>
            )}
          </SpaceBetween>
        </Container>
      </Form>
    </form>
  );
}

function ChangePassword({ userName, changed }: { userName: string; changed: Changed }) {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const differs = again !== '' && again !== fresh;
  const submit = async (): Promise<void> => {
    if (fresh !== again) return;
    setBusy(true);
    setError(undefined);
    try {
      changed(await changePassword(old, fresh));
    } catch (problem) {
      setError(said(problem));
    } finally {
      setBusy(false);
    }
  };
  const leave = async (): Promise<void> => {
    await signOut();
    changed({ state: 'signed-out' });
  };
  const field = (label: string, value: string, set: (value: string) => void, errorText = '') => (
    <FormField label={label} errorText={errorText}>
      <Input type="password" value={value} onChange={({ detail }) => set(detail.value)} />
    </FormField>
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Form
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button formAction="none" variant="link" onClick={() => void leave()}>
              Sign out
            </Button>
            <Button variant="primary" loading={busy} disabled={!old || !fresh || fresh !== again}>
              Confirm password change
            </Button>
          </SpaceBetween>
        }
      >
        <Container
          header={
            <Header variant="h1" description={`${userName} must choose a new password to go on.`}>
              Change password
            </Header>
          }
        >
          <SpaceBetween size="m">
            {error && (
              <Alert type="error" header="There was an error">
                {error}
              </Alert>
            )}
            {field('Old password', old, setOld)}
            {field('New password', fresh, setFresh)}
            {field('Retype new password', again, setAgain, differs ? 'The passwords differ.' : '')}
          </SpaceBetween>
        </Container>
      </Form>
    </form>
  );
}
