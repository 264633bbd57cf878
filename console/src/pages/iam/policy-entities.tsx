// The tab "Entities attached": the users, groups and roles of a policy, attached and detached.
import Button from '@cloudscape-design/components/button';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, Link } from '../../frame/parts';
import { isServiceLinked } from '../../lib/trust-policy';
import { attachPolicy, detachPolicy } from './attached';
import { ownerHref } from './permissions';
import { invalidate, useGroups, useRoles, useUsers } from './queries';

export const useEntities = (arn: string) =>
  useQuery({ queryKey: ['policies', arn, 'entities'], queryFn: () => iam.listPolicyEntities(arn) });

type Candidate = Omit<iam.PolicyEntity, 'boundary'>;

const entityId = ({ type, name }: Candidate): string => `${type} ${name}`;

const CANDIDATES: Column<Candidate>[] = [
  { id: 'name', header: 'Entity name', value: ({ name }) => name, isRowHeader: true, cell: nameOf },
  { id: 'type', header: 'Entity type', value: ({ type }) => type, cell: ({ type }) => type },
];

function nameOf({ name }: Candidate) {
  return name;
}

const COLUMNS: Column<iam.PolicyEntity>[] = [
  {
    id: 'name',
    header: 'Entity name',
    value: ({ name }) => name,
    cell: (entity) => <Link to={ownerHref(ownerOf(entity))}>{entity.name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Entity type', value: ({ type }) => type, cell: ({ type }) => type },
  {
    id: 'used',
    header: 'Used as',
    value: ({ boundary }) => (boundary ? 'Permissions boundary' : 'Permissions policy'),
    cell: ({ boundary }) => (boundary ? 'Permissions boundary' : 'Permissions policy'),
  },
];

function ownerOf({ type, name }: Candidate): iam.PolicyOwner {
  switch (type) {
    case 'User':
      return { UserName: name };
    case 'Group':
      return { GroupName: name };
    case 'Role':
      return { RoleName: name };
  }
}

export function Entities({ policy: { Arn: arn, PolicyName: name } }: { policy: iam.Policy }) {
  const { notifySuccess } = useFrame();
  const entities = useEntities(arn);
  const [selected, setSelected] = useState<iam.PolicyEntity[]>([]);
  const [open, setOpen] = useState<'attach' | 'detach'>();
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    invalidate(['policies'], ['user'], ['groups'], ['role']);
    notifySuccess(message);
  };
  return (
    <>
      <List
        title="Entities attached"
        description="To change a permissions boundary, go to the page of the user or role."
        items={entities.data}
        columns={COLUMNS}
        rowId={(entity) => `${entityId(entity)}${entity.boundary ? ' (boundary)' : ''}`}
        loading={entities.isPending}
        error={entities.error}
        reload={() => void entities.refetch()}
        selection="multi"
        isSelectable={({ boundary }) => !boundary}
        selected={selected}
        onSelect={setSelected}
        empty="No entities"
        actions={
          <>
            <Button disabled={selected.length === 0} onClick={() => setOpen('detach')}>
              Detach
            </Button>
            <Button variant="primary" onClick={() => setOpen('attach')}>
              Attach
            </Button>
          </>
        }
      />
      {open === 'attach' && (
        <AttachDialog
          arn={arn}
          name={name}
          except={(entities.data ?? []).filter(({ boundary }) => !boundary)}
          onDismiss={close()}
          onDone={close('Policy attached')}
        />
      )}
      {open === 'detach' && (
        <ActionDialog
          title={`Detach ${name}?`}
          verb="Detach"
          onDismiss={close()}
          onDone={close('Policy detached')}
          action={async () => {
            for (const entity of selected) await detachPolicy(ownerOf(entity), arn);
          }}
        >
          The policy no longer applies to: {selected.map(entityId).join(', ')}
        </ActionDialog>
      )}
    </>
  );
}

function AttachDialog(props: {
  arn: string;
  name: string;
  except: readonly Candidate[];
  onDismiss: () => void;
  onDone: () => void;
}) {
  const users = useUsers();
  const groups = useGroups();
  const roles = useRoles();
  const [chosen, setChosen] = useState<Candidate[]>([]);
  const attached = new Set(props.except.map(entityId));
  const candidates = [
    ...(groups.data ?? []).map(({ GroupName }): Candidate => ({ type: 'Group', name: GroupName })),
    ...(users.data ?? []).map(({ UserName }): Candidate => ({ type: 'User', name: UserName })),
    ...(roles.data ?? [])
      .filter((role) => !isServiceLinked(role))
      .map(({ RoleName }): Candidate => ({ type: 'Role', name: RoleName })),
  ].filter((one) => !attached.has(entityId(one)));
  return (
    <ActionDialog
      size="large"
      title={`Attach ${props.name}`}
      verb="Attach policy"
      disabled={chosen.length === 0}
      onDismiss={props.onDismiss}
      onDone={props.onDone}
      action={async () => {
        for (const one of chosen) await attachPolicy(ownerOf(one), props.arn);
      }}
    >
      <List
        title="IAM users, groups and roles"
        items={candidates}
        columns={CANDIDATES}
        rowId={entityId}
        loading={users.isPending || groups.isPending || roles.isPending}
        error={users.error ?? groups.error}
        selection="multi"
        selected={chosen}
        onSelect={setChosen}
      />
    </ActionDialog>
  );
}
