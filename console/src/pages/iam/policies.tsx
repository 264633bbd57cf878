// The managed policies of the account and of AWS.
import Button from '@cloudscape-design/components/button';
import Select from '@cloudscape-design/components/select';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import type * as iam from '../../api/iam';
import { useIsServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Link } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { TYPE_FILTERS, policyHref, policyType } from './permissions';
import { DeletePolicyDialog } from './policy';
import { invalidate, usePolicies } from './queries';

function usedAs({
  AttachmentCount: attachments = 0,
  PermissionsBoundaryUsageCount: boundaries = 0,
}: iam.Policy): string {
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
    value: ({ PolicyName }) => PolicyName,
    cell: ({ PolicyName, Arn }) => <Link to={policyHref(Arn)}>{PolicyName}</Link>,
    isRowHeader: true,
  },
  {
    id: 'type',
    header: 'Type',
    value: ({ Arn }) => policyType(Arn),
    cell: ({ Arn }) => policyType(Arn),
  },
  {
    id: 'used',
    header: 'Used as',
    value: ({ AttachmentCount = 0 }) => -AttachmentCount,
    cell: usedAs,
  },
  {
    id: 'updated',
    header: 'Updated',
    hidden: true,
    value: ({ UpdateDate }) => UpdateDate,
    cell: ({ UpdateDate }) => fullDate(UpdateDate),
  },
];

export function PoliciesPage() {
  const navigate = useNavigate();
  const isServed = useIsServed();
  const policies = usePolicies();
  const [type, setType] = useState('All types');
  const [selected, setSelected] = useState<iam.Policy[]>([]);
  const [deleting, setDeleting] = useState(false);
  const [policy] = selected;
  return (
    <>
      <List
        title="Policies"
        variant="full-page"
        description="A policy is an object in AWS that defines permissions."
        items={policies.data?.filter(({ Arn }) => type === 'All types' || policyType(Arn) === type)}
        columns={COLUMNS}
        rowId={({ Arn }) => Arn}
        loading={policies.isPending}
        error={policies.error}
        reload={() => invalidate(['policies'])}
        empty="No policies"
        selection="single"
        isSelectable={({ Arn }) => policyType(Arn) === 'Customer managed'}
        selected={selected}
        onSelect={setSelected}
        actions={
          <>
            <Button disabled={!policy} onClick={() => setDeleting(true)}>
              Delete
            </Button>
            {isServed('CreatePolicy') && (
              <Button variant="primary" onClick={() => void navigate('/iam/policies/create')}>
                Create policy
              </Button>
            )}
          </>
        }
        filter={
          <Select
            selectedOption={{ label: type, value: type }}
            options={TYPE_FILTERS}
            ariaLabel="Filter by type"
            onChange={({ detail }) => setType(detail.selectedOption.value ?? 'All types')}
          />
        }
      />
      {deleting && policy && (
        <DeletePolicyDialog
          policy={policy}
          onDismiss={() => {
            setDeleting(false);
            setSelected([]);
          }}
        />
      )}
    </>
  );
}
