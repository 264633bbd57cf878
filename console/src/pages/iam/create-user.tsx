// The wizard that creates a user: details, permissions, review; and the password, once.
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
import type { Tag } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Copy, Hidden, WIZARD } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { line } from '../../lib/csv';
import { download } from '../../lib/download';
import { generate } from '../../lib/password';
import { CreateGroup } from './groups';
import { PasswordChoice, type Password } from './password-choice';
import {
  attach,
  grants,
  NOTHING,
  Permissions,
  typeOf,
  type Choice,
  type Grant,
} from './permissions';
import { changed, useAlias, usePasswordPolicy } from './queries';
import { TagEditor, written } from './tags';

const CHANGE_PASSWORD = 'IAMUserChangePassword';
const NAME = /^[\w+=,.@-]{1,64}$/;

/** Where users of this account sign in. */
export function signInUrl(account: string): string {
  return `${location.origin}/console/?account=${account}`;
}

interface Made {
  name: string;
  password: string;
  url: string;
}

export function CreateUser() {
  const navigate = useNavigate();
  const { session, notify } = useFrame();
  const alias = useAlias();
  const [step, setStep] = useState(0);
  const [name, setName] = useState('');
  const [access, setAccess] = useState(false);
  const [password, setPassword] = useState<Password>({ own: false, text: '', mustChange: true });
  const [choice, setChoice] = useState<Choice>(NOTHING);
  const [planned, setPlanned] = useState<Grant[]>([]);
  const [tags, setTags] = useState<Tag[]>([]);
  const [grouping, setGrouping] = useState(false);
  const [touched, setTouched] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [made, setMade] = useState<Made>();

  const nameError = NAME.test(name)
    ? ''
    : 'A name has 1 to 64 characters: A-Z, a-z, 0-9 and + = , . @ _ - (hyphen).';
  const passwordError = access && password.own && password.text === '' ? 'Enter a password.' : '';

  const boundary = choice.bounded ? choice.boundary[0] : undefined;
  const bounded = boundary && {
    name: boundary.name,
    type: typeOf(boundary.arn),
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
        const chosen = await grants(choice);
        const asked =
          access && password.mustChange && !chosen.some((grant) => grant.name === CHANGE_PASSWORD);
        const changing = attach(CHANGE_PASSWORD, `arn:aws:iam::aws:policy/${CHANGE_PASSWORD}`);
        setPlanned(asked ? [...chosen, changing] : chosen);
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
    let begun = false;
    try {
      await call('iam', 'CreateUser', {
        UserName: name,
        PermissionsBoundary: boundary?.arn,
        Tags: written(tags),
      });
      begun = true;
      const secret = password.own ? password.text : generate(policy.data?.length);
      if (access) {
        const PasswordResetRequired = password.mustChange;
        await call('iam', 'CreateLoginProfile', {
          UserName: name,
          Password: secret,
          PasswordResetRequired,
        });
      }
      for (const grant of planned) await grant.give(name);
      changed(['users'], ['report'], ['summary']);
      notify({
        type: 'success',
        content: 'User created successfully',
        action: <Button onClick={() => void navigate(`/iam/users/${name}`)}>View user</Button>,
      });
      if (access)
        setMade({ name, password: secret, url: signInUrl(alias.data ?? session.accountId) });
      else void navigate('/iam/users');
    } catch (problem) {
      // A user of whom a part is missing is not left behind unnoticed.
      if (begun) {
        notify({
          type: 'warning',
          content: `${name} was created, but not everything was set. Look at the user, or delete it and begin again.`,
          action: <Button onClick={() => void navigate(`/iam/users/${name}`)}>View user</Button>,
        });
        changed(['users']);
      }
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  if (made) return <Retrieve made={made} leave={() => void navigate('/iam/users')} />;
  const problem = error !== undefined && <Problem error={error} />;
  const steps = [
    {
      title: 'Specify user details',
      content: (
        <Container header={<Header variant="h2">User details</Header>}>
          <SpaceBetween size="l">
            <FormField
              label="User name"
              constraintText="Up to 64 characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)"
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
              Provide user access to the console – optional
            </Checkbox>
            {access && (
              <PasswordChoice
                password={password}
                set={setPassword}
                errorText={touched ? passwordError : ''}
              />
            )}
            <Alert type="info">
              Access keys for programs can be created after the user exists, on its page under
              Security credentials.
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
            groupActions={<Button onClick={() => setGrouping(true)}>Create group</Button>}
          />
          {grouping && (
            <CreateGroup dismiss={() => setGrouping(false)} done={() => setGrouping(false)} />
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
                  value: access ? (password.own ? 'Custom password' : 'Autogenerated') : 'None',
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
            items={bounded ? [...planned, bounded] : planned}
            trackBy={(grant) => `${grant.usedAs} ${grant.type} ${grant.name}`}
            empty={<Box textAlign="center">The user will have no permissions.</Box>}
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

/** The file with a console password. */
export function savePassword({ name, password, url }: Made): void {
  const header = line(['User name', 'Password', 'Console sign-in URL']);
  download(`${name}_credentials.csv`, `${header}\n${line([name, password, url])}\n`);
}

function Retrieve({ made, leave }: { made: Made; leave: () => void }) {
  return (
    <ContentLayout header={<Header variant="h1">Retrieve password</Header>}>
      <SpaceBetween size="l">
        <Alert type="warning">
          This is the only time that the password can be viewed or downloaded. If it is lost, it can
          be reset.
        </Alert>
        <Container header={<Header variant="h2">Console sign-in details</Header>}>
          <KeyValuePairs
            columns={1}
            items={[
              {
                label: 'Console sign-in URL',
                value: <Copy text={made.url} label="Console sign-in URL" />,
              },
              { label: 'User name', value: <Copy text={made.name} label="User name" /> },
              {
                label: 'Console password',
                value: <Hidden secret={made.password} label="Console password" />,
              },
            ]}
          />
        </Container>
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button iconName="download" onClick={() => savePassword(made)}>
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
