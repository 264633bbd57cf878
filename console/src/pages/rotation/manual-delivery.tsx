// The new key for a person: retrieved from the server, installed by hand, and confirmed.
//
// The secret lives in this page's memory only, until the page is left.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import {
  confirmDelivery,
  retrieveKey,
  type RetrieveRotationKeyResponse,
  type Rotation,
} from '../../api/rotation';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog, CopyText, SecretText } from '../../frame/parts';
import { saveAccessKey } from '../iam/create-key';
import { awaitsManualDelivery } from './phases';

interface ManualDeliveryProps {
  rotation: Rotation;
  update: (latest: Rotation) => void;
}

export function ManualDelivery({ rotation, update }: ManualDeliveryProps) {
  const { UserName, OldAccessKeyId } = rotation;
  const isAwaited = awaitsManualDelivery(rotation);
  const [key, setKey] = useState<RetrieveRotationKeyResponse>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [confirming, setConfirming] = useState(false);
  const retrieve = (): void => {
    setBusy(true);
    setError(undefined);
    retrieveKey(UserName)
      .then(setKey, setError)
      .finally(() => setBusy(false));
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {key ? (
        <Button iconName="download" onClick={() => saveAccessKey(UserName, key)}>
          Download .csv file
        </Button>
      ) : (
        <Button variant="primary" loading={busy} onClick={retrieve}>
          Retrieve new key
        </Button>
      )}
      {isAwaited && (
        <Button {...(key ? { variant: 'primary' } : {})} onClick={() => setConfirming(true)}>
          Confirm delivery
        </Button>
      )}
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          {isAwaited ? 'Action required: deliver the new key' : 'New key'}
        </Header>
      }
    >
      <SpaceBetween size="m">
        <Box>
          {isAwaited &&
            `Install the new key wherever ${OldAccessKeyId} is used, then confirm. Both keys work
            until then. `}
          You can retrieve the new key again until {OldAccessKeyId} is deleted.
        </Box>
        {key && (
          <KeyValuePairs
            columns={2}
            items={[
              {
                label: 'Access key',
                value: <CopyText text={key.AccessKeyId} label="Access key" />,
              },
              {
                label: 'Secret access key',
                value: <SecretText secret={key.SecretAccessKey} label="Secret access key" />,
              },
            ]}
          />
        )}
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
      {confirming && (
        <ActionDialog
          title="Confirm delivery of the new key?"
          verb="Confirm"
          onDismiss={() => setConfirming(false)}
          action={async () => update(await confirmDelivery(UserName))}
          onDone={() => setConfirming(false)}
        >
          Confirm only after every client of {OldAccessKeyId} uses the new key. The new key must
          have been retrieved or used before.
        </ActionDialog>
      )}
    </Container>
  );
}
