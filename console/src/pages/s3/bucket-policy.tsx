// The policy of a bucket: written with the same editor as every policy.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as s3 from '../../api/s3';
import { PolicyEditor, remaining, type Room } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { Confirm, Copy, Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { formatted, shown } from '../../lib/policy-text';
import { changed } from '../iam/queries';

/** Of a bucket policy white space counts too. */
const ROOM: Room = { limit: 20_480, everything: true };

/** What a new bucket policy begins with: nothing that anybody could use yet. */
const first = (bucket: string): string =>
  formatted(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'Statement1',
          Effect: 'Allow',
          Principal: {},
          Action: [],
          Resource: [`arn:aws:s3:::${bucket}/*`],
        },
      ],
    }),
  );

export function BucketPolicy({ bucket }: { bucket: s3.Place }) {
  const { done } = useFrame();
  const read = useQuery({
    queryKey: ['bucket-policy', bucket.name],
    queryFn: () => s3.bucketPolicy(bucket),
  });
  const [text, setText] = useState<string>();
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  if (read.error) return <Problem error={read.error} retry={() => changed(['bucket-policy'])} />;
  if (read.isPending) return <Loading />;
  const stored = shown(read.data ?? '');
  const written = text ?? stored;
  const arn = `arn:aws:s3:::${bucket.name}`;
  const changedTo = (said: string) => (): void => {
    setText(undefined);
    setDeleting(false);
    changed(['bucket-policy']);
    done(said);
  };
  const save = (): void => {
    setBusy(true);
    setError(undefined);
    s3.putBucketPolicy(bucket, written)
      .then(changedTo('Bucket policy saved'), setError)
      .finally(() => setBusy(false));
  };
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={<Copy text={arn} label="ARN of the bucket" />}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button disabled={read.data === null} onClick={() => setDeleting(true)}>
                Delete
              </Button>
              {written === '' && (
                <Button onClick={() => setText(first(bucket.name))}>Add a statement</Button>
              )}
              <Button
                variant="primary"
                loading={busy}
                disabled={
                  written.trim() === '' || written === stored || remaining(written, ROOM) < 0
                }
                onClick={save}
              >
                Save changes
              </Button>
            </SpaceBetween>
          }
        >
          Bucket policy
        </Header>
      }
    >
      <SpaceBetween size="m">
        <PolicyEditor
          text={written}
          set={setText}
          kind={{ type: 'bucket', bucket: bucket.name }}
          room={ROOM}
          label="Bucket policy"
          placeholder="No policy"
        />
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
      {deleting && (
        <Confirm
          title="Delete the bucket policy?"
          verb="Delete"
          typed="delete"
          onDismiss={() => setDeleting(false)}
          act={() => s3.deleteBucketPolicy(bucket)}
          done={changedTo('Bucket policy deleted')}
        >
          Who has access by this policy alone loses it, and whom it denies is no longer held back.
        </Confirm>
      )}
    </Container>
  );
}
