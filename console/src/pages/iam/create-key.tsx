// The wizard that creates an access key: what it is for, a description, and the secret, once.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';

import { call } from '../../api/client';
import { useFrame } from '../../frame/context';
import { Confirm, Copy, Hidden, WIZARD } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { line } from '../../lib/csv';
import { download } from '../../lib/download';
import { userChanged } from './queries';

interface UseCase {
  value: string;
  label: string;
  description: string;
  instead: string;
}

const USE_CASES: readonly UseCase[] = [
  {
    value: 'cli',
    label: 'Command Line Interface (CLI)',
    description: 'You plan to use this access key with the AWS CLI.',
    instead:
      'For a person at a terminal, temporary credentials (GetSessionToken) leave nothing behind that lasts.',
  },
  {
    value: 'local',
    label: 'Local code',
    description: 'Code on your own machine will use this access key.',
    instead: 'Use temporary credentials while you develop, and keep the key out of the source.',
  },
  {
    value: 'compute',
    label: 'Application running on an AWS compute service',
    description: 'An application on EC2, ECS or Lambda will use this access key.',
    instead: 'On AWS, attach an IAM role to the compute resource: it needs no key at all.',
  },
  {
    value: 'third-party',
    label: 'Third-party service',
    description: 'A tool that monitors or manages resources will use this access key.',
    instead:
      'Give the service a user of its own with the fewest permissions that it can work with.',
  },
  {
    value: 'outside',
    label: 'Application running outside AWS',
    description: 'A workload in your data centre or elsewhere will use this access key.',
    instead:
      'Deliver and replace the key by machine: keywright rotate does both, wherever the key is used.',
  },
  { value: 'other', label: 'Other', description: 'Your use case is not listed here.', instead: '' },
];

const ADVICE = [
  'Never store an access key in plain text, in a repository or in code.',
  'Disable or delete access keys that are no longer needed.',
  'Allow only what the work needs.',
  'Replace access keys regularly.',
];
const DESCRIPTION = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

interface Made {
  id: string;
  secret: string;
}

export function CreateKey() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { notify } = useFrame();
  const [step, setStep] = useState(0);
  const [use, setUse] = useState<string | null>(null);
  const [understood, setUnderstood] = useState(false);
  const [description, setDescription] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [made, setMade] = useState<Made>();
  const chosen = USE_CASES.find(({ value }) => value === use);
  const needsYes = chosen !== undefined && chosen.instead !== '';
  const ready = chosen !== undefined && (understood || !needsYes);
  const wrong = DESCRIPTION.test(description)
    ? ''
    : 'Up to 256 letters, digits, spaces and _ . : / = + - @';
  const back = (): void => void navigate(`/iam/users/${encodeURIComponent(name)}?tab=credentials`);

  const create = async (): Promise<void> => {
    if (wrong) return;
    setBusy(true);
    setError(undefined);
    try {
      const key = (await call('iam', 'CreateAccessKey', { UserName: name })).child('AccessKey');
      const id = key?.text('AccessKeyId') ?? '';
      setMade({ id, secret: key?.text('SecretAccessKey') ?? '' });
      if (description) {
        await call('iam', 'TagUser', {
          UserName: name,
          Tags: [{ Key: id, Value: description }],
        }).catch((why: unknown) =>
          notify({ type: 'warning', content: `The description could not be set: ${String(why)}` }),
        );
      }
      userChanged(name);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  if (made) return <Retrieve userName={name} made={made} leave={back} />;
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Create access key"
      i18nStrings={WIZARD}
      onCancel={back}
      onNavigate={({ detail }) => {
        if (detail.requestedStepIndex === 0 || ready) setStep(detail.requestedStepIndex);
        else setError(new Error(chosen ? 'Tick the confirmation to go on.' : 'Choose a use case.'));
      }}
      onSubmit={() => void create()}
      steps={[
        {
          title: 'Access key best practices & alternatives',
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Use case</Header>}>
                <RadioGroup
                  value={use}
                  ariaLabel="Use case"
                  items={USE_CASES.map(({ value, label, description: text }) => ({
                    value,
                    label,
                    description: text,
                  }))}
                  onChange={({ detail }) => {
                    setUse(detail.value);
                    setUnderstood(false);
                    setError(undefined);
                  }}
                />
              </Container>
              {chosen && (
                <Alert
                  type={needsYes ? 'warning' : 'info'}
                  header={needsYes ? 'Alternative recommended' : 'Keep it safe'}
                >
                  {needsYes ? chosen.instead : ADVICE.join(' ')}
                </Alert>
              )}
              {needsYes && (
                <FormField label="Confirmation">
                  <Checkbox
                    checked={understood}
                    onChange={({ detail }) => {
                      setUnderstood(detail.checked);
                      setError(undefined);
                    }}
                  >
                    I understand the above recommendation and want to proceed to create an access
                    key.
                  </Checkbox>
                </FormField>
              )}
              {error !== undefined && (
                <Alert type="error">{error instanceof Error ? error.message : ''}</Alert>
              )}
            </SpaceBetween>
          ),
        },
        {
          title: 'Set description tag – optional',
          content: (
            <SpaceBetween size="l">
              <Container>
                <FormField
                  label="Description tag value"
                  description="What this access key is for, and where it will be used. It is kept as a tag of the user."
                  constraintText="Up to 256 letters, digits, spaces and _ . : / = + - @"
                  errorText={wrong}
                >
                  <Input
                    value={description}
                    onChange={({ detail }) => setDescription(detail.value)}
                  />
                </FormField>
              </Container>
              {error !== undefined && <Problem error={error} />}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}

/** Root's own key: there is but one thing to say about it. */
export function CreateRootKey() {
  const navigate = useNavigate();
  const [understood, setUnderstood] = useState(false);
  const [made, setMade] = useState<Made>();
  const back = (): void => void navigate('/security-credentials');
  if (made) return <Retrieve userName={undefined} made={made} leave={back} />;
  return (
    <Confirm
      title="Create a root access key?"
      verb="Create access key"
      disabled={!understood}
      onDismiss={back}
      act={async () => {
        const key = (await call('iam', 'CreateAccessKey')).child('AccessKey');
        userChanged();
        setMade({
          id: key?.text('AccessKeyId') ?? '',
          secret: key?.text('SecretAccessKey') ?? '',
        });
      }}
      done={() => undefined}
    >
      <Alert type="warning">
        Whoever has a key of the root user may do everything, and no policy can limit it. Create a
        user with the permissions that the work needs instead.
      </Alert>
      <Checkbox checked={understood} onChange={({ detail }) => setUnderstood(detail.checked)}>
        I understand that a root access key is not a best practice, and want to create one.
      </Checkbox>
    </Confirm>
  );
}

/** The file with an access key. */
export function saveKey(userName: string | undefined, { id, secret }: Made): void {
  const header = line(['Access key ID', 'Secret access key']);
  const name = userName === undefined ? 'rootkey.csv' : `${userName}_accessKeys.csv`;
  download(name, `${header}\n${line([id, secret])}\n`);
}

interface RetrieveProps {
  userName: string | undefined;
  made: Made;
  leave: () => void;
}

function Retrieve({ userName, made, leave }: RetrieveProps) {
  const [saved, setSaved] = useState(false);
  const [asking, setAsking] = useState(false);
  return (
    <ContentLayout header={<Header variant="h1">Retrieve access keys</Header>}>
      <SpaceBetween size="l">
        <Alert type="warning">
          This is the only time that the secret access key can be viewed or downloaded. If it is
          lost, create a new key.
        </Alert>
        <Table
          header={<Header variant="h2">Access key</Header>}
          items={[made]}
          trackBy="id"
          columnDefinitions={[
            {
              id: 'id',
              header: 'Access key',
              cell: ({ id }) => <Copy text={id} label="Access key" />,
            },
            {
              id: 'secret',
              header: 'Secret access key',
              cell: ({ secret }) => <Hidden secret={secret} label="Secret access key" />,
            },
          ]}
        />
        <Container header={<Header variant="h2">Access key best practices</Header>}>
          <ul>
            {ADVICE.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Container>
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              iconName="download"
              onClick={() => {
                saveKey(userName, made);
                setSaved(true);
              }}
            >
              Download .csv file
            </Button>
            <Button variant="primary" onClick={() => (saved ? leave() : setAsking(true))}>
              Done
            </Button>
          </SpaceBetween>
        </Box>
      </SpaceBetween>
      {asking && (
        <Modal
          visible
          header="Leave without the secret access key?"
          closeAriaLabel="Close"
          onDismiss={() => setAsking(false)}
          footer={
            <Box float="right">
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={() => setAsking(false)}>Stay</Button>
                <Button variant="primary" onClick={leave}>
                  Leave
                </Button>
              </SpaceBetween>
            </Box>
          }
        >
          It has not been downloaded, and cannot be seen again.
        </Modal>
      )}
    </ContentLayout>
  );
}
