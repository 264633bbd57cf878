// A bucket's page: its objects, folder by folder, and its permissions.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { useQuery } from '@tanstack/react-query';
import { Fragment, useMemo, useRef, useState } from 'react';
import { useParams, useSearchParams } from 'react-router';

import * as s3 from '../../api/s3';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, CopyText, Link, Loading } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { invalidate } from '../iam/queries';
import { BucketPolicy } from './bucket-policy';
import { BlockPublicAccess } from './public-access';
import { useUploads } from './uploads';

export function BucketPage() {
  const { name = '' } = useParams();
  const [search, setSearch] = useSearchParams();
  const region = useQuery({
    queryKey: ['region', name],
    queryFn: () => s3.bucketRegion(name),
    staleTime: 60_000,
  });
  // Without permission to read the Region, listing may still be allowed; another Region is an error.
  if (region.isPending) return <Loading />;
  const bucket = { name, region: region.data ?? 'us-east-1' };
  const prefix = search.get('prefix') ?? '';
  return (
    <ContentLayout header={<Header variant="h1">{name}</Header>}>
      <Tabs
        activeTabId={search.get('tab') ?? 'objects'}
        onChange={({ detail }) => setSearch({ tab: detail.activeTabId })}
        tabs={[
          {
            id: 'objects',
            label: 'Objects',
            content: <Objects key={prefix} bucket={bucket} prefix={prefix} />,
          },
          {
            id: 'permissions',
            label: 'Permissions',
            content: (
              <SpaceBetween size="l">
                <BlockPublicAccess bucket={bucket} />
                <BucketPolicy bucket={bucket} />
              </SpaceBetween>
            ),
          },
        ]}
      />
    </ContentLayout>
  );
}

interface Row {
  key: string;
  label: string;
  object?: s3.S3Object;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

const objectType = ({ key, object }: Row): string => {
  if (!object) return 'Folder';
  const name = key.split('/').pop() ?? '';
  return name.includes('.') ? (name.split('.').pop() ?? '') : '–';
};

function columns(bucket: string): Column<Row>[] {
  return [
    {
      id: 'name',
      header: 'Name',
      value: ({ label }) => label,
      isRowHeader: true,
      cell: ({ key, label, object }) =>
        object ? label : <Link to={folderHref(bucket, key)}>{label}</Link>,
    },
    { id: 'type', header: 'Type', value: objectType, cell: objectType },
    {
      id: 'modified',
      header: 'Last modified',
      value: ({ object }) => object?.modified ?? '',
      cell: ({ object }) => fullDate(object?.modified),
    },
    {
      id: 'size',
      header: 'Size',
      value: ({ object }) => object?.size ?? -1,
      cell: ({ object }) => (object ? sizeText(object.size) : '–'),
    },
    {
      id: 'class',
      header: 'Storage class',
      value: ({ object }) => object?.storageClass ?? '',
      cell: ({ object }) => object?.storageClass ?? '–',
    },
  ];
}

const folderHref = (bucket: string, prefix: string): string =>
  `/s3/buckets/${bucket}?prefix=${encodeURIComponent(prefix)}`;

/** The path of a folder, with a link to each folder above it. */
function Folders({ bucket, prefix }: { bucket: string; prefix: string }) {
  const parts = prefix.split(/(?<=\/)/);
  return (
    <Box>
      <Link to={`/s3/buckets/${bucket}`}>{bucket}</Link> /{' '}
      {parts.map((part, index) => {
        const to = parts.slice(0, index + 1).join('');
        const isLast = index === parts.length - 1;
        return isLast ? (
          part
        ) : (
          <Fragment key={to}>
            <Link to={folderHref(bucket, to)}>{part}</Link>{' '}
          </Fragment>
        );
      })}
    </Box>
  );
}

function Objects({ bucket, prefix }: { bucket: s3.BucketRef; prefix: string }) {
  const { notifySuccess, notifyError } = useFrame();
  const [token, setToken] = useState<string>();
  const [selected, setSelected] = useState<Row[]>([]);
  const [open, setOpen] = useState<'delete' | 'folder' | 'link'>();
  const [folder, setFolder] = useState('');
  const [link, setLink] = useState('');
  const upload = useUploads(bucket);
  const picker = useRef<HTMLInputElement>(null);
  const read = useQuery({
    queryKey: ['objects', bucket.name, prefix, token],
    queryFn: () => s3.listObjects(bucket, prefix, token),
  });
  const rows = read.data && [
    ...read.data.folders.map((key): Row => ({ key, label: key.slice(prefix.length) })),
    ...read.data.objects
      .filter(({ key }) => key !== prefix)
      .map((object): Row => ({ key: object.key, label: object.key.slice(prefix.length), object })),
  ];
  const objectColumns = useMemo(() => columns(bucket.name), [bucket.name]);
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    invalidate(['objects']);
    notifySuccess(message);
  };
  /** The keys of the selected objects, and of everything in the selected folders. */
  const selectedKeys = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const row of selected) {
      if (row.object) all.push(row.key);
      else {
        let next: string | undefined;
        do {
          const page: s3.ObjectListing = await s3.listObjects(bucket, row.key, next, '');
          all.push(...page.objects.map(({ key }) => key));
          next = page.next;
        } while (next);
      }
    }
    return all;
  };
  const only = selected.length === 1 && selected[0]?.object ? selected[0] : undefined;
  const download = async (): Promise<void> => {
    if (!only) return;
    const address = document.createElement('a');
    address.href = await s3.presign(bucket, only.key, 60, true);
    address.click();
  };
  const share = async (minutes: number): Promise<void> => {
    if (!only) return;
    setLink(await s3.presign(bucket, only.key, minutes * 60));
    setOpen('link');
  };
  return (
    <SpaceBetween size="m">
      {prefix && <Folders bucket={bucket.name} prefix={prefix} />}
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = '';
          if (files.length > 0) void upload(files, prefix);
        }}
      />
      <List<Row>
        title="Objects"
        items={rows}
        columns={objectColumns}
        rowId={({ key }) => key}
        loading={read.isPending}
        error={read.error}
        reload={() => invalidate(['objects'])}
        selection="multi"
        selected={selected}
        onSelect={setSelected}
        empty="No objects"
        search="Find objects by name"
        actions={
          <>
            <Button disabled={!only} onClick={() => void download().catch(notifyError)}>
              Download
            </Button>
            <Button disabled={selected.length === 0} onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <ButtonDropdown
              disabled={!only}
              items={[
                { id: '60', text: 'Expires in 1 hour' },
                { id: '720', text: 'Expires in 12 hours' },
              ]}
              onItemClick={({ detail }) => void share(Number(detail.id)).catch(notifyError)}
            >
              Presigned URL
            </ButtonDropdown>
            <Button onClick={() => setOpen('folder')}>Create folder</Button>
            <Button variant="primary" onClick={() => picker.current?.click()}>
              Upload
            </Button>
          </>
        }
      />
      {(token ?? read.data?.next) && (
        <SpaceBetween direction="horizontal" size="xs">
          <Button disabled={!token} onClick={() => setToken(undefined)}>
            First 1,000 objects
          </Button>
          <Button disabled={!read.data?.next} onClick={() => setToken(read.data?.next)}>
            Next 1,000 objects
          </Button>
        </SpaceBetween>
      )}
      {open === 'delete' && (
        <ActionDialog
          title="Delete objects?"
          verb="Delete objects"
          confirmText="delete"
          onDismiss={close()}
          onDone={close('Objects deleted')}
          action={async () => {
            const all = await selectedKeys();
            for (let start = 0; start < all.length; start += 1000)
              await s3.deleteObjects(bucket, all.slice(start, start + 1000));
          }}
        >
          <Alert type="warning">
            Folders are deleted with all objects in them. This can&apos;t be undone.
          </Alert>
          {selected
            .slice(0, 10)
            .map(({ label }) => label)
            .join(', ')}
          {selected.length > 10 && ` and ${String(selected.length - 10)} more`}
        </ActionDialog>
      )}
      {open === 'folder' && (
        <ActionDialog
          title="Create folder"
          verb="Create folder"
          disabled={folder === '' || folder.includes('/')}
          onDismiss={close()}
          onDone={close('Folder created')}
          action={() => s3.createFolder(bucket, `${prefix}${folder}/`)}
        >
          <FormField label="Folder name" constraintText="Folder names can't contain “/”.">
            <Input value={folder} onChange={({ detail }) => setFolder(detail.value)} />
          </FormField>
        </ActionDialog>
      )}
      {open === 'link' && (
        <Modal
          visible
          header="Presigned URL"
          closeAriaLabel="Close"
          onDismiss={() => setOpen(undefined)}
        >
          <SpaceBetween size="s">
            <Box>
              Anyone with this URL can read the object until it expires or your session ends.
            </Box>
            <CopyText text={link} label="Presigned URL" />
          </SpaceBetween>
        </Modal>
      )}
    </SpaceBetween>
  );
}
