// The wizard that creates a user: details, permissions, review; and the password.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import { CreateLoginProfile, CreateUser } from '../../api/generated/iam';
import type { Tag } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { CopyText, SecretText, WIZARD } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { useOneTimeSecret } from '../../frame/leave-guard';
import { csvLine } from '../../lib/csv';
import { download } from '../../lib/download';
import { generatePassword } from '../../lib/password';
import { CreateGroupDialog } from './groups';
import { PasswordField, type PasswordInput } from './password-choice';
import {
  attachGrant,
  grantsOf,
  NO_PERMISSIONS,
  Permissions,
  policyType,
  type PermissionsChoice,
  type Grant,
} from './permissions';
import { invalidate, useAlias, usePasswordPolicy } from './queries';
import { TagEditor, tagsToWrite } from './tags';

const CHANGE_PASSWORD = 'IAMUserChangePassword';
const NAME = /^[\w+=,.@-]{1,64}$/;
const NAME_RULE =
  'The user name can have up to 64 characters. Valid characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)';

/** What is wrong with a user name; empty if nothing is. */
export function userNameError(name: string): string {
  if (name === '') return 'Enter a user name.';
  return NAME.test(name) ? '' : NAME_RULE;
}

/** The sign-in URL of an account's users. */
export function signInUrl(account: string): string {
  return `${location.origin}/console/?account=${account}`;
}

interface ConsoleCredentials {
  name: string;
  password: string;
  url: string;
}

export function CreateUserPage() {
  const navigate = useNavigate();
  const { session, notify, notifyError } = useFrame();
  const alias = useAlias();
  const [step, setStep] = useState(0);
  const [name, setName] = useState('');
  const [access, setAccess] = useState(false);
  const [password, setPassword] = useState<PasswordInput>({
    own: false,
    text: '',
    mustChange: true,
  });
  const [choice, setChoice] = useState<PermissionsChoice>(NO_PERMISSIONS);
  const [planned, setPlanned] = useState<Grant[]>([]);
  const [tags, setTags] = useState<Tag[]>([]);
  const [creatingGroup, setCreatingGroup] = useState(false);
  const [touched, setTouched] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [created, setCreated] = useState<ConsoleCredentials>();

  const nameError = userNameError(name);
  const passwordError = access && password.own && password.text === '' ? 'Enter a password.' : '';

  const boundary = choice.hasBoundary ? choice.boundary[0] : undefined;
  const boundaryRow = boundary && {
    name: boundary.PolicyName,
    type: policyType(boundary.Arn),
    usedAs: 'Permissions boundary',
  };
  const policy = usePasswordPolicy();

  const go = async (to: number): Promise<void> => {
    setError(undefined);
    if (step === 0 && to > 0) {
      setTouched(true);
      if (nameError || passwordError) return;
    }
    if (to === 2) {
      setBusy(true);
      try {
        const chosen = await grantsOf(choice);
        const addsPolicy =
          access && password.mustChange && !chosen.some((grant) => grant.name === CHANGE_PASSWORD);
        const changePassword = attachGrant(
          CHANGE_PASSWORD,
          `arn:aws:iam::aws:policy/${CHANGE_PASSWORD}`,
        );
        setPlanned(addsPolicy ? [...chosen, changePassword] : chosen);
      } catch (problem) {
        setError(problem);
        return;
      } finally {
        setBusy(false);
      }
    }
    setStep(to);
  };

  const create = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    let isCreated = false;
    try {
      await call(CreateUser, {
        UserName: name,
        PermissionsBoundary: boundary?.Arn,
        Tags: tagsToWrite(tags),
      });
      isCreated = true;
      const secret = password.own
        ? password.text
        : generatePassword(policy.data?.MinimumPasswordLength);
      if (access) {
        const PasswordResetRequired = password.mustChange;
        await call(CreateLoginProfile, {
          UserName: name,
          Password: secret,
          PasswordResetRequired,
        });
        // From here on it is the user's password, whatever else fails.
        setCreated({ name, password: secret, url: signInUrl(alias.data ?? session.accountId) });
      }
      for (const grant of planned) await grant.apply(name);
      invalidate(['users'], ['report'], ['summary']);
      notify({
        type: 'success',
        content: `User ${name} created`,
        action: <Button onClick={() => void navigate(`/iam/users/${name}`)}>View user</Button>,
      });
      if (!access) void navigate('/iam/users');
    } catch (problem) {
      // A user that is incomplete is reported, not left behind unnoticed.
      if (isCreated) {
        notify({
          type: 'warning',
          content: `User ${name} was created, but some settings failed. Review the user, or delete it and try again.`,
          action: <Button onClick={() => void navigate(`/iam/users/${name}`)}>View user</Button>,
        });
        invalidate(['users']);
      }
      // With console access, the password is on the page instead of the wizard.
      if (isCreated && access) notifyError(problem);
      else setError(problem);
    } finally {
      setBusy(false);
    }
  };

  if (created)
    return <RetrievePassword credentials={created} leave={() => void navigate('/iam/users')} />;
  const problem = error !== undefined && <ErrorAlert error={error} />;
  const steps = [
    {
      title: 'Specify user details',
      content: (
        <Container header={<Header variant="h2">User details</Header>}>
          <SpaceBetween size="l">
            <FormField
              label="User name"
              constraintText={touched && nameError === NAME_RULE ? '' : NAME_RULE}
              errorText={touched ? nameError : ''}
            >
              <Input
                value={name}
                spellcheck={false}
                autoComplete={false}
                onChange={({ detail }) => setName(detail.value)}
              />
            </FormField>
            <Checkbox checked={access} onChange={({ detail }) => setAccess(detail.checked)}>
              Provide user access to the Keywright console – <i>optional</i>
            </Checkbox>
            {access && (
              <PasswordField
                isNewUser
                password={password}
                set={setPassword}
                errorText={touched ? passwordError : ''}
              />
            )}
            <Alert type="info">
              For programmatic access, you can generate access keys after you create this IAM user.
            </Alert>
          </SpaceBetween>
        </Container>
      ),
    },
    {
      title: 'Set permissions',
      content: (
        <SpaceBetween size="l">
          <Permissions
            choice={choice}
            set={setChoice}
            groupActions={<Button onClick={() => setCreatingGroup(true)}>Create group</Button>}
          />
          {creatingGroup && (
            <CreateGroupDialog
              onDismiss={() => setCreatingGroup(false)}
              onDone={() => setCreatingGroup(false)}
            />
          )}
          {problem}
        </SpaceBetween>
      ),
    },
    {
      title: 'Review and create',
      content: (
        <SpaceBetween size="l">
          <Container header={<Header variant="h2">User details</Header>}>
            <KeyValuePairs
              columns={3}
              items={[
                { label: 'User name', value: name },
                {
                  label: 'Console password type',
                  value: access
                    ? password.own
                      ? 'Custom password'
                      : 'Autogenerated password'
                    : 'None',
                },
                {
                  label: 'Require password reset',
                  value: access && password.mustChange ? 'Yes' : 'No',
                },
              ]}
            />
          </Container>
          <Table
            header={<Header counter={`(${String(planned.length)})`}>Permissions summary</Header>}
            items={boundaryRow ? [...planned, boundaryRow] : planned}
            trackBy={(grant) => `${grant.usedAs} ${grant.type} ${grant.name}`}
            empty={<Box textAlign="center">No permissions</Box>}
            columnDefinitions={[
              { id: 'name', header: 'Name', cell: (grant) => grant.name, isRowHeader: true },
              { id: 'type', header: 'Type', cell: (grant) => grant.type },
              { id: 'used', header: 'Used as', cell: (grant) => grant.usedAs },
            ]}
          />
          <Container header={<Header variant="h2">Tags – optional</Header>}>
            <TagEditor tags={tags} set={setTags} />
          </Container>
          {problem}
        </SpaceBetween>
      ),
    },
  ];
  return (
    <Wizard
      steps={steps}
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Create user"
      i18nStrings={WIZARD}
      onNavigate={({ detail }) => void go(detail.requestedStepIndex)}
      onCancel={() => void navigate('/iam/users')}
      onSubmit={() => void create()}
    />
  );
}

/** Downloads a file with a console password. */
export function savePassword({ name, password, url }: ConsoleCredentials): void {
  const header = csvLine(['User name', 'Password', 'Console sign-in URL']);
  download(`${name}_credentials.csv`, `${header}\n${csvLine([name, password, url])}\n`);
}

function RetrievePassword({
  credentials,
  leave,
}: {
  credentials: ConsoleCredentials;
  leave: () => void;
}) {
  const markSaved = useOneTimeSecret('Console password');
  return (
    <ContentLayout header={<Header variant="h1">Retrieve password</Header>}>
      <SpaceBetween size="l">
        <Alert type="warning">
          This is the only time you can view or download the password. If you lose it, reset it.
        </Alert>
        <Container header={<Header variant="h2">Console sign-in details</Header>}>
          <KeyValuePairs
            columns={1}
            items={[
              {
                label: 'Console sign-in URL',
                value: <CopyText text={credentials.url} label="Console sign-in URL" />,
              },
              { label: 'User name', value: <CopyText text={credentials.name} label="User name" /> },
              {
                label: 'Console password',
                value: (
                  <SecretText
                    secret={credentials.password}
                    label="Console password"
                    onCopy={markSaved}
                  />
                ),
              },
            ]}
          />
        </Container>
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              iconName="download"
              onClick={() => {
                savePassword(credentials);
                markSaved();
              }}
            >
              Download .csv file
            </Button>
            <Button variant="primary" onClick={leave}>
              Return to users list
            </Button>
          </SpaceBetween>
        </Box>
      </SpaceBetween>
    </ContentLayout>
  );
}
