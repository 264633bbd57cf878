// The tab "Policy versions": read, made the default, deleted.
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { shown } from '../../lib/policy-text';
import { changed } from './queries';

/** Versions that a policy has at most. */
export const VERSIONS = 5;

export const useVersions = (arn: string) =>
  useQuery({ queryKey: ['policies', arn, 'versions'], queryFn: () => iam.listVersions(arn) });

const number = ({ id }: iam.Version): number => Number(id.replace('v', ''));

export function Versions({ policy: { arn, name }, ours }: { policy: iam.Policy; ours: boolean }) {
  const { done } = useFrame();
  const versions = useVersions(arn);
  const [selected, select] = useState<iam.Version[]>([]);
  const [open, setOpen] = useState<'default' | 'delete'>();
  const [read, setRead] = useState<iam.Version>();
  const [version] = selected;
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    changed(['policies']);
    done(said);
  };
  const act = (operation: string) => () =>
    call('iam', operation, { PolicyArn: arn, VersionId: version?.id });
  const columns: Column<iam.Version>[] = [
    {
      id: 'version',
      header: 'Version',
      by: (one) => -number(one),
      isRowHeader: true,
      cell: (one) => (
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="inline-link" onClick={() => setRead(one)}>
            Version {number(one)}
          </Button>
          {one.current && <Badge color="blue">Default</Badge>}
        </SpaceBetween>
      ),
    },
    {
      id: 'created',
      header: 'Creation time',
      by: ({ created }) => Date.parse(created),
      cell: ({ created }) => full(created),
    },
  ];
  const selection = ours && { selection: 'single' as const, selected, select };
  return (
    <>
      <List
        title="Policy versions"
        description={`The default version is the one that is in effect. A policy has ${String(VERSIONS)} versions at most.`}
        items={versions.data}
        columns={columns}
        rowId={({ id }) => id}
        loading={versions.isPending}
        error={versions.error}
        reload={() => void versions.refetch()}
        {...selection}
        actions={
          ours && (
            <SpaceBetween direction="horizontal" size="xs">
              <Button disabled={!version || version.current} onClick={() => setOpen('delete')}>
                Delete
              </Button>
              <Button disabled={!version || version.current} onClick={() => setOpen('default')}>
                Set as default
              </Button>
            </SpaceBetween>
          )
        }
      />
      {open === 'default' && version && (
        <Confirm
          title={`Make ${version.id} the default?`}
          verb="Set as default"
          onDismiss={close()}
          act={act('SetDefaultPolicyVersion')}
          done={close('Default version set')}
        >
          From the next request on, {version.id} is what {name} allows and denies, for everybody it
          is attached to.
        </Confirm>
      )}
      {open === 'delete' && version && (
        <Confirm
          title={`Delete ${version.id}?`}
          verb="Delete"
          onDismiss={close()}
          act={act('DeletePolicyVersion')}
          done={close('Version deleted')}
        >
          A deleted version cannot be brought back. The default version stays in effect.
        </Confirm>
      )}
      {read && <VersionText arn={arn} version={read} dismiss={() => setRead(undefined)} />}
    </>
  );
}

function VersionText(props: { arn: string; version: iam.Version; dismiss: () => void }) {
  const { arn, version, dismiss } = props;
  const read = useQuery({
    queryKey: ['policies', arn, 'text', version.id],
    queryFn: () => iam.versionText(arn, version.id),
  });
  return (
    <Modal
      visible
      size="large"
      header={`Version ${String(number(version))}${version.current ? ' (default)' : ''}`}
      closeAriaLabel="Close"
      onDismiss={dismiss}
    >
      {read.error ? (
        <Problem error={read.error} retry={() => void read.refetch()} />
      ) : read.data === undefined ? (
        <StatusIndicator type="loading">Loading</StatusIndicator>
      ) : (
        <Editor text={shown(read.data)} label={`Policy document of ${version.id}`} />
      )}
    </Modal>
  );
}
