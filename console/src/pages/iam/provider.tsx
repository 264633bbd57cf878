// The page of an identity provider: its audiences and thumbprints, or its metadata; and its tags.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs, {
  type KeyValuePairsProps,
} from '@cloudscape-design/components/key-value-pairs';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs, { type TabsProps } from '@cloudscape-design/components/tabs';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import {
  getOidcProvider,
  getSamlProvider,
  tagProvider,
  untagProvider,
  type OidcProvider,
  type SamlProvider,
} from '../../api/providers';
import type { Role } from '../../api/roles';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { List } from '../../frame/list';
import { ActionDialog, CopyText, Loading } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { isOidc, isServiceLinked, providerName } from '../../lib/trust-policy';
import { roleHref } from './permissions';
import { Audiences, Metadata, Thumbprints } from './provider-tabs';
import { DeleteProviderDialog } from './providers';
import { invalidate, useRoles } from './queries';
import { Tags } from './tags';

export function ProviderPage() {
  const [search] = useSearchParams();
  const arn = search.get('arn') ?? '';
  return isOidc(arn) ? <OidcProviderPage arn={arn} /> : <SamlProviderPage arn={arn} />;
}

function OidcProviderPage({ arn }: { arn: string }) {
  const read = useQuery({ queryKey: ['providers', arn], queryFn: () => getOidcProvider(arn) });
  if (read.error) return <ErrorAlert error={read.error} retry={() => invalidate(['providers'])} />;
  if (!read.data) return <Loading />;
  const { ClientIDList: audiences = [], ThumbprintList: thumbprints = [] } = read.data;
  return (
    <ProviderLayout
      provider={read.data}
      type="OpenID Connect"
      items={[]}
      tabs={[
        {
          id: 'audiences',
          label: `Audiences (${String(audiences.length)})`,
          content: <Audiences arn={arn} audiences={audiences} />,
        },
        {
          id: 'thumbprints',
          label: `Endpoint verification (${String(thumbprints.length)})`,
          content: <Thumbprints arn={arn} thumbprints={thumbprints} />,
        },
      ]}
    />
  );
}

function SamlProviderPage({ arn }: { arn: string }) {
  const read = useQuery({ queryKey: ['providers', arn], queryFn: () => getSamlProvider(arn) });
  if (read.error) return <ErrorAlert error={read.error} retry={() => invalidate(['providers'])} />;
  if (!read.data) return <Loading />;
  return (
    <ProviderLayout
      provider={read.data}
      type="SAML"
      items={[{ label: 'Valid until', value: fullDate(read.data.ValidUntil) }]}
      tabs={[
        {
          id: 'metadata',
          label: 'SAML metadata',
          content: <Metadata provider={read.data} />,
        },
      ]}
    />
  );
}

interface ProviderLayoutProps {
  provider: OidcProvider | SamlProvider;
  type: string;
  items: KeyValuePairsProps.Item[];
  tabs: TabsProps.Tab[];
}

/** What the pages of both types have. */
function ProviderLayout({ provider, type, items, tabs }: ProviderLayoutProps) {
  const { arn, Tags: tags = [] } = provider;
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [search, setSearch] = useSearchParams();
  const [open, setOpen] = useState<'assign' | 'delete'>();
  const tagTab = {
    id: 'tags',
    label: `Tags (${String(tags.length)})`,
    content: (
      <Tags
        tags={tags}
        tag={(written) => tagProvider(arn, written)}
        untag={(keys) => untagProvider(arn, keys)}
        onDone={() => invalidate(['providers'])}
      />
    ),
  };
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => setOpen('delete')}>Delete</Button>
              <Button onClick={() => setOpen('assign')}>Assign role</Button>
            </SpaceBetween>
          }
        >
          {providerName(arn)}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Summary</Header>}>
          <KeyValuePairs
            columns={3}
            minColumnWidth={220}
            items={[
              { label: 'Provider', value: providerName(arn) },
              { label: 'Provider type', value: type },
              { label: 'Creation time', value: fullDate(provider.CreateDate) },
              { label: 'ARN', value: <CopyText text={arn} label="ARN" /> },
              ...items,
            ]}
          />
        </Container>
        <Tabs
          activeTabId={search.get('tab') ?? tabs[0]?.id ?? ''}
          onChange={({ detail }) => setSearch({ arn, tab: detail.activeTabId }, { replace: true })}
          tabs={[...tabs, tagTab]}
        />
      </SpaceBetween>
      {open === 'assign' && <AssignRoleDialog arn={arn} onDismiss={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <DeleteProviderDialog
          arn={arn}
          onDismiss={() => setOpen(undefined)}
          onDone={(message) => {
            notifySuccess(message);
            void navigate('/iam/providers');
          }}
        />
      )}
    </ContentLayout>
  );
}

/** Leads to a new role that trusts the provider, or to the trust policy of an existing one. */
function AssignRoleDialog({ arn, onDismiss }: { arn: string; onDismiss: () => void }) {
  const navigate = useNavigate();
  const [isNew, setIsNew] = useState(true);
  const [[selected], setSelected] = useState<Role[]>([]);
  const roles = useRoles();
  const page =
    isNew || !selected
      ? `/iam/roles/create?provider=${encodeURIComponent(arn)}`
      : `${roleHref(selected.RoleName)}/trust`;
  return (
    <ActionDialog
      title={`Assign role for ${providerName(arn)}`}
      verb="Next"
      size={isNew ? 'medium' : 'large'}
      disabled={!isNew && !selected}
      onDismiss={onDismiss}
      action={() => Promise.resolve()}
      onDone={() => void navigate(page)}
    >
      <Box>A role gives federated users and programs temporary credentials for your account.</Box>
      <RadioGroup
        ariaLabel="Role options"
        value={isNew ? 'new' : 'existing'}
        onChange={({ detail }) => setIsNew(detail.value === 'new')}
        items={[
          { value: 'new', label: 'Create a new role' },
          {
            value: 'existing',
            label: 'Use an existing role',
            description: 'Add this provider to its trust policy.',
          },
        ]}
      />
      {!isNew && (
        <List<Role>
          title="Roles"
          items={roles.data?.filter((role) => !isServiceLinked(role))}
          columns={[
            {
              id: 'name',
              header: 'Role name',
              value: ({ RoleName }) => RoleName,
              cell: ({ RoleName }) => RoleName,
              isRowHeader: true,
            },
          ]}
          rowId={({ RoleName }) => RoleName}
          loading={roles.isPending}
          error={roles.error}
          empty="No roles"
          selection="single"
          selected={selected ? [selected] : []}
          onSelect={setSelected}
        />
      )}
    </ActionDialog>
  );
}
