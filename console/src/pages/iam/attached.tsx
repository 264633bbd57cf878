// The policies of a user, group or role: a table, to attach and to remove them.
import Button from '@cloudscape-design/components/button';
import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import {
  AttachGroupPolicy,
  AttachRolePolicy,
  AttachUserPolicy,
  DeleteGroupPolicy,
  DeleteRolePolicy,
  DeleteUserPolicy,
  DetachGroupPolicy,
  DetachRolePolicy,
  DetachUserPolicy,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { inlineHref, policyHref, PolicyPicker, policyType } from './permissions';

/** A policy of a user, group or role: attached by its ARN, or inline. */
export interface AttachedRow {
  name: string;
  type: string;
  via: string;
  href: string;
  arn?: string;
  /** How it is removed; absent for what comes from a group, and is removed there. */
  remove?: () => Promise<unknown>;
}

export const attachPolicy = (owner: iam.PolicyOwner, PolicyArn: string): Promise<unknown> =>
  iam.forOwner<Promise<unknown>>(
    owner,
    (user) => call(AttachUserPolicy, { ...user, PolicyArn }),
    (group) => call(AttachGroupPolicy, { ...group, PolicyArn }),
    (role) => call(AttachRolePolicy, { ...role, PolicyArn }),
  );

export const detachPolicy = (owner: iam.PolicyOwner, PolicyArn: string): Promise<unknown> =>
  iam.forOwner<Promise<unknown>>(
    owner,
    (user) => call(DetachUserPolicy, { ...user, PolicyArn }),
    (group) => call(DetachGroupPolicy, { ...group, PolicyArn }),
    (role) => call(DetachRolePolicy, { ...role, PolicyArn }),
  );

const deleteInlinePolicy = (owner: iam.PolicyOwner, PolicyName: string): Promise<unknown> =>
  iam.forOwner<Promise<unknown>>(
    owner,
    (user) => call(DeleteUserPolicy, { ...user, PolicyName }),
    (group) => call(DeleteGroupPolicy, { ...group, PolicyName }),
    (role) => call(DeleteRolePolicy, { ...role, PolicyName }),
  );

/** The policies attached to a user, group or role directly, and its inline policies. */
export async function ownPolicies(owner: iam.PolicyOwner): Promise<AttachedRow[]> {
  const [managed, inline] = await Promise.all([
    iam.listAttachedPolicies(owner),
    iam.listInlinePolicies(owner),
  ]);
  return [
    ...managed.map(({ PolicyName, PolicyArn }) => ({
      name: PolicyName,
      arn: PolicyArn,
      type: policyType(PolicyArn),
      via: 'Directly',
      href: policyHref(PolicyArn),
      remove: () => detachPolicy(owner, PolicyArn),
    })),
    ...inline.map((policy) => ({
      name: policy,
      type: 'Customer inline',
      via: 'Inline',
      href: inlineHref(owner, policy),
      remove: () => deleteInlinePolicy(owner, policy),
    })),
  ];
}

export const NAME_AND_TYPE: Column<AttachedRow>[] = [
  {
    id: 'name',
    header: 'Policy name',
    value: ({ name }) => name,
    cell: ({ name, href }) => <Link to={href}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', value: ({ type }) => type, cell: ({ type }) => type },
];

interface AttachedPoliciesProps {
  owner: iam.PolicyOwner;
  read: UseQueryResult<AttachedRow[]>;
  columns: Column<AttachedRow>[];
  reload: () => void;
  onChange: () => void;
  /** AWS services alone change the policies of their service-linked roles. */
  isFixed?: boolean;
}

export function AttachedPolicies({
  owner,
  read,
  columns,
  reload,
  onChange,
  isFixed = false,
}: AttachedPoliciesProps) {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [selected, setSelected] = useState<AttachedRow[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, setChosen] = useState<iam.Policy[]>([]);
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    setChosen([]);
    if (message === undefined) return;
    setSelected([]);
    onChange();
    notifySuccess(message);
  };
  const attach = async (): Promise<void> => {
    for (const { Arn } of chosen) await attachPolicy(owner, Arn);
  };
  const own = read.data?.flatMap(({ arn, remove }) => (arn && remove ? [arn] : [])) ?? [];
  return (
    <>
      <List<AttachedRow>
        title="Permissions policies"
        items={read.data}
        columns={columns}
        rowId={({ name, arn, via }) => `${arn ?? name} ${via}`}
        loading={read.isPending}
        error={read.error}
        reload={reload}
        {...(isFixed ? {} : { selection: 'multi' })}
        isSelectable={({ remove }) => remove !== undefined}
        selected={selected}
        onSelect={setSelected}
        empty="No policies"
        actions={
          isFixed ? undefined : (
            <>
              <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
                Remove
              </Button>
              <Button onClick={() => void navigate(inlineHref(owner))}>Create inline policy</Button>
              <Button variant="primary" onClick={() => setOpen('add')}>
                Add permissions
              </Button>
            </>
          )
        }
      />
      {open === 'add' && (
        <ActionDialog
          size="large"
          title="Add permissions"
          verb="Add permissions"
          disabled={chosen.length === 0}
          onDismiss={close()}
          action={attach}
          onDone={close('Permissions added')}
        >
          <PolicyPicker selected={chosen} onSelect={setChosen} except={own} />
        </ActionDialog>
      )}
      {open === 'remove' && (
        <ActionDialog
          title="Remove permissions?"
          verb="Remove"
          onDismiss={close()}
          action={async () => {
            for (const { remove } of selected) await remove?.();
          }}
          onDone={close('Permissions removed')}
        >
          Inline policies are deleted, managed policies are detached:{' '}
          {selected.map(({ name }) => name).join(', ')}
        </ActionDialog>
      )}
    </>
  );
}
