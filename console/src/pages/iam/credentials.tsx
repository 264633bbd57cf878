// The tab "Security credentials": the console password, the MFA devices and the access keys of a
// user. Root has the last two as well.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame, useServed } from '../../frame/context';
import { Confirm, Copy, Hidden } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { ago, full, moment } from '../../lib/age';
import { generate } from '../../lib/password';
import { savePassword, signInUrl } from './create-user';
import { MfaDevices } from './mfa';
import { PasswordChoice, type Password } from './password-choice';
import {
  credentialsPage,
  useAlias,
  useKeys,
  usePasswordPolicy,
  userChanged,
  type KeyDetail,
} from './queries';

const KEYS = 2;

export function Credentials({ name }: { name: string }) {
  return (
    <SpaceBetween size="l">
      <ConsoleSignIn name={name} />
      <MfaDevices name={name} />
      <AccessKeys name={name} />
    </SpaceBetween>
  );
}

function ConsoleSignIn({ name }: { name: string }) {
  const { session, done } = useFrame();
  const alias = useAlias();
  const login = useQuery({
    queryKey: ['user', name, 'login'],
    queryFn: () => iam.loginProfile(name),
  });
  const user = useQuery({ queryKey: ['user', name], queryFn: () => iam.getUser(name) });
  const [open, setOpen] = useState<'set' | 'disable'>();
  const [password, setPassword] = useState<Password>({ own: false, text: '', mustChange: true });
  const [set, shown] = useState<string>();
  const policy = usePasswordPolicy();
  const url = signInUrl(alias.data ?? session.accountId);
  const enabled = Boolean(login.data);
  const save = async (): Promise<void> => {
    const secret = password.own ? password.text : generate(policy.data?.length);
    const action = enabled ? 'UpdateLoginProfile' : 'CreateLoginProfile';
    await call('iam', action, {
      UserName: name,
      Password: secret,
      PasswordResetRequired: password.mustChange,
    });
    if (password.mustChange) {
      const PolicyArn = 'arn:aws:iam::aws:policy/IAMUserChangePassword';
      await call('iam', 'AttachUserPolicy', { UserName: name, PolicyArn });
    }
    shown(secret);
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {enabled && <Button onClick={() => setOpen('disable')}>Disable console access</Button>}
      <Button disabled={!login.isSuccess} onClick={() => setOpen('set')}>
        {enabled ? 'Reset password' : 'Enable console access'}
      </Button>
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          Console sign-in
        </Header>
      }
    >
      {login.error ? (
        <Problem error={login.error} />
      ) : (
        <KeyValuePairs
          columns={3}
          items={[
            {
              label: 'Console sign-in link',
              value: <Copy text={url} label="Console sign-in link" />,
            },
            {
              label: 'Console password',
              value: login.data ? `Set ${ago(login.data.created).toLowerCase()}` : 'Not enabled',
            },
            { label: 'Last console sign-in', value: full(user.data?.passwordLastUsed) },
          ]}
        />
      )}
      {open === 'set' && (
        <Confirm
          title={enabled ? 'Reset password' : 'Enable console access'}
          verb={enabled ? 'Reset password' : 'Enable console access'}
          disabled={password.own && password.text === ''}
          onDismiss={() => setOpen(undefined)}
          act={save}
          done={() => {
            setOpen(undefined);
            userChanged(name);
          }}
        >
          <PasswordChoice password={password} set={setPassword} />
        </Confirm>
      )}
      {open === 'disable' && (
        <Confirm
          title="Disable console access?"
          verb="Disable console access"
          onDismiss={() => setOpen(undefined)}
          act={() => call('iam', 'DeleteLoginProfile', { UserName: name })}
          done={() => {
            setOpen(undefined);
            userChanged(name);
            done('Console access disabled');
          }}
        >
          The password is deleted. Access keys of the user go on to work.
        </Confirm>
      )}
      {set !== undefined && (
        <Modal
          visible
          header="Console password"
          closeAriaLabel="Close"
          onDismiss={() => shown(undefined)}
        >
          <SpaceBetween size="m">
            <Alert type="warning">
              This is the only time that the password can be viewed or downloaded.
            </Alert>
            <Hidden secret={set} label="Console password" />
            <Button iconName="download" onClick={() => savePassword({ name, password: set, url })}>
              Download .csv file
            </Button>
          </SpaceBetween>
        </Modal>
      )}
    </Container>
  );
}

type Doing = { what: 'activate' | 'deactivate' | 'delete' | 'describe'; key: KeyDetail };
type Acting = Doing['what'] | 'rotate';

/** The access keys of a user, or of root where none is named. */
export function AccessKeys({ name }: { name?: string }) {
  const navigate = useNavigate();
  const { done } = useFrame();
  const keys = useKeys(name);
  const [doing, setDoing] = useState<Doing>();
  const full2 = (keys.data?.length ?? 0) >= KEYS;
  const close = (said?: string) => (): void => {
    setDoing(undefined);
    userChanged(name);
    if (said) done(said);
  };
  const act = (key: KeyDetail) => (what: Acting) => {
    if (what !== 'rotate') setDoing({ what, key });
    else if (name !== undefined)
      void navigate(`/iam/users/${encodeURIComponent(name)}/keys/rotate?key=${key.id}`);
  };
  const create = (
    <Button
      disabled={full2}
      disabledReason="A user has two access keys at most, active or inactive. Delete one to create another."
      onClick={() => void navigate(`${credentialsPage(name)}/keys/create`)}
    >
      Create access key
    </Button>
  );
  return (
    <Container
      header={
        <Header
          variant="h2"
          counter={`(${String(keys.data?.length ?? 0)})`}
          description="Access keys are for programs: the AWS CLI, SDKs, or direct calls. A user has two at most at a time, active or inactive."
          actions={create}
        >
          Access keys
        </Header>
      }
    >
      <SpaceBetween size="m">
        {keys.error && <Problem error={keys.error} retry={() => void keys.refetch()} />}
        {keys.isPending && <StatusIndicator type="loading">Loading</StatusIndicator>}
        {keys.data?.length === 0 && <Box textAlign="center">No access keys</Box>}
        {keys.data?.map((key) => (
          <KeyCard
            key={key.id}
            detail={key}
            described={name !== undefined}
            act={act(key)}
          />
        ))}
      </SpaceBetween>
      {doing && (
        <KeyDialog
          userName={name}
          doing={doing}
          dismiss={() => setDoing(undefined)}
          close={close}
        />
      )}
    </Container>
  );
}

interface CardProps {
  detail: KeyDetail;
  /** Whether it is a user's, which can have a description and be rotated; root's cannot. */
  described: boolean;
  act: (what: Acting) => void;
}

function KeyCard({ detail, described, act }: CardProps) {
  const { id, active, use, created, description } = detail;
  const can = useServed();
  const rotate = { id: 'rotate', text: 'Rotate', disabled: !active };
  return (
    <Container
      header={
        <Header
          variant="h3"
          actions={
            <ButtonDropdown
              ariaLabel={`Actions for ${id}`}
              items={[
                ...(described && can('StartRotation') ? [rotate] : []),
                active
                  ? { id: 'deactivate', text: 'Deactivate' }
                  : { id: 'activate', text: 'Activate' },
                { id: 'delete', text: 'Delete' },
                ...(described ? [{ id: 'describe', text: 'Edit description' }] : []),
              ]}
              onItemClick={({ detail: item }) => act(item.id as Acting)}
            >
              Actions
            </ButtonDropdown>
          }
        >
          {id}
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          ...(described ? [{ label: 'Description', value: description ?? '–' }] : []),
          {
            label: 'Status',
            value: (
              <StatusIndicator type={active ? 'success' : 'stopped'}>
                {active ? 'Active' : 'Inactive'}
              </StatusIndicator>
            ),
          },
          { label: 'Created', value: moment(created) },
          { label: 'Last used', value: moment(use.date) },
          { label: 'Last used region', value: use.region },
          { label: 'Last used service', value: use.service },
        ]}
      />
    </Container>
  );
}

interface DialogProps {
  userName: string | undefined;
  doing: Doing;
  dismiss: () => void;
  close: (said?: string) => () => void;
}

function KeyDialog({ userName, doing: { what, key }, dismiss, close }: DialogProps) {
  const { id, use } = key;
  const [active, setActive] = useState(key.active);
  const [text, setText] = useState(key.description ?? '');
  const [error, setError] = useState<unknown>();
  const update = (Status: 'Active' | 'Inactive') => () =>
    call('iam', 'UpdateAccessKey', { UserName: userName, AccessKeyId: id, Status });
  const used = use.date
    ? `It was last used ${moment(use.date).toLowerCase()}, for ${use.service}.`
    : 'It was never used.';
  if (what === 'describe') {
    const save = () =>
      text
        ? call('iam', 'TagUser', { UserName: userName, Tags: [{ Key: id, Value: text }] })
        : call('iam', 'UntagUser', { UserName: userName, TagKeys: [id] });
    return (
      <Confirm
        title="Edit description"
        verb="Save"
        onDismiss={dismiss}
        act={save}
        done={close('Description saved')}
      >
        <FormField label="Description">
          <Input value={text} onChange={({ detail }) => setText(detail.value)} />
        </FormField>
      </Confirm>
    );
  }
  if (what === 'activate') {
    return (
      <Confirm
        title={`Activate ${id}?`}
        verb="Activate"
        onDismiss={dismiss}
        act={update('Active')}
        done={close('Access key activated')}
      >
        The key can be used again at once.
      </Confirm>
    );
  }
  if (what === 'deactivate') {
    return (
      <Confirm
        title={`Deactivate ${id}?`}
        verb="Deactivate"
        onDismiss={dismiss}
        act={update('Inactive')}
        done={close('Access key deactivated')}
      >
        <Box>
          From the next request on, nobody can use this key until it is activated again. It still
          counts as one of the two keys of the user. {used}
        </Box>
      </Confirm>
    );
  }
  return (
    <Confirm
      title={`Delete ${id}?`}
      verb="Delete"
      typed={id}
      disabled={active}
      onDismiss={dismiss}
      act={async () => {
        await call('iam', 'DeleteAccessKey', { UserName: userName, AccessKeyId: id });
        // The description goes with its key; without the permission it stays.
        if (key.description)
          await call('iam', 'UntagUser', { UserName: userName, TagKeys: [id] }).catch(
            () => undefined,
          );
      }}
      done={close('Access key deleted')}
    >
      <Box>A deleted key cannot be brought back. {used}</Box>
      {active && (
        <Alert
          type="warning"
          action={
            <Button
              onClick={() => void update('Inactive')().then(() => setActive(false), setError)}
            >
              Deactivate
            </Button>
          }
        >
          Deactivate the key first, and see that nothing misses it.
        </Alert>
      )}
      {error !== undefined && <Problem error={error} />}
    </Confirm>
  );
}
