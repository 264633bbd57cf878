// Before a rotation: what will happen, the destinations of the new key, the periods, and what
// prevents the rotation from starting.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';
import { useState } from 'react';
import { Navigate, useNavigate, useParams, useSearchParams } from 'react-router';

import { MANUAL_DELIVERY, startRotation } from '../../api/rotation';
import { ErrorAlert } from '../../frame/error-alert';
import { Link, Loading } from '../../frame/parts';
import { age, durationText } from '../../lib/age';
import { lastUseText, sentence } from '../../lib/key-activity';
import { isActive, useKeys, type KeyDetail } from '../iam/queries';
import { DEFAULT_GRACE, DEFAULT_OBSERVATION, durationSeconds } from './durations';
import { DestinationsField, GraceField, ObservationField } from './fields';
import { invalidateRotation, useOpenRotation } from './queries';

const credentialsHref = (userName: string): string =>
  `/iam/users/${encodeURIComponent(userName)}?tab=credentials`;

export function StartRotationPage() {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const keys = useKeys(name);
  const open = useOpenRotation(name);
  if (keys.error) return <ErrorAlert error={keys.error} retry={() => void keys.refetch()} />;
  if (open.error) return <ErrorAlert error={open.error} retry={() => void open.refetch()} />;
  if (!keys.data || open.isPending) return <Loading />;
  if (open.data) return <Navigate to={`/rotations/${encodeURIComponent(name)}`} replace />;
  const keyId = search.get('key') ?? keys.data[0]?.AccessKeyId ?? '';
  return <StartForm userName={name} keyId={keyId} keys={keys.data} />;
}

interface StartFormProps {
  userName: string;
  keyId: string;
  keys: KeyDetail[];
}

function StartForm({ userName, keyId, keys }: StartFormProps) {
  const navigate = useNavigate();
  const [destinations, setDestinations] = useState([MANUAL_DELIVERY]);
  const [leaked, setLeaked] = useState(false);
  const [deactivateFirst, setDeactivateFirst] = useState(false);
  const [observation, setObservation] = useState(DEFAULT_OBSERVATION);
  const [grace, setGrace] = useState(DEFAULT_GRACE);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const key = keys.find(({ AccessKeyId }) => AccessKeyId === keyId);
  const canStart = keys.length === 1 && key !== undefined && isActive(key);
  const observeSeconds = leaked ? 0 : durationSeconds(observation);
  const graceSeconds = durationSeconds(grace);
  const isComplete =
    observeSeconds !== undefined && graceSeconds !== undefined && destinations.length > 0;

  const start = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await startRotation({
        UserName: userName,
        AccessKeyId: keyId,
        Places: destinations,
        ObserveSeconds: leaked ? undefined : observeSeconds,
        DwellSeconds: graceSeconds,
        Incident: leaked,
        DeactivateFirst: leaked && deactivateFirst,
      });
      invalidateRotation(userName);
      void navigate(`/rotations/${encodeURIComponent(userName)}`, { replace: true });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };

  return (
    <Form
      header={
        <Header
          variant="h1"
          description="Replaces this access key without interrupting its users. The rotation runs on the server with your permissions; you can leave this page."
        >
          Rotate access key
        </Header>
      }
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate(credentialsHref(userName))}>
            Cancel
          </Button>
          <Button
            variant="primary"
            disabled={!canStart || !isComplete}
            loading={busy}
            onClick={() => void start()}
          >
            Start rotation
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {!canStart && <CannotStart keys={keys} keyId={keyId} userName={userName} />}
        {key && <KeyToReplace detail={key} />}
        {canStart && (
          <Container header={<Header variant="h2">Delivery</Header>}>
            <DestinationsField selected={destinations} set={setDestinations} userName={userName} />
          </Container>
        )}
        {canStart && (
          <Container header={<Header variant="h2">Rotation mode</Header>}>
            <SpaceBetween size="l">
              <ModeField leaked={leaked} set={setLeaked} />
              {leaked ? (
                <Toggle
                  checked={deactivateFirst}
                  description="Clients of the old key are rejected until they have the new key."
                  onChange={({ detail }) => setDeactivateFirst(detail.checked)}
                >
                  Deactivate the old key first
                </Toggle>
              ) : (
                <ObservationField duration={observation} set={setObservation} />
              )}
              <GraceField duration={grace} set={setGrace} />
            </SpaceBetween>
          </Container>
        )}
        {canStart && (
          <Container header={<Header variant="h2">Rotation steps</Header>}>
            {isComplete && (
              <RotationSteps
                keyId={keyId}
                observeSeconds={observeSeconds}
                graceSeconds={graceSeconds}
                deactivateFirst={leaked && deactivateFirst}
              />
            )}
          </Container>
        )}
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Form>
  );
}

function ModeField({ leaked, set }: { leaked: boolean; set: (leaked: boolean) => void }) {
  return (
    <RadioGroup
      value={leaked ? 'leaked' : 'standard'}
      ariaLabel="Rotation mode"
      items={[
        {
          value: 'standard',
          label: 'Standard',
          description:
            'The old key is deactivated only after it has been unused for the period below.',
        },
        {
          value: 'leaked',
          label: 'Incident: the key has leaked',
          description:
            'Deactivates the old key right after delivery, even if it is still in use. The new key is still verified, delivered, and read back first.',
        },
      ]}
      onChange={({ detail }) => set(detail.value === 'leaked')}
    />
  );
}

interface RotationStepsProps {
  keyId: string;
  observeSeconds: number;
  graceSeconds: number;
  deactivateFirst: boolean;
}

function RotationSteps(props: RotationStepsProps) {
  const { keyId, observeSeconds, graceSeconds, deactivateFirst } = props;
  return (
    <ol>
      {deactivateFirst && <li>{keyId} is deactivated.</li>}
      <li>
        A second key is created. Its secret is encrypted on disk before anything else happens.
      </li>
      <li>The new key is verified with five successful requests.</li>
      <li>
        The new key is delivered to each destination and read back.
        {!deactivateFirst && ' Both keys work.'}
      </li>
      {!deactivateFirst && (
        <>
          <li>
            {observeSeconds === 0
              ? 'Skipped: observation. Clients without the new key are rejected.'
              : `${keyId} must be unused for ${durationText(observeSeconds)}.`}
          </li>
          <li>Every destination and the new key are checked again. Then {keyId} is deactivated.</li>
        </>
      )}
      <li>
        {graceSeconds === 0
          ? "Skipped: grace period. You can't roll back."
          : `${keyId} stays inactive for ${durationText(graceSeconds)}. Until then, you can roll back.`}
      </li>
      <li>{keyId} is deleted after a client has used the new key.</li>
    </ol>
  );
}

interface CannotStartProps {
  keys: KeyDetail[];
  keyId: string;
  userName: string;
}

/** Why a rotation of this key cannot start. */
function CannotStart({ keys, keyId, userName }: CannotStartProps) {
  const link = <Link to={credentialsHref(userName)}>Access keys of {userName}</Link>;
  if (keys.length > 1) {
    return (
      <Alert type="error" header="Can't start: this user already has two access keys">
        A rotation needs a free key slot. Delete the key that is no longer used.
        <ul>
          {keys.map((key) => (
            <li key={key.AccessKeyId}>
              {key.AccessKeyId}: {isActive(key) ? 'active' : 'inactive'}, {age(key.CreateDate)} old,{' '}
              last used {sentence(lastUseText(key.uses?.last))}
            </li>
          ))}
        </ul>
        {link}
      </Alert>
    );
  }
  const isFound = keys.some(({ AccessKeyId }) => AccessKeyId === keyId);
  return (
    <Alert
      type="error"
      header={
        isFound
          ? "Can't start: the access key is inactive"
          : "Can't start: the access key doesn't exist"
      }
    >
      <Box variant="p">
        {isFound
          ? 'An inactive key does not need a rotation. Delete it and create a new one.'
          : `${userName} has no access key ${keyId}.`}
      </Box>
      {link}
    </Alert>
  );
}

function KeyToReplace({ detail }: { detail: KeyDetail }) {
  const { AccessKeyId, CreateDate, uses } = detail;
  return (
    <Container header={<Header variant="h2">Key to replace</Header>}>
      <KeyValuePairs
        columns={3}
        items={[
          { label: 'Access key ID', value: AccessKeyId },
          { label: 'Age', value: age(CreateDate) },
          {
            label: 'Last used',
            value: lastUseText(uses?.last),
          },
        ]}
      />
    </Container>
  );
}
