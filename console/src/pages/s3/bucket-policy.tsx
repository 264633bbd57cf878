// The policy of a bucket, in the same editor as every policy.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as s3 from '../../api/s3';
import { PolicyEditor, remaining, type PolicyQuota } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { ActionDialog, CopyText, Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { formatted, displayText } from '../../lib/policy-text';
import { invalidate } from '../iam/queries';

/** White space counts toward the quota of a bucket policy. */
const QUOTA: PolicyQuota = { limit: 20_480, countsWhitespace: true };

/** The initial bucket policy, which grants nothing. */
const initialPolicy = (bucket: string): string =>
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

export function BucketPolicy({ bucket }: { bucket: s3.BucketRef }) {
  const { notifySuccess } = useFrame();
  const read = useQuery({
    queryKey: ['bucket-policy', bucket.name],
    queryFn: () => s3.bucketPolicy(bucket),
  });
  const [text, setText] = useState<string>();
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  if (read.error)
    return <ErrorAlert error={read.error} retry={() => invalidate(['bucket-policy'])} />;
  if (read.isPending) return <Loading />;
  const stored = displayText(read.data ?? '');
  const current = text ?? stored;
  const arn = `arn:aws:s3:::${bucket.name}`;
  const onDone = (message: string) => (): void => {
    setText(undefined);
    setDeleting(false);
    invalidate(['bucket-policy']);
    notifySuccess(message);
  };
  const save = (): void => {
    setBusy(true);
    setError(undefined);
    s3.putBucketPolicy(bucket, current)
      .then(onDone('Bucket policy saved'), setError)
      .finally(() => setBusy(false));
  };
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={<CopyText text={arn} label="Bucket ARN" />}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button disabled={read.data === null} onClick={() => setDeleting(true)}>
                Delete
              </Button>
              {current === '' && (
                <Button onClick={() => setText(initialPolicy(bucket.name))}>Add statement</Button>
              )}
              <Button
                variant="primary"
                loading={busy}
                disabled={
                  current.trim() === '' || current === stored || remaining(current, QUOTA) < 0
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
          text={current}
          set={setText}
          kind={{ type: 'bucket', bucket: bucket.name }}
          quota={QUOTA}
          label="Bucket policy"
          placeholder="No policy"
        />
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
      {deleting && (
        <ActionDialog
          title="Delete bucket policy?"
          verb="Delete"
          confirmText="delete"
          onDismiss={() => setDeleting(false)}
          action={() => s3.deleteBucketPolicy(bucket)}
          onDone={onDone('Bucket policy deleted')}
        >
          Access that only this policy grants is lost, and its denials no longer apply.
        </ActionDialog>
      )}
    </Container>
  );
}
