// Before a rotation: what will happen, where the new key goes, how long to wait, and what is in
// the way.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';
import { Navigate, useNavigate, useParams, useSearchParams } from 'react-router';

import { PERSON, startRotation } from '../../api/rotation';
import { Link, Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { age, moment, span } from '../../lib/age';
import { useKeys, type KeyDetail } from '../iam/queries';
import { PlacesField, WaitField } from './choose';
import { rotationChanged, useOpenRotation } from './queries';
import { DWELL, OBSERVE, secsOf } from './waits';

const used = ({ use }: KeyDetail): string =>
  use.date
    ? `last used ${moment(use.date).toLowerCase()} for ${use.service} in ${use.region}`
    : 'never used';

const credentialsOf = (userName: string): string =>
  `/iam/users/${encodeURIComponent(userName)}?tab=credentials`;

/** What keeps a rotation of this key from beginning. */
function InTheWay({
  keys,
  keyId,
  userName,
}: {
  keys: KeyDetail[];
  keyId: string;
  userName: string;
}) {
  const link = <Link to={credentialsOf(userName)}>Access keys of {userName}</Link>;
  if (keys.length > 1) {
    return (
      <Alert type="error" header="It cannot start: the user has two access keys">
        A rotation needs the place of the second key, and never chooses which of two to give up.
        Delete the one that nobody needs.
        <ul>
          {keys.map((key) => (
            <li key={key.id}>
              {key.id}: {key.active ? 'active' : 'inactive'}, {age(key.created)} old, {used(key)}
            </li>
          ))}
        </ul>
        {link}
      </Alert>
    );
  }
  const found = keys.find(({ id }) => id === keyId);
  return (
    <Alert
      type="error"
      header={
        found ? 'It cannot start: the key is inactive' : 'It cannot start: there is no such key'
      }
    >
      {found
        ? 'A key that nobody can use needs no rotation: delete it, and create another.'
        : `${userName} has no access key ${keyId}.`}{' '}
      {link}
    </Alert>
  );
}

interface Times {
  observeSecs: number;
  dwellSecs: number;
}

function WhatHappens({ keyId, times }: { keyId: string; times: Times }) {
  const { observeSecs, dwellSecs } = times;
  return (
    <ol>
      <li>A second key is created. Its secret is sealed on disk before anything else happens.</li>
      <li>It is verified: five times in a row it must be accepted.</li>
      <li>It is delivered to each place, and read back. Both keys work.</li>
      <li>
        {observeSecs === 0
          ? `Skipped: waiting until nobody uses ${keyId}. Whoever has not got the new key is refused.`
          : `${keyId} must be unused for ${span(observeSecs)}.`}
      </li>
      <li>Every place and the new key are checked once more. Then {keyId} is deactivated.</li>
      <li>
        {dwellSecs === 0
          ? 'Skipped: keeping the inactive key. Nothing can be rolled back.'
          : `It stays inactive for ${span(dwellSecs)}. Until then one click puts everything back.`}
      </li>
      <li>It is deleted{observeSecs === 0 ? '.' : ', unless somebody still tries to use it.'}</li>
    </ol>
  );
}

export function StartRotation() {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const keys = useKeys(name);
  const open = useOpenRotation(name);
  if (keys.error) return <Problem error={keys.error} retry={() => void keys.refetch()} />;
  if (open.error) return <Problem error={open.error} retry={() => void open.refetch()} />;
  if (!keys.data || open.isPending) return <Loading />;
  if (open.data) return <Navigate to={`/rotations/${encodeURIComponent(name)}`} replace />;
  const keyId = search.get('key') ?? keys.data[0]?.id ?? '';
  return <StartForm userName={name} keyId={keyId} keys={keys.data} />;
}

function StartForm({
  userName,
  keyId,
  keys,
}: {
  userName: string;
  keyId: string;
  keys: KeyDetail[];
}) {
  const navigate = useNavigate();
  const [places, setPlaces] = useState([PERSON]);
  const [incident, setIncident] = useState(false);
  const [observe, setObserve] = useState(OBSERVE);
  const [dwell, setDwell] = useState(DWELL);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const key = keys.find(({ id }) => id === keyId);
  const can = keys.length === 1 && key?.active === true;
  const observeSecs = incident ? 0 : secsOf(observe);
  const dwellSecs = secsOf(dwell);
  const whole = observeSecs !== undefined && dwellSecs !== undefined && places.length > 0;

  const start = async (): Promise<void> => {
    if (!whole) return;
    setBusy(true);
    setError(undefined);
    try {
      await startRotation({
        userName,
        keyId,
        places,
        observeSecs: incident ? undefined : observeSecs,
        dwellSecs,
        incident,
      });
      rotationChanged(userName);
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
          description="Replaces an access key by a new one, without stranding whoever uses it. The server does each step on your behalf, with your permissions, whether this page is open or not."
        >
          Rotate access key
        </Header>
      }
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate(credentialsOf(userName))}>
            Cancel
          </Button>
          <Button
            variant="primary"
            disabled={!can || !whole}
            loading={busy}
            onClick={() => void start()}
          >
            Start rotation
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {!can && <InTheWay keys={keys} keyId={keyId} userName={userName} />}
        {key && <KeyToReplace detail={key} />}
        {can && (
          <Container header={<Header variant="h2">Delivery</Header>}>
            <PlacesField chosen={places} set={setPlaces} userName={userName} />
          </Container>
        )}
        {can && (
          <Container header={<Header variant="h2">Pace</Header>}>
            <SpaceBetween size="l">
              <RadioGroup
                value={incident ? 'incident' : 'safe'}
                ariaLabel="Pace"
                items={[
                  {
                    value: 'safe',
                    label: 'Safe',
                    description: 'The old key goes only when nobody uses it any more.',
                  },
                  {
                    value: 'incident',
                    label: 'Incident: the key has leaked',
                    description:
                      'Does not wait for the old key to be unused, neither before it is deactivated nor before it is deleted. The new key is still verified, delivered and read back first.',
                  },
                ]}
                onChange={({ detail }) => setIncident(detail.value === 'incident')}
              />
              {!incident && (
                <WaitField
                  label="Watch"
                  description="How long the old key must be unused before it is deactivated."
                  none="Whoever still uses the old key then is refused without warning."
                  wait={observe}
                  set={setObserve}
                />
              )}
              <WaitField
                label="Dwell"
                description="How long the old key stays inactive before it is deleted. Until then you can roll back."
                none="The old key is deleted at once: nothing can be rolled back."
                wait={dwell}
                set={setDwell}
              />
            </SpaceBetween>
          </Container>
        )}
        {can && (
          <Container header={<Header variant="h2">What will happen</Header>}>
            {whole && <WhatHappens keyId={keyId} times={{ observeSecs, dwellSecs }} />}
          </Container>
        )}
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Form>
  );
}

function KeyToReplace({ detail }: { detail: KeyDetail }) {
  const { id, created, use } = detail;
  return (
    <Container header={<Header variant="h2">Key to replace</Header>}>
      <KeyValuePairs
        columns={3}
        items={[
          { label: 'Access key ID', value: id },
          { label: 'Age', value: age(created) },
          {
            label: 'Last used',
            value: use.date ? `${moment(use.date)}, ${use.service}, ${use.region}` : 'Never',
          },
        ]}
      />
    </Container>
  );
}
