// A bucket's page: its objects, folder by folder, and who is let in.
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
import { Confirm, Copy, Link, Loading } from '../../frame/parts';
import { full } from '../../lib/age';
import { changed } from '../iam/queries';
import { BucketPolicy } from './bucket-policy';
import { BlockPublicAccess } from './public-access';
import { useUploads } from './uploads';

export function BucketPage() {
  const { name = '' } = useParams();
  const [search, setSearch] = useSearchParams();
  const region = useQuery({
    queryKey: ['region', name],
    queryFn: () => s3.regionOf(name),
    staleTime: 60_000,
  });
  // Whoever may not ask for the region may still be allowed to list: the server says if it is another one.
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
  object?: s3.Found;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

const kind = ({ key, object }: Row): string => {
  if (!object) return 'Folder';
  const name = key.split('/').pop() ?? '';
  return name.includes('.') ? (name.split('.').pop() ?? '') : '–';
};

function columns(bucket: string): Column<Row>[] {
  return [
    {
      id: 'name',
      header: 'Name',
      by: ({ label }) => label,
      isRowHeader: true,
      cell: ({ key, label, object }) =>
        object ? (
          label
        ) : (
          <Link to={folderHref(bucket, key)}>{label}</Link>
        ),
    },
    { id: 'type', header: 'Type', by: kind, cell: kind },
    {
      id: 'modified',
      header: 'Last modified',
      by: ({ object }) => object?.modified ?? '',
      cell: ({ object }) => full(object?.modified),
    },
    {
      id: 'size',
      header: 'Size',
      by: ({ object }) => object?.size ?? -1,
      cell: ({ object }) => (object ? size(object.size) : '–'),
    },
    {
      id: 'class',
      header: 'Storage class',
      by: ({ object }) => object?.storageClass ?? '',
      cell: ({ object }) => object?.storageClass ?? '–',
    },
  ];
}

const folderHref = (bucket: string, prefix: string): string =>
  `/s3/buckets/${bucket}?prefix=${encodeURIComponent(prefix)}`;

/** The way to a folder, of which each part leads back. */
function Folders({ bucket, prefix }: { bucket: string; prefix: string }) {
  const parts = prefix.split(/(?<=\/)/);
  return (
    <Box>
      <Link to={`/s3/buckets/${bucket}`}>{bucket}</Link> /{' '}
      {parts.map((part, at) => {
        const to = parts.slice(0, at + 1).join('');
        const isLast = at === parts.length - 1;
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

function Objects({ bucket, prefix }: { bucket: s3.Place; prefix: string }) {
  const { done, failed } = useFrame();
  const [token, setToken] = useState<string>();
  const [selected, select] = useState<Row[]>([]);
  const [open, setOpen] = useState<'delete' | 'folder' | 'link'>();
  const [folder, setFolder] = useState('');
  const [link, setLink] = useState('');
  const send = useUploads(bucket);
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
  const shownColumns = useMemo(() => columns(bucket.name), [bucket.name]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    changed(['objects']);
    done(said);
  };
  /** The keys of what is chosen; a folder is everything under it. */
  const keys = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const row of selected) {
      if (row.object) all.push(row.key);
      else {
        let next: string | undefined;
        do {
          const page: s3.Listing = await s3.listObjects(bucket, row.key, next, '');
          all.push(...page.objects.map(({ key }) => key));
          next = page.next;
        } while (next);
      }
    }
    return all;
  };
  const only = selected.length === 1 && selected[0]?.object ? selected[0] : undefined;
  const fetchOne = async (): Promise<void> => {
    if (!only) return;
    const address = document.createElement('a');
    address.href = await s3.presign(bucket, only.key, 60, true);
    address.click();
  };
  const presigned = async (minutes: number): Promise<void> => {
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
          if (files.length > 0) void send(files, prefix);
        }}
      />
      <List<Row>
        title="Objects"
        items={rows}
        columns={shownColumns}
        rowId={({ key }) => key}
        loading={read.isPending}
        error={read.error}
        reload={() => changed(['objects'])}
        selection="multi"
        selected={selected}
        select={select}
        empty="No objects"
        search="Find among these objects"
        actions={
          <>
            <Button disabled={!only} onClick={() => void fetchOne().catch(failed)}>
              Download
            </Button>
            <Button disabled={selected.length === 0} onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <ButtonDropdown
              disabled={!only}
              items={[
                { id: '60', text: 'Share for an hour' },
                { id: '720', text: 'Share for 12 hours' },
              ]}
              onItemClick={({ detail }) => void presigned(Number(detail.id)).catch(failed)}
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
            First thousand
          </Button>
          <Button disabled={!read.data?.next} onClick={() => setToken(read.data?.next)}>
            Next thousand
          </Button>
        </SpaceBetween>
      )}
      {open === 'delete' && (
        <Confirm
          title="Delete objects?"
          verb="Delete objects"
          typed="delete"
          onDismiss={close()}
          done={close('Deleted')}
          act={async () => {
            const all = await keys();
            for (let at = 0; at < all.length; at += 1000)
              await s3.deleteObjects(bucket, all.slice(at, at + 1000));
          }}
        >
          <Alert type="warning">
            Folders are deleted with everything in them. This cannot be undone.
          </Alert>
          {selected
            .slice(0, 10)
            .map(({ label }) => label)
            .join(', ')}
          {selected.length > 10 && ` and ${String(selected.length - 10)} more`}
        </Confirm>
      )}
      {open === 'folder' && (
        <Confirm
          title="Create folder"
          verb="Create folder"
          disabled={folder === '' || folder.includes('/')}
          onDismiss={close()}
          done={close('Folder created')}
          act={() => s3.createFolder(bucket, `${prefix}${folder}/`)}
        >
          <FormField label="Folder name" constraintText="Without a slash">
            <Input value={folder} onChange={({ detail }) => setFolder(detail.value)} />
          </FormField>
        </Confirm>
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
              Whoever has this address can read the object until the time is over, or your session
              ends, whichever is first.
            </Box>
            <Copy text={link} label="Presigned URL" />
          </SpaceBetween>
        </Modal>
      )}
    </SpaceBetween>
  );
}
