// The managed policies of the account and of AWS.
import Button from '@cloudscape-design/components/button';
import Select from '@cloudscape-design/components/select';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import type * as iam from '../../api/iam';
import { useServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { full } from '../../lib/age';
import { KINDS, policyHref, typeOf } from './permissions';
import { DeletePolicy } from './policy';
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
    cell: ({ name, arn }) => <Link to={policyHref(arn)}>{name}</Link>,
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
  const navigate = useNavigate();
  const can = useServed();
  const policies = usePolicies();
  const [kind, setKind] = useState('All types');
  const [selected, select] = useState<iam.Policy[]>([]);
  const [deleting, setDeleting] = useState(false);
  const [policy] = selected;
  return (
    <>
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
        selection="single"
        selectable={({ arn }) => typeOf(arn) === 'Customer managed'}
        selected={selected}
        select={select}
        actions={
          <>
            <Button disabled={!policy} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {can('CreatePolicy') && (
              <Button variant="primary" onClick={() => void navigate('/iam/policies/create')}>
                Create policy
              </Button>
            )}
          </>
        }
        filter={
          <Select
            selectedOption={{ label: kind, value: kind }}
            options={KINDS}
            ariaLabel="Filter by type"
            onChange={({ detail }) => setKind(detail.selectedOption.value ?? 'All types')}
          />
        }
      />
      {deleting && policy && (
        <DeletePolicy
          policy={policy}
          dismiss={() => {
            setDeleting(false);
            select([]);
          }}
        />
      )}
    </>
  );
}
