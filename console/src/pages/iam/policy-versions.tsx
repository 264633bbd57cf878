// The tab "Policy versions": read, set as default, deleted.
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import { DeletePolicyVersion, SetDefaultPolicyVersion } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { fullDate } from '../../lib/age';
import { displayText } from '../../lib/policy-text';
import { invalidate } from './queries';

/** The versions that a policy can have. */
export const VERSIONS_MAX = 5;

export const useVersions = (arn: string) =>
  useQuery({ queryKey: ['policies', arn, 'versions'], queryFn: () => iam.listPolicyVersions(arn) });

const versionNumber = (id: string): number => Number(id.replace('v', ''));

/** `Version 2` for `v2`. */
export const versionText = (id: string): string => `Version ${String(versionNumber(id))}`;

export function Versions({
  policy: { Arn: arn, PolicyName: name },
  isEditable,
}: {
  policy: iam.Policy;
  isEditable: boolean;
}) {
  const { notifySuccess } = useFrame();
  const versions = useVersions(arn);
  const [selected, setSelected] = useState<iam.PolicyVersion[]>([]);
  const [open, setOpen] = useState<'default' | 'delete'>();
  const [opened, setOpened] = useState<iam.PolicyVersion>();
  const [version] = selected;
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    invalidate(['policies']);
    notifySuccess(message);
  };
  const input = { PolicyArn: arn, VersionId: version?.VersionId ?? '' };
  const columns: Column<iam.PolicyVersion>[] = [
    {
      id: 'version',
      header: 'Version',
      value: (one) => -versionNumber(one.VersionId),
      isRowHeader: true,
      cell: (one) => (
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="inline-link" onClick={() => setOpened(one)}>
            {versionText(one.VersionId)}
          </Button>
          {one.IsDefaultVersion && <Badge color="blue">Default</Badge>}
        </SpaceBetween>
      ),
    },
    {
      id: 'created',
      header: 'Creation time',
      value: ({ CreateDate }) => Date.parse(CreateDate),
      cell: ({ CreateDate }) => fullDate(CreateDate),
    },
  ];
  const selection = isEditable && { selection: 'single' as const, selected, onSelect: setSelected };
  return (
    <>
      <List
        title="Policy versions"
        description={`The default version is in effect. A policy can have up to ${String(VERSIONS_MAX)} versions.`}
        items={versions.data}
        columns={columns}
        rowId={({ VersionId }) => VersionId}
        loading={versions.isPending}
        error={versions.error}
        reload={() => void versions.refetch()}
        {...selection}
        actions={
          isEditable && (
            <SpaceBetween direction="horizontal" size="xs">
              <Button
                disabled={!version || version.IsDefaultVersion === true}
                onClick={() => setOpen('delete')}
              >
                Delete
              </Button>
              <Button
                disabled={!version || version.IsDefaultVersion === true}
                onClick={() => setOpen('default')}
              >
                Set as default
              </Button>
            </SpaceBetween>
          )
        }
      />
      {open === 'default' && version && (
        <ActionDialog
          title={`Set ${versionText(version.VersionId)} as default?`}
          verb="Set as default"
          onDismiss={close()}
          action={() => call(SetDefaultPolicyVersion, input)}
          onDone={close('Default version set')}
        >
          {versionText(version.VersionId)} of {name} takes effect immediately for all entities that
          the policy is attached to.
        </ActionDialog>
      )}
      {open === 'delete' && version && (
        <ActionDialog
          title={`Delete ${versionText(version.VersionId)}?`}
          verb="Delete"
          onDismiss={close()}
          action={() => call(DeletePolicyVersion, input)}
          onDone={close('Version deleted')}
        >
          This action can&apos;t be undone. The default version stays in effect.
        </ActionDialog>
      )}
      {opened && (
        <VersionDialog arn={arn} version={opened} onDismiss={() => setOpened(undefined)} />
      )}
    </>
  );
}

function VersionDialog(props: { arn: string; version: iam.PolicyVersion; onDismiss: () => void }) {
  const { arn, version, onDismiss } = props;
  const read = useQuery({
    queryKey: ['policies', arn, 'text', version.VersionId],
    queryFn: () => iam.policyDocument(arn, version.VersionId),
  });
  return (
    <Modal
      visible
      size="large"
      header={`${versionText(version.VersionId)}${version.IsDefaultVersion ? ' (default)' : ''}`}
      closeAriaLabel="Close"
      onDismiss={onDismiss}
    >
      {read.error ? (
        <ErrorAlert error={read.error} retry={() => void read.refetch()} />
      ) : read.data === undefined ? (
        <StatusIndicator type="loading">Loading</StatusIndicator>
      ) : (
        <Editor
          text={displayText(read.data)}
          label={`Policy document of ${versionText(version.VersionId)}`}
        />
      )}
    </Modal>
  );
}
