// The new key for a person: fetched from the server, put in place by hand, and confirmed.
//
// The secret lives in this page's memory only, until the page is left.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { confirmDelivery, retrieveKey, type Rotation } from '../../api/rotation';
import { Confirm, Copy, Hidden } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { saveKey } from '../iam/create-key';
import { awaitsPerson } from './phases';

export interface HandOverProps {
  rotation: Rotation;
  changed: (now: Rotation) => void;
}

export function HandOver({ rotation, changed }: HandOverProps) {
  const { userName, oldKey } = rotation;
  const awaited = awaitsPerson(rotation);
  const [key, setKey] = useState<{ id: string; secret: string }>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [asking, setAsking] = useState(false);
  const retrieve = (): void => {
    setBusy(true);
    setError(undefined);
    retrieveKey(userName)
      .then(setKey, setError)
      .finally(() => setBusy(false));
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {key ? (
        <Button iconName="download" onClick={() => saveKey(userName, key)}>
          Download .csv file
        </Button>
      ) : (
        <Button variant="primary" loading={busy} onClick={retrieve}>
          Retrieve the new key
        </Button>
      )}
      {awaited && (
        <Button {...(key ? { variant: 'primary' } : {})} onClick={() => setAsking(true)}>
          It is in place
        </Button>
      )}
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          {awaited ? 'Your turn: deliver the new key' : 'The new key'}
        </Header>
      }
    >
      <SpaceBetween size="m">
        <Box>
          {awaited &&
            `Put the new key wherever ${oldKey} is used, then say that it is in place. There is no
            hurry: both keys work until then. `}
          You can retrieve it again until {oldKey} is deleted.
        </Box>
        {key && (
          <KeyValuePairs
            columns={2}
            items={[
              { label: 'Access key', value: <Copy text={key.id} label="Access key" /> },
              {
                label: 'Secret access key',
                value: <Hidden secret={key.secret} label="Secret access key" />,
              },
            ]}
          />
        )}
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
      {asking && (
        <Confirm
          title="Is the new key in place?"
          verb="Yes, it is in place"
          onDismiss={() => setAsking(false)}
          act={async () => changed(await confirmDelivery(userName))}
          done={() => setAsking(false)}
        >
          Say so when every program that used {oldKey} uses the new key. It must have been retrieved,
          or used, before.
        </Confirm>
      )}
    </Container>
  );
}
