// A managed policy's page: its document, the entities it is attached to, its tags and versions.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { DeletePolicy, DeletePolicyVersion, TagPolicy, UntagPolicy } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { queryClient } from '../../api/session';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { ActionDialog, CopyText, Link, Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { fullDate } from '../../lib/age';
import { displayText } from '../../lib/policy-text';
import { policyHref, policyType } from './permissions';
import { Entities, useEntities } from './policy-entities';
import { useVersions, Versions, versionText } from './policy-versions';
import { invalidate } from './queries';
import { Tags } from './tags';

const editHref = (arn: string): string => `/iam/policy/edit?arn=${encodeURIComponent(arn)}`;

export function PolicyPage() {
  const [search, setSearch] = useSearchParams();
  const arn = search.get('arn') ?? '';
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const read = useQuery({ queryKey: ['policies', arn], queryFn: () => iam.getPolicy(arn) });
  if (read.error) return <ErrorAlert error={read.error} retry={() => invalidate(['policies'])} />;
  if (!read.data) return <Loading />;
  const policy = read.data;
  const isCustomerManaged = policyType(arn) === 'Customer managed';
  const tabs = [
    {
      id: 'permissions',
      label: 'Permissions',
      content: <PolicyDocument policy={policy} isEditable={isCustomerManaged} />,
    },
    { id: 'entities', label: 'Entities attached', content: <Entities policy={policy} /> },
    ...(isCustomerManaged
      ? [
          {
            id: 'tags',
            label: `Tags (${String(policy.Tags?.length ?? 0)})`,
            content: <PolicyTags policy={policy} />,
          },
        ]
      : []),
    {
      id: 'versions',
      label: 'Policy versions',
      content: <Versions policy={policy} isEditable={isCustomerManaged} />,
    },
  ];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          actions={
            isCustomerManaged && (
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={() => setDeleting(true)}>Delete</Button>
                <Button onClick={() => void navigate(editHref(arn))}>Edit</Button>
              </SpaceBetween>
            )
          }
        >
          {policy.PolicyName}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Policy details</Header>}>
          <KeyValuePairs
            columns={3}
            items={[
              { label: 'ARN', value: <CopyText text={arn} label="ARN" /> },
              { label: 'Type', value: policyType(arn) },
              { label: 'Description', value: policy.Description || '–' },
              { label: 'Creation time', value: fullDate(policy.CreateDate) },
              { label: 'Edited time', value: fullDate(policy.UpdateDate) },
            ]}
          />
        </Container>
        <Tabs
          activeTabId={search.get('tab') ?? 'permissions'}
          onChange={({ detail }) => setSearch({ arn, tab: detail.activeTabId }, { replace: true })}
          tabs={tabs}
        />
      </SpaceBetween>
      {deleting && <DeletePolicyDialog policy={policy} onDismiss={() => setDeleting(false)} />}
    </ContentLayout>
  );
}

function PolicyDocument({ policy, isEditable }: { policy: iam.Policy; isEditable: boolean }) {
  const navigate = useNavigate();
  const read = useQuery({
    queryKey: ['policies', policy.Arn, 'text', policy.DefaultVersionId],
    queryFn: () => iam.policyDocument(policy.Arn, policy.DefaultVersionId),
  });
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={`${versionText(policy.DefaultVersionId)} (default)`}
          actions={
            isEditable && (
              <Button onClick={() => void navigate(editHref(policy.Arn))}>Edit policy</Button>
            )
          }
        >
          Permissions defined in this policy
        </Header>
      }
    >
      {read.error ? (
        <ErrorAlert error={read.error} retry={() => void read.refetch()} />
      ) : read.data === undefined ? (
        <StatusIndicator type="loading">Loading</StatusIndicator>
      ) : (
        <Editor text={displayText(read.data)} label="Policy document" />
      )}
    </Container>
  );
}

function PolicyTags({ policy: { Arn: PolicyArn, Tags: tags } }: { policy: iam.Policy }) {
  return (
    <Tags
      tags={tags}
      tag={(Tags) => call(TagPolicy, { PolicyArn, Tags })}
      untag={(TagKeys) => call(UntagPolicy, { PolicyArn, TagKeys })}
      onDone={() => invalidate(['policies'])}
    />
  );
}

/** Deletes a customer managed policy; one that is in use must be detached first, as on AWS. */
export function DeletePolicyDialog({
  policy,
  onDismiss,
}: {
  policy: iam.Policy;
  onDismiss: () => void;
}) {
  const { Arn: arn, PolicyName: name } = policy;
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const entities = useEntities(arn);
  const versions = useVersions(arn);
  const usedBy = entities.data?.length ?? 0;
  const remove = async (): Promise<void> => {
    // All versions but the default one must be deleted first.
    for (const { VersionId, IsDefaultVersion } of await iam.listPolicyVersions(arn)) {
      if (!IsDefaultVersion) await call(DeletePolicyVersion, { PolicyArn: arn, VersionId });
    }
    await call(DeletePolicy, { PolicyArn: arn });
  };
  return (
    <ActionDialog
      title={`Delete ${name}?`}
      verb="Delete"
      confirmText={name}
      disabled={!entities.isSuccess || usedBy > 0}
      onDismiss={onDismiss}
      action={remove}
      onDone={() => {
        onDismiss();
        notifySuccess(`Policy ${name} deleted`);
        void navigate('/iam/policies');
        // Removed and not invalidated: the policy's own page would read it again, and fail.
        queryClient.removeQueries({ queryKey: ['policies', arn] });
        invalidate(['policies'], ['summary']);
      }}
    >
      {entities.error && <ErrorAlert error={entities.error} />}
      {usedBy > 0 ? (
        <Alert type="warning" header="The policy is in use">
          A policy that is attached or used as a boundary can&apos;t be deleted. Detach it first:{' '}
          <Link to={`${policyHref(arn)}&tab=entities`} onFollow={onDismiss}>
            {usedBy === 1 ? '1 entity' : `${String(usedBy)} entities`}
          </Link>
        </Alert>
      ) : (
        <Alert type="warning">
          This permanently deletes the policy,{' '}
          {versions.data ? `its ${String(versions.data.length)} versions` : 'all its versions'}, and
          its tags.
        </Alert>
      )}
      {entities.data?.slice(0, 10).map((entity) => (
        <Box key={`${entity.type} ${entity.name} ${String(entity.boundary)}`}>
          {entity.type} {entity.name}
          {entity.boundary && ' (boundary)'}
        </Box>
      ))}
      {usedBy > 10 && <Box>and {usedBy - 10} more</Box>}
    </ActionDialog>
  );
}
