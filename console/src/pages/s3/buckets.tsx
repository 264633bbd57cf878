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
import { Confirm, Link } from '../../frame/parts';
import { full } from '../../lib/age';
import { regionName } from '../../lib/regions';
import { changed } from '../iam/queries';

const COLUMNS: Column<Bucket>[] = [
  {
    id: 'name',
    header: 'Name',
    by: ({ name }) => name,
    cell: ({ name }) => <Link to={`/s3/buckets/${name}`}>{name}</Link>,
    isRowHeader: true,
  },
  {
    id: 'region',
    header: 'AWS Region',
    by: ({ region }) => region,
    cell: ({ region }) => `${regionName(region)} ${region}`,
  },
  {
    id: 'created',
    header: 'Creation date',
    by: ({ created }) => created,
    cell: ({ created }) => full(created),
  },
];

export function Buckets() {
  const navigate = useNavigate();
  const { done, failed } = useFrame();
  const buckets = useQuery({ queryKey: ['buckets'], queryFn: listBuckets });
  const [selected, select] = useState<Bucket[]>([]);
  const [doing, setDoing] = useState<'empty' | 'delete'>();
  const [deleted, setDeleted] = useState(0);
  const bucket = selected[0];
  const close = (said?: string) => (): void => {
    setDoing(undefined);
    setDeleted(0);
    if (!said) return;
    select([]);
    changed(['buckets'], ['objects']);
    done(said);
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
        reload={() => changed(['buckets'])}
        selection="single"
        selected={selected}
        select={select}
        empty="No buckets"
        actions={
          <>
            <Button
              disabled={!bucket}
              onClick={() =>
                void navigator.clipboard
                  .writeText(`arn:aws:s3:::${bucket?.name ?? ''}`)
                  .then(() => done('ARN copied'), failed)
              }
            >
              Copy ARN
            </Button>
            <Button disabled={!bucket} onClick={() => setDoing('empty')}>
              Empty
            </Button>
            <Button disabled={!bucket} onClick={() => setDoing('delete')}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => void navigate('/s3/create')}>
              Create bucket
            </Button>
          </>
        }
      />
      {bucket && doing === 'empty' && (
        <Confirm
          title={`Empty ${bucket.name}?`}
          verb="Empty"
          typed="permanently delete"
          onDismiss={close()}
          act={() => emptyBucket(bucket, setDeleted)}
          done={close('Bucket emptied')}
        >
          <Alert type="warning">
            All objects of the bucket are deleted. This cannot be undone.
          </Alert>
          {deleted > 0 && <Box>{deleted} deleted</Box>}
        </Confirm>
      )}
      {bucket && doing === 'delete' && (
        <Confirm
          title={`Delete ${bucket.name}?`}
          verb="Delete bucket"
          typed={bucket.name}
          onDismiss={close()}
          act={() => deleteBucket(bucket)}
          done={close('Bucket deleted')}
        >
          <Alert type="warning">
            A bucket must be empty to be deleted. Its name is free for everybody afterwards.
          </Alert>
        </Confirm>
      )}
    </>
  );
}
