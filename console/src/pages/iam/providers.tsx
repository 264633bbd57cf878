// The identity providers of the account.
import Button from '@cloudscape-design/components/button';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { deleteProvider, type Provider } from '../../api/providers';
import { useFrame, useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { providerName } from '../../lib/trust-policy';
import { invalidate, useProviders } from './queries';

export const providerHref = (arn: string): string => `/iam/provider?arn=${encodeURIComponent(arn)}`;

const COLUMNS: Column<Provider>[] = [
  {
    id: 'name',
    header: 'Provider',
    minWidth: 180,
    value: ({ name }) => name,
    cell: ({ arn, name }) => <Link to={providerHref(arn)}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', value: ({ type }) => type, cell: ({ type }) => type },
  {
    id: 'created',
    header: 'Creation time',
    hidden: true,
    value: ({ created }) => (created ? Date.parse(created) : 0),
    cell: ({ created }) => fullDate(created),
  },
  { id: 'arn', header: 'ARN', hidden: true, value: ({ arn }) => arn, cell: ({ arn }) => arn },
];

export function ProvidersPage() {
  const navigate = useNavigate();
  const isServed = useIsServed();
  const { notifySuccess } = useFrame();
  const providers = useProviders();
  const [[selected], setSelected] = useState<Provider[]>([]);
  const [deleting, setDeleting] = useState(false);
  const add = isServed('CreateOpenIDConnectProvider') && (
    <Button variant="primary" onClick={() => void navigate('/iam/providers/create')}>
      Add provider
    </Button>
  );
  return (
    <>
      <List<Provider>
        title="Identity providers"
        variant="full-page"
        description="Use an identity provider (IdP) to manage your identities outside of AWS, but grant them permissions to use resources in your account."
        items={providers.data}
        columns={COLUMNS}
        rowId={({ arn }) => arn}
        loading={providers.isPending}
        error={providers.error}
        reload={() => invalidate(['providers'])}
        empty="No identity providers"
        emptyAction={add}
        selection="single"
        selected={selected ? [selected] : []}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={!selected} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {add}
          </>
        }
      />
      {deleting && selected && (
        <DeleteProviderDialog
          arn={selected.arn}
          onDismiss={() => setDeleting(false)}
          onDone={(message) => {
            setDeleting(false);
            setSelected([]);
            notifySuccess(message);
          }}
        />
      )}
    </>
  );
}

interface DeleteProviderDialogProps {
  arn: string;
  onDismiss: () => void;
  onDone: (message: string) => void;
}

export function DeleteProviderDialog({ arn, onDismiss, onDone }: DeleteProviderDialogProps) {
  const name = providerName(arn);
  return (
    <ActionDialog
      title={`Delete ${name}?`}
      verb="Delete"
      confirmText="confirm"
      onDismiss={onDismiss}
      action={() => deleteProvider(arn)}
      onDone={() => {
        invalidate(['providers'], ['summary']);
        onDone(`Identity provider ${name} deleted`);
      }}
    >
      Roles that trust this provider are not deleted, but can no longer be assumed through it. Their
      trust policies are not changed.
    </ActionDialog>
  );
}
