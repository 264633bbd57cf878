// The tab "Entities attached": users and groups that have a policy, attached and detached.
import Button from '@cloudscape-design/components/button';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Link, Pick } from '../../frame/parts';
import { changed, useGroups, useUsers } from './queries';

export const useEntities = (arn: string) =>
  useQuery({ queryKey: ['policies', arn, 'entities'], queryFn: () => iam.entitiesOf(arn) });

type Candidate = Omit<iam.Entity, 'boundary'>;

const href = ({ type, name }: Candidate): string =>
  `/iam/${type === 'User' ? 'users' : 'groups'}/${encodeURIComponent(name)}`;
const idOf = ({ type, name }: Candidate): string => `${type} ${name}`;

const CANDIDATES: Column<Candidate>[] = [
  { id: 'name', header: 'Entity name', by: ({ name }) => name, isRowHeader: true, cell: nameOf },
  { id: 'type', header: 'Entity type', by: ({ type }) => type, cell: ({ type }) => type },
];

function nameOf({ name }: Candidate) {
  return name;
}

const COLUMNS: Column<iam.Entity>[] = [
  {
    id: 'name',
    header: 'Entity name',
    by: ({ name }) => name,
    cell: (entity) => <Link to={href(entity)}>{entity.name}</Link>,
    isRowHeader: true,
  },
  { id: 'type', header: 'Entity type', by: ({ type }) => type, cell: ({ type }) => type },
  {
    id: 'used',
    header: 'Used as',
    by: ({ boundary }) => (boundary ? 'Permissions boundary' : 'Permissions policy'),
    cell: ({ boundary }) => (boundary ? 'Permissions boundary' : 'Permissions policy'),
  },
];

/** Attaches a policy to a user or group, or detaches it. */
const change = (verb: 'Attach' | 'Detach', { type, name }: Candidate, PolicyArn: string) =>
  call('iam', `${verb}${type}Policy`, {
    [type === 'User' ? 'UserName' : 'GroupName']: name,
    PolicyArn,
  });

export function Entities({ policy: { arn, name } }: { policy: iam.Policy }) {
  const { done } = useFrame();
  const entities = useEntities(arn);
  const [selected, select] = useState<iam.Entity[]>([]);
  const [open, setOpen] = useState<'attach' | 'detach'>();
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    changed(['policies'], ['user'], ['groups']);
    done(said);
  };
  return (
    <>
      <List
        title="Entities attached"
        description="A boundary is changed on the page of its user."
        items={entities.data}
        columns={COLUMNS}
        rowId={(entity) => `${idOf(entity)}${entity.boundary ? ' as a boundary' : ''}`}
        loading={entities.isPending}
        error={entities.error}
        reload={() => void entities.refetch()}
        selection="multi"
        selectable={({ boundary }) => !boundary}
        selected={selected}
        select={select}
        empty="The policy is not attached"
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
        <AttachTo
          arn={arn}
          name={name}
          except={(entities.data ?? []).filter(({ boundary }) => !boundary)}
          dismiss={close()}
          done={close('Policy attached')}
        />
      )}
      {open === 'detach' && (
        <Confirm
          title={`Detach ${name}?`}
          verb="Detach"
          onDismiss={close()}
          done={close('Policy detached')}
          act={async () => {
            for (const entity of selected) await change('Detach', entity, arn);
          }}
        >
          From the next request on, these lose what the policy allows, and are no longer held to
          what it denies: {selected.map(idOf).join(', ')}
        </Confirm>
      )}
    </>
  );
}

function AttachTo(props: {
  arn: string;
  name: string;
  except: readonly Candidate[];
  dismiss: () => void;
  done: () => void;
}) {
  const users = useUsers();
  const groups = useGroups();
  const [chosen, choose] = useState<Candidate[]>([]);
  const has = new Set(props.except.map(idOf));
  const all = (type: Candidate['type'], of: readonly { name: string }[] = []): Candidate[] =>
    of.map(({ name }) => ({ type, name })).filter((one) => !has.has(idOf(one)));
  return (
    <Pick
      title={`Attach ${props.name}`}
      verb="Attach policy"
      disabled={chosen.length === 0}
      dismiss={props.dismiss}
      done={props.done}
      act={async () => {
        for (const one of chosen) await change('Attach', one, props.arn);
      }}
    >
      <List
        title="IAM users and groups"
        items={[...all('Group', groups.data), ...all('User', users.data)]}
        columns={CANDIDATES}
        rowId={idOf}
        loading={users.isPending || groups.isPending}
        error={users.error ?? groups.error}
        selection="multi"
        selected={chosen}
        select={choose}
      />
    </Pick>
  );
}
