// A managed policy's page: its text, who it is attached to, its tags and versions.
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
import * as iam from '../../api/iam';
import { queries } from '../../api/session';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { Confirm, Copy, Link, Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { shown } from '../../lib/policy-text';
import { policyHref, typeOf } from './permissions';
import { Entities, useEntities } from './policy-entities';
import { useVersions, Versions } from './policy-versions';
import { changed } from './queries';
import { Tags } from './tags';

const editHref = (arn: string): string => `/iam/policy/edit?arn=${encodeURIComponent(arn)}`;

export function PolicyPage() {
  const [search, setSearch] = useSearchParams();
  const arn = search.get('arn') ?? '';
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const read = useQuery({ queryKey: ['policies', arn], queryFn: () => iam.getPolicy(arn) });
  if (read.error) return <Problem error={read.error} retry={() => changed(['policies'])} />;
  if (!read.data) return <Loading />;
  const policy = read.data;
  const ours = typeOf(arn) === 'Customer managed';
  const tabs = [
    {
      id: 'permissions',
      label: 'Permissions',
      content: <Document policy={policy} ours={ours} />,
    },
    { id: 'entities', label: 'Entities attached', content: <Entities policy={policy} /> },
    ...(ours
      ? [
          {
            id: 'tags',
            label: `Tags (${String(policy.tags.length)})`,
            content: <PolicyTags policy={policy} />,
          },
        ]
      : []),
    {
      id: 'versions',
      label: 'Policy versions',
      content: <Versions policy={policy} ours={ours} />,
    },
  ];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          actions={
            ours && (
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={() => setDeleting(true)}>Delete</Button>
                <Button onClick={() => void navigate(editHref(arn))}>Edit</Button>
              </SpaceBetween>
            )
          }
        >
          {policy.name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Policy details</Header>}>
          <KeyValuePairs
            columns={3}
            items={[
              { label: 'ARN', value: <Copy text={arn} label="ARN" /> },
              { label: 'Type', value: typeOf(arn) },
              { label: 'Description', value: policy.description || '–' },
              { label: 'Creation time', value: full(policy.created) },
              { label: 'Edited time', value: full(policy.updated) },
            ]}
          />
        </Container>
        <Tabs
          activeTabId={search.get('tab') ?? 'permissions'}
          onChange={({ detail }) => setSearch({ arn, tab: detail.activeTabId }, { replace: true })}
          tabs={tabs}
        />
      </SpaceBetween>
      {deleting && <DeletePolicy policy={policy} dismiss={() => setDeleting(false)} />}
    </ContentLayout>
  );
}

function Document({ policy, ours }: { policy: iam.Policy; ours: boolean }) {
  const navigate = useNavigate();
  const read = useQuery({
    queryKey: ['policies', policy.arn, 'text', policy.version],
    queryFn: () => iam.versionText(policy.arn, policy.version),
  });
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={`Version ${policy.version}, the default`}
          actions={
            ours && <Button onClick={() => void navigate(editHref(policy.arn))}>Edit policy</Button>
          }
        >
          Permissions defined in this policy
        </Header>
      }
    >
      {read.error ? (
        <Problem error={read.error} retry={() => void read.refetch()} />
      ) : read.data === undefined ? (
        <StatusIndicator type="loading">Loading</StatusIndicator>
      ) : (
        <Editor text={shown(read.data)} label="Policy document" />
      )}
    </Container>
  );
}

function PolicyTags({ policy: { arn: PolicyArn, tags } }: { policy: iam.Policy }) {
  return (
    <Tags
      tags={tags}
      put={(Tags) => call('iam', 'TagPolicy', { PolicyArn, Tags })}
      take={(TagKeys) => call('iam', 'UntagPolicy', { PolicyArn, TagKeys })}
      done={() => changed(['policies'])}
    />
  );
}

/** Deletes a policy of the account; one that is in use must be detached first, as on AWS. */
export function DeletePolicy({ policy, dismiss }: { policy: iam.Policy; dismiss: () => void }) {
  const { arn, name } = policy;
  const navigate = useNavigate();
  const { done } = useFrame();
  const entities = useEntities(arn);
  const versions = useVersions(arn);
  const used = entities.data?.length ?? 0;
  const remove = async (): Promise<void> => {
    // All versions but the default one must be gone first.
    for (const { id, current } of await iam.listVersions(arn)) {
      if (!current) await call('iam', 'DeletePolicyVersion', { PolicyArn: arn, VersionId: id });
    }
    await call('iam', 'DeletePolicy', { PolicyArn: arn });
  };
  return (
    <Confirm
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      disabled={!entities.isSuccess || used > 0}
      onDismiss={dismiss}
      act={remove}
      done={() => {
        dismiss();
        done('Policy deleted');
        void navigate('/iam/policies');
        // Not the page of the policy itself, which would be read once more and not be there.
        queries.removeQueries({ queryKey: ['policies', arn] });
        changed(['policies'], ['summary']);
      }}
    >
      {entities.error && <Problem error={entities.error} />}
      {used > 0 ? (
        <Alert type="warning" header="The policy is in use">
          A policy that is attached or a boundary cannot be deleted. Detach it first:{' '}
          <Link to={`${policyHref(arn)}&tab=entities`} onFollow={dismiss}>
            {used === 1 ? '1 entity' : `${String(used)} entities`}
          </Link>
        </Alert>
      ) : (
        <Alert type="warning">
          This cannot be undone. With the policy go{' '}
          {versions.data ? `its ${String(versions.data.length)}` : 'all its'} versions and{' '}
          {policy.tags.length} tags.
        </Alert>
      )}
      {entities.data?.slice(0, 10).map((entity) => (
        <Box key={`${entity.type} ${entity.name} ${String(entity.boundary)}`}>
          {entity.type} {entity.name}
          {entity.boundary && ' (boundary)'}
        </Box>
      ))}
      {used > 10 && <Box>and {used - 10} more</Box>}
    </Confirm>
  );
}
