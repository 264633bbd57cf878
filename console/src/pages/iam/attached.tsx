// The policies that a user or a group has: a table, to attach more and to take them away.
import Button from '@cloudscape-design/components/button';
import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { inlineHref, policyHref, PolicyPicker, typeOf } from './permissions';

/** A policy that somebody has: attached by its ARN, or inline. */
export interface Attached {
  name: string;
  type: string;
  via: string;
  href: string;
  arn?: string;
  /** How it is taken away; what comes from a group is taken away there. */
  remove?: () => Promise<unknown>;
}

const told = (owner: iam.Owner) =>
  'UserName' in owner
    ? ({ kind: 'User', of: 'users', name: owner.UserName } as const)
    : ({ kind: 'Group', of: 'groups', name: owner.GroupName } as const);

/** What is attached to a user or group itself, and its inline policies. */
export async function ownPolicies(owner: iam.Owner): Promise<Attached[]> {
  const { kind, of, name } = told(owner);
  const [managed, inline] = await Promise.all([
    kind === 'User' ? iam.policiesOfUser(name) : iam.policiesOfGroup(name),
    iam.inlineOf(owner),
  ]);
  return [
    ...managed.map((policy) => ({
      ...policy,
      type: typeOf(policy.arn),
      via: 'Directly',
      href: policyHref(policy.arn),
      remove: () => call('iam', `Detach${kind}Policy`, { ...owner, PolicyArn: policy.arn }),
    })),
    ...inline.map((policy) => ({
      name: policy,
      type: 'Customer inline',
      via: 'Inline',
      href: inlineHref(of, name, policy),
      remove: () => call('iam', `Delete${kind}Policy`, { ...owner, PolicyName: policy }),
    })),
  ];
}

export const NAME_AND_TYPE: Column<Attached>[] = [
  {
    id: 'name',
    header: 'Policy name',
    by: ({ name }) => name,
    cell: ({ name, href }) => <Link to={href}>{name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Type', by: ({ type }) => type, cell: ({ type }) => type },
];

export interface AttachedPoliciesProps {
  owner: iam.Owner;
  read: UseQueryResult<Attached[]>;
  columns: Column<Attached>[];
  /** What was read must be read again: by a wish, or since something was changed. */
  reload: () => void;
  changed: () => void;
}

export function AttachedPolicies({ owner, read, columns, reload, changed }: AttachedPoliciesProps) {
  const navigate = useNavigate();
  const { done } = useFrame();
  const [selected, select] = useState<Attached[]>([]);
  const [open, setOpen] = useState<'add' | 'remove'>();
  const [chosen, choose] = useState<iam.Policy[]>([]);
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    choose([]);
    if (!said) return;
    select([]);
    changed();
    done(said);
  };
  const { kind, of, name } = told(owner);
  const attach = async (): Promise<void> => {
    for (const { arn } of chosen)
      await call('iam', `Attach${kind}Policy`, { ...owner, PolicyArn: arn });
  };
  const own = read.data?.flatMap(({ arn, remove }) => (arn && remove ? [arn] : [])) ?? [];
  return (
    <>
      <List<Attached>
        title="Permissions policies"
        items={read.data}
        columns={columns}
        rowId={({ name, arn, via }) => `${arn ?? name} ${via}`}
        loading={read.isPending}
        error={read.error}
        reload={reload}
        selection="multi"
        selectable={({ remove }) => remove !== undefined}
        selected={selected}
        select={select}
        empty="No policies"
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setOpen('remove')}>
              Remove
            </Button>
            <Button onClick={() => void navigate(inlineHref(of, name))}>
              Create inline policy
            </Button>
            <Button variant="primary" onClick={() => setOpen('add')}>
              Add permissions
            </Button>
          </>
        }
      />
      {open === 'add' && (
        <Pick
          title="Add permissions"
          verb="Add permissions"
          disabled={chosen.length === 0}
          dismiss={close()}
          act={attach}
          done={close('Permissions added')}
        >
          <PolicyPicker selected={chosen} select={choose} except={own} />
        </Pick>
      )}
      {open === 'remove' && (
        <Confirm
          title="Remove permissions?"
          verb="Remove"
          onDismiss={close()}
          act={async () => {
            for (const { remove } of selected) await remove?.();
          }}
          done={close('Permissions removed')}
        >
          Inline policies are deleted, managed ones detached:{' '}
          {selected.map(({ name }) => name).join(', ')}
        </Confirm>
      )}
    </>
  );
}
