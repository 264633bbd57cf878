// The wizard that creates an access key: use case, description, and the secret.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';

import { call } from '../../api/client';
import { CreateAccessKey, TagUser, type AccessKey } from '../../api/generated/iam';
import { useFrame } from '../../frame/context';
import { ActionDialog, CopyText, SecretText, WIZARD } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { useOneTimeSecret } from '../../frame/leave-guard';
import { csvLine } from '../../lib/csv';
import { download } from '../../lib/download';
import { invalidateUser } from './queries';
import { UseKey } from './use-key';

interface UseCase {
  value: string;
  label: string;
  description: string;
  alternative: string;
}

const USE_CASES: readonly UseCase[] = [
  {
    value: 'cli',
    label: 'Command Line Interface (CLI)',
    description:
      'You plan to use this access key to enable the AWS CLI to access your AWS account.',
    alternative:
      'For occasional tasks, use this console, which needs no access key. For the AWS CLI, limit the permissions of the user, and rotate the key with a rotation policy.',
  },
  {
    value: 'local',
    label: 'Local code',
    description:
      'You plan to use this access key to enable application code in a local development environment to access your AWS account.',
    alternative:
      'Create a separate user with least privilege for development, and never store access keys in source code.',
  },
  {
    value: 'compute',
    label: 'Application running on an AWS compute service',
    description:
      'You plan to use this access key to enable application code running on a compute service such as Amazon EC2, Amazon ECS, or AWS Lambda to access your AWS account.',
    alternative:
      'Store the key in a secret store of the compute service, where keywright rotate can replace it.',
  },
  {
    value: 'third-party',
    label: 'Third-party service',
    description:
      'You plan to use this access key to enable access for a third-party application or service that monitors or manages your AWS resources.',
    alternative: 'Create a dedicated user with least privilege.',
  },
  {
    value: 'outside',
    label: 'Application running outside AWS',
    description:
      'You plan to use this access key to authenticate workloads running in your data center or other infrastructure outside AWS.',
    alternative: 'Automate delivery and rotation with keywright rotate.',
  },
  {
    value: 'other',
    label: 'Other',
    description: 'Your use case is not listed here.',
    alternative: '',
  },
];

const BEST_PRACTICES = [
  'Never store an access key in plain text, in a code repository, or in code.',
  'Disable or delete access keys when no longer needed.',
  'Enable least-privilege permissions.',
  'Rotate access keys regularly.',
];
const DESCRIPTION_RULE =
  'Maximum 256 characters. Allowed characters: letters, numbers, spaces, and _ . : / = + - @';
const DESCRIPTION = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/** A new access key, with the secret that is answered only once. */
type NewKey = Pick<AccessKey, 'AccessKeyId' | 'SecretAccessKey'>;

export function CreateKeyPage() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { notify } = useFrame();
  const [step, setStep] = useState(0);
  const [use, setUse] = useState<string | null>(null);
  const [understood, setUnderstood] = useState(false);
  const [description, setDescription] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [created, setCreated] = useState<NewKey>();
  const chosen = USE_CASES.find(({ value }) => value === use);
  const needsConfirmation = chosen !== undefined && chosen.alternative !== '';
  const ready = chosen !== undefined && (understood || !needsConfirmation);
  const isInvalid = !DESCRIPTION.test(description);
  const back = (): void => void navigate(`/iam/users/${encodeURIComponent(name)}?tab=credentials`);

  const create = async (): Promise<void> => {
    if (isInvalid) return;
    setBusy(true);
    setError(undefined);
    try {
      const { AccessKey: key } = await call(CreateAccessKey, { UserName: name });
      setCreated(key);
      if (description) {
        await call(TagUser, {
          UserName: name,
          Tags: [{ Key: key.AccessKeyId, Value: description }],
        }).catch((why: unknown) =>
          notify({ type: 'warning', content: `The description could not be set: ${String(why)}` }),
        );
      }
      invalidateUser(name);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  if (created) return <RetrieveKey userName={name} created={created} leave={back} />;
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Create access key"
      i18nStrings={WIZARD}
      onCancel={back}
      onNavigate={({ detail }) => {
        if (detail.requestedStepIndex === 0 || ready) setStep(detail.requestedStepIndex);
        else
          setError(
            new Error(chosen ? 'Select the confirmation to continue.' : 'Choose a use case.'),
          );
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
                  type={needsConfirmation ? 'warning' : 'info'}
                  header={
                    needsConfirmation ? 'Alternative recommended' : 'Access key best practices'
                  }
                >
                  {needsConfirmation ? chosen.alternative : BEST_PRACTICES.join(' ')}
                </Alert>
              )}
              {needsConfirmation && (
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
                  description="The description is attached to this user as a tag. Describe the purpose of this access key and where it will be used."
                  constraintText={isInvalid ? '' : DESCRIPTION_RULE}
                  errorText={isInvalid ? DESCRIPTION_RULE : ''}
                >
                  <Input
                    value={description}
                    onChange={({ detail }) => setDescription(detail.value)}
                  />
                </FormField>
              </Container>
              {error !== undefined && <ErrorAlert error={error} />}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}

/** Creates an access key of root, for which there is no use case to choose. */
export function CreateRootKeyPage() {
  const navigate = useNavigate();
  const [understood, setUnderstood] = useState(false);
  const [created, setCreated] = useState<NewKey>();
  const back = (): void => void navigate('/security-credentials');
  if (created) return <RetrieveKey userName={undefined} created={created} leave={back} />;
  return (
    <ActionDialog
      title="Create root access key?"
      verb="Create access key"
      disabled={!understood}
      onDismiss={back}
      action={async () => {
        const { AccessKey: key } = await call(CreateAccessKey);
        invalidateUser();
        setCreated(key);
      }}
      onDone={() => undefined}
    >
      <Alert type="warning">
        Root access keys grant unrestricted access that no policy can limit. Create an IAM user with
        least-privilege permissions instead.
      </Alert>
      <Checkbox checked={understood} onChange={({ detail }) => setUnderstood(detail.checked)}>
        I understand creating a root access key is not a best practice, but I still want to create
        one.
      </Checkbox>
    </ActionDialog>
  );
}

/** Downloads a file with an access key. */
export function saveAccessKey(
  userName: string | undefined,
  { AccessKeyId, SecretAccessKey }: NewKey,
): void {
  const header = csvLine(['Access key ID', 'Secret access key']);
  const name = userName === undefined ? 'rootkey.csv' : `${userName}_accessKeys.csv`;
  download(name, `${header}\n${csvLine([AccessKeyId, SecretAccessKey])}\n`);
}

/** The profile that the server's own file with root's key has. */
const ROOT_PROFILE = 'keywright-root';

interface RetrieveProps {
  userName: string | undefined;
  created: NewKey;
  leave: () => void;
}

function RetrieveKey({ userName, created, leave }: RetrieveProps) {
  const markSaved = useOneTimeSecret('Secret access key');
  return (
    <ContentLayout header={<Header variant="h1">Retrieve access keys</Header>}>
      <SpaceBetween size="l">
        <Alert type="warning">
          This is the only time that the secret access key can be viewed or downloaded. You cannot
          recover it later. However, you can create a new access key any time.
        </Alert>
        <Table
          header={<Header variant="h2">Access key</Header>}
          items={[created]}
          trackBy="AccessKeyId"
          columnDefinitions={[
            {
              id: 'id',
              header: 'Access key',
              cell: ({ AccessKeyId }) => <CopyText text={AccessKeyId} label="Access key" />,
            },
            {
              id: 'secret',
              header: 'Secret access key',
              cell: ({ SecretAccessKey }) => (
                <SecretText secret={SecretAccessKey} label="Secret access key" onCopy={markSaved} />
              ),
            },
          ]}
        />
        <UseKey created={created} profile={userName ?? ROOT_PROFILE} onCopy={markSaved} />
        <Container header={<Header variant="h2">Access key best practices</Header>}>
          <ul>
            {BEST_PRACTICES.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Container>
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              iconName="download"
              onClick={() => {
                saveAccessKey(userName, created);
                markSaved();
              }}
            >
              Download .csv file
            </Button>
            <Button variant="primary" onClick={leave}>
              Done
            </Button>
          </SpaceBetween>
        </Box>
      </SpaceBetween>
    </ContentLayout>
  );
}
