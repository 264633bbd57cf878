// The managed policies of the account and of AWS, and one of them.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Copy, Link } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { KINDS, typeOf } from './permissions';
import { changed, usePolicies } from './queries';

function usedAs({ attachments, boundaries }: iam.Policy): string {
  const parts = [
    attachments > 0 ? `Permissions policy (${String(attachments)})` : '',
    boundaries > 0 ? `Boundary (${String(boundaries)})` : '',
  ];
  return parts.filter(Boolean).join(', ') || 'None';
}

const COLUMNS: Column<iam.Policy>[] = [
  {
    id: 'name',
    header: 'Policy name',
    by: ({ name }) => name,
    cell: ({ name, arn }) => <Link to={`/iam/policy?arn=${encodeURIComponent(arn)}`}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', by: ({ arn }) => typeOf(arn), cell: ({ arn }) => typeOf(arn) },
  { id: 'used', header: 'Used as', by: ({ attachments }) => -attachments, cell: usedAs },
  {
    id: 'updated',
    header: 'Updated',
    hidden: true,
    by: ({ updated }) => updated,
    cell: ({ updated }) => full(updated),
  },
];

export function Policies() {
  const policies = usePolicies();
  const [kind, setKind] = useState('All types');
  return (
    <List
      title="Policies"
      variant="full-page"
      description="A policy is an object that says what is allowed and what is denied."
      items={policies.data?.filter(({ arn }) => kind === 'All types' || typeOf(arn) === kind)}
      columns={COLUMNS}
      rowId={({ arn }) => arn}
      loading={policies.isPending}
      error={policies.error}
      reload={() => changed(['policies'])}
      filter={
        <Select
          selectedOption={{ label: kind, value: kind }}
          options={KINDS}
          ariaLabel="Filter by type"
          onChange={({ detail }) => setKind(detail.selectedOption.value ?? 'All types')}
        />
      }
    />
  );
}

export function PolicyPage() {
  const [search] = useSearchParams();
  const arn = search.get('arn') ?? '';
  const navigate = useNavigate();
  const { done } = useFrame();
  const [deleting, setDeleting] = useState(false);
  const read = useQuery({
    queryKey: ['policies', arn],
    queryFn: async () => {
      const policy = await iam.getPolicy(arn);
      return { policy, document: await iam.versionDocument(arn, policy.version) };
    },
  });
  if (read.error) return <Problem error={read.error} retry={() => changed(['policies'])} />;
  if (!read.data) return <Spinner size="large" />;
  const { policy, document } = read.data;
  const ours = typeOf(arn) === 'Customer managed';
  const remove = async (): Promise<void> => {
    // All versions but the default one must be gone first.
    for (const { id, current } of await iam.listVersions(arn)) {
      if (!current) await call('iam', 'DeletePolicyVersion', { PolicyArn: arn, VersionId: id });
    }
    await call('iam', 'DeletePolicy', { PolicyArn: arn });
  };
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          actions={ours && <Button onClick={() => setDeleting(true)}>Delete</Button>}
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
              { label: 'Used as', value: usedAs(policy) },
              { label: 'Created', value: full(policy.created) },
              { label: 'Updated', value: full(policy.updated) },
              { label: 'Description', value: policy.description || '–' },
            ]}
          />
        </Container>
        <Container header={<Header variant="h2">Version {policy.version} (default)</Header>}>
          <Box variant="pre">{document}</Box>
        </Container>
      </SpaceBetween>
      {deleting && (
        <Confirm
          title={`Delete ${policy.name}?`}
          verb="Delete"
          typed={policy.name}
          onDismiss={() => setDeleting(false)}
          act={remove}
          done={() => {
            changed(['policies']);
            done('Policy deleted');
            void navigate('/iam/policies');
          }}
        >
          <Alert type="warning">All versions are deleted. A policy that is attached is not.</Alert>
        </Confirm>
      )}
    </ContentLayout>
  );
}
