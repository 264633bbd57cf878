// Signing in: account, user and password; the MFA code; a required password change.
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
  ServiceError,
  signIn,
  signOut,
  type Session,
  type SignInRequest,
} from '../api/session';
import { errorText } from '../frame/error-alert';

const STORAGE_KEY = 'keywright-account';
/** A session that must change its password may not read the account's policy. */
const PASSWORD_RULE =
  'At least 8 characters, with three of: uppercase letters, lowercase letters, numbers, symbols. The account can have its own password policy instead.';

interface SignInProps {
  onChange: (session: Session) => void;
}

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

export function SignInPage({ session, onChange }: SignInProps & { session: Session }) {
  useEffect(() => {
    document.title = 'Sign in – Keywright';
  }, []);
  return (
    <Page>
      {session.state === 'password-change' ? (
        <ChangePassword userName={session.userName} onChange={onChange} />
      ) : (
        <SignInForm onChange={onChange} />
      )}
    </Page>
  );
}

function SignInForm({ onChange }: SignInProps) {
  const accountInUrl = new URLSearchParams(location.search).get('account');
  const [isRoot, setIsRoot] = useState(false);
  const [account, setAccount] = useState(accountInUrl ?? localStorage.getItem(STORAGE_KEY) ?? '');
  const [remember, setRemember] = useState(localStorage.getItem(STORAGE_KEY) !== null);
  const [userName, setUserName] = useState('');
  const [password, setPassword] = useState('');
  const [visible, setVisible] = useState(false);
  const [code, setCode] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();

  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    const mfaCode = code === undefined ? {} : { mfaCode: code };
    const trimmed = account.trim().replace(/^(\d{4})-(\d{4})-(\d{4})$/, '$1$2$3');
    const request: SignInRequest = isRoot
      ? { account: trimmed, root: true, password, ...mfaCode }
      : { account: trimmed, userName: userName.trim(), password, ...mfaCode };
    try {
      const session = await signIn(request);
      if (remember) localStorage.setItem(STORAGE_KEY, trimmed);
      else localStorage.removeItem(STORAGE_KEY);
      onChange(session);
    } catch (problem) {
      if (problem instanceof ServiceError && problem.code === 'MfaRequired' && code === undefined)
        setCode('');
      else {
        setError(errorText(problem));
        if (code !== undefined) setCode('');
      }
    } finally {
      setBusy(false);
    }
  };

  const otherSignIn = isRoot
    ? 'Sign in to IAM user account'
    : 'Sign in using root user credentials';
  const title =
    code !== undefined
      ? 'Multi-factor authentication'
      : isRoot
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
                else setIsRoot(!isRoot);
                setError(undefined);
              }}
            >
              {code !== undefined ? 'Back' : otherSignIn}
            </Button>
            <Button variant="primary" loading={busy}>
              {code !== undefined ? 'Submit' : 'Sign in'}
            </Button>
          </SpaceBetween>
        }
      >
        <Container header={<Header variant="h1">{title}</Header>}>
          <SpaceBetween size="m">
            {error && <Alert type="error">{error}</Alert>}
            {code !== undefined ? (
              <FormField
                label="MFA code"
                description="Enter the 6-digit code from your authenticator app."
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
              <SpaceBetween size="m">
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
                {!isRoot && (
                  <FormField label="IAM user name">
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
                    type={visible ? 'text' : 'password'}
                    autoComplete="current-password"
                    onChange={({ detail }) => setPassword(detail.value)}
                  />
                </FormField>
                <Checkbox checked={visible} onChange={({ detail }) => setVisible(detail.checked)}>
                  Show password
                </Checkbox>
              </SpaceBetween>
            )}
          </SpaceBetween>
        </Container>
      </Form>
    </form>
  );
}

function ChangePassword({ userName, onChange }: SignInProps & { userName: string }) {
  const [oldPassword, setOldPassword] = useState('');
  const [newPassword, setNewPassword] = useState('');
  const [retyped, setRetyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const differs = retyped !== '' && retyped !== newPassword;
  const submit = async (): Promise<void> => {
    if (newPassword !== retyped) return;
    setBusy(true);
    setError(undefined);
    try {
      onChange(await changePassword(oldPassword, newPassword));
    } catch (problem) {
      setError(errorText(problem));
    } finally {
      setBusy(false);
    }
  };
  const cancel = async (): Promise<void> => {
    await signOut();
    onChange({ state: 'signed-out' });
  };
  const field = (
    label: string,
    value: string,
    set: (value: string) => void,
    texts: { errorText?: string; constraintText?: string } = {},
  ) => (
    <FormField label={label} {...texts}>
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
            <Button formAction="none" variant="link" onClick={() => void cancel()}>
              Sign out
            </Button>
            <Button
              variant="primary"
              loading={busy}
              disabled={!oldPassword || !newPassword || newPassword !== retyped}
            >
              Confirm password change
            </Button>
          </SpaceBetween>
        }
      >
        <Container
          header={
            <Header
              variant="h1"
              description={`User ${userName}: you must change your password to continue.`}
            >
              Change password
            </Header>
          }
        >
          <SpaceBetween size="m">
            {error && <Alert type="error">{error}</Alert>}
            {field('Old password', oldPassword, setOldPassword)}
            {field('New password', newPassword, setNewPassword, { constraintText: PASSWORD_RULE })}
            {field('Retype new password', retyped, setRetyped, {
              errorText: differs ? 'Passwords do not match.' : '',
            })}
          </SpaceBetween>
        </Container>
      </Form>
    </form>
  );
}
