// The buckets of the account.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { deleteBucket, emptyBucket, listBuckets, type Bucket } from '../../api/s3';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { regionName } from '../../lib/regions';
import { invalidate } from '../iam/queries';

const COLUMNS: Column<Bucket>[] = [
  {
    id: 'name',
    header: 'Name',
    value: ({ name }) => name,
    cell: ({ name }) => <Link to={`/s3/buckets/${name}`}>{name}</Link>,
    isRowHeader: true,
  },
  {
    id: 'region',
    header: 'AWS Region',
    value: ({ region }) => region,
    cell: ({ region }) => `${regionName(region)} ${region}`,
  },
  {
    id: 'created',
    header: 'Creation date',
    value: ({ created }) => created,
    cell: ({ created }) => fullDate(created),
  },
];

export function BucketsPage() {
  const navigate = useNavigate();
  const { notifySuccess, notifyError } = useFrame();
  const buckets = useQuery({ queryKey: ['buckets'], queryFn: listBuckets });
  const [selected, setSelected] = useState<Bucket[]>([]);
  const [open, setOpen] = useState<'empty' | 'delete'>();
  const [deleted, setDeleted] = useState(0);
  const bucket = selected[0];
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    setDeleted(0);
    if (message === undefined) return;
    setSelected([]);
    invalidate(['buckets'], ['objects']);
    notifySuccess(message);
  };
  return (
    <>
      <List
        title="General purpose buckets"
        variant="full-page"
        search="Find buckets by name"
        items={buckets.data}
        columns={COLUMNS}
        rowId={({ name }) => name}
        loading={buckets.isPending}
        error={buckets.error}
        reload={() => invalidate(['buckets'])}
        selection="single"
        selected={selected}
        onSelect={setSelected}
        empty="No buckets"
        actions={
          <>
            <Button
              disabled={!bucket}
              onClick={() =>
                void navigator.clipboard
                  .writeText(`arn:aws:s3:::${bucket?.name ?? ''}`)
                  .then(() => notifySuccess('ARN copied'), notifyError)
              }
            >
              Copy ARN
            </Button>
            <Button disabled={!bucket} onClick={() => setOpen('empty')}>
              Empty
            </Button>
            <Button disabled={!bucket} onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => void navigate('/s3/create')}>
              Create bucket
            </Button>
          </>
        }
      />
      {bucket && open === 'empty' && (
        <ActionDialog
          title={`Empty ${bucket.name}?`}
          verb="Empty"
          confirmText="permanently delete"
          onDismiss={close()}
          action={() => emptyBucket(bucket, setDeleted)}
          onDone={close(`Bucket ${bucket.name} emptied`)}
        >
          <Alert type="warning">
            All objects in the bucket will be deleted. This can&apos;t be undone.
          </Alert>
          {deleted > 0 && <Box>{deleted} objects deleted</Box>}
        </ActionDialog>
      )}
      {bucket && open === 'delete' && (
        <ActionDialog
          title={`Delete ${bucket.name}?`}
          verb="Delete bucket"
          confirmText={bucket.name}
          onDismiss={close()}
          action={() => deleteBucket(bucket)}
          onDone={close(`Bucket ${bucket.name} deleted`)}
        >
          <Alert type="warning">
            The bucket must be empty. Other accounts on this server can then use the name.
          </Alert>
        </ActionDialog>
      )}
    </>
  );
}
