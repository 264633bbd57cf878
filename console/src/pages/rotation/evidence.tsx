// What is known about both keys right now, who tried the inactive one, and what happened so far.
import Box from '@cloudscape-design/components/box';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { historyOf, type Rotation } from '../../api/rotation';
import { useServed } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Problem } from '../../frame/problem';
import { full, moment } from '../../lib/age';
import { changed, useKeys, type KeyDetail } from '../iam/queries';
import { pause, useAttempts } from './queries';

interface KeyRow {
  id: string;
  role: string;
  detail: KeyDetail | undefined;
}

function KeyStatus({ detail }: KeyRow) {
  if (!detail) return <StatusIndicator type="stopped">Deleted</StatusIndicator>;
  return detail.active ? (
    <StatusIndicator type="success">Active</StatusIndicator>
  ) : (
    <StatusIndicator type="stopped">Inactive</StatusIndicator>
  );
}

export function Evidence({ rotation }: { rotation: Rotation }) {
  const can = useServed();
  const every = pause(rotation);
  const keys = useKeys(rotation.userName, every);
  const { userName, oldKey, newKey, phase } = rotation;
  const before = useRef(phase);
  useEffect(() => {
    // Each phase does something to the keys, the last one too.
    if (before.current !== phase) changed(['user', userName, 'keys'], ['attempts']);
    before.current = phase;
  }, [userName, phase]);
  const find = (id: string): KeyDetail | undefined => keys.data?.find((key) => key.id === id);
  const rows: KeyRow[] = [{ id: oldKey, role: 'Old', detail: find(oldKey) }];
  if (newKey) rows.push({ id: newKey, role: 'New', detail: find(newKey) });
  const rests = rows.some(({ detail }) => detail?.active === false);
  const resting = rows.find(({ detail }) => detail?.active === false)?.id ?? oldKey;
  const ask = rests && can('ListAccessKeyAttempts');
  const attempts = useAttempts(resting, ask, every);
  if (keys.error) return <Problem error={keys.error} retry={() => void keys.refetch()} />;
  return (
    <SpaceBetween size="l">
      <Table
        header={
          <Header
            variant="h2"
            description="The first use in each quarter of an hour is noted. The checks of the rotation itself do not count."
          >
            Both keys
          </Header>
        }
        items={keys.data ? rows : []}
        loading={keys.isPending}
        loadingText="Loading"
        trackBy="id"
        wrapLines
        columnDefinitions={[
          {
            id: 'id',
            header: 'Access key',
            cell: ({ role, id }) => (
              <>
                <b>{role}</b>
                <div>{id}</div>
              </>
            ),
            isRowHeader: true,
          },
          { id: 'status', header: 'Status', minWidth: 110, cell: KeyStatus },
          {
            id: 'used',
            header: 'Last used',
            minWidth: 140,
            cell: ({ detail }) => (detail ? moment(detail.use.date) : '–'),
          },
          { id: 'service', header: 'Service', cell: ({ detail }) => detail?.use.service ?? '–' },
          {
            id: 'region',
            header: 'Region',
            minWidth: 120,
            cell: ({ detail }) => detail?.use.region ?? '–',
          },
        ]}
      />
      {ask && (
        <Table
          header={
            <Header
              variant="h2"
              description={`Who tried ${resting} since it is inactive. Each of them was refused.`}
            >
              Attempts with the inactive key
            </Header>
          }
          items={attempts.data ?? []}
          loading={attempts.isPending}
          loadingText="Loading"
          wrapLines
          empty={
            attempts.error ? (
              <Problem error={attempts.error} />
            ) : (
              <Box textAlign="center">Nobody tried to use it</Box>
            )
          }
          columnDefinitions={[
            {
              id: 'last',
              header: 'Last attempt',
              cell: ({ last }) => moment(last),
              isRowHeader: true,
            },
            { id: 'address', header: 'Source address', cell: ({ address }) => address },
            { id: 'agent', header: 'User agent', cell: ({ agent }) => agent },
            { id: 'action', header: 'Action', cell: ({ action }) => action },
            { id: 'count', header: 'Attempts', cell: ({ count }) => count },
          ]}
        />
      )}
    </SpaceBetween>
  );
}

interface Line {
  time: string;
  text: string;
  hash: string;
  /** Its place in the order in which things happened. */
  at: number;
}

const LINES: Column<Line>[] = [
  { id: 'time', header: 'Time', by: ({ at }) => -at, cell: ({ time }) => full(time) },
  { id: 'event', header: 'Event', by: ({ text }) => text, cell: ({ text }) => text },
  { id: 'hash', header: 'Hash', hidden: true, by: ({ hash }) => hash, cell: ({ hash }) => hash },
];

/** What happened so far; read when somebody wants to see it. */
export function History({ rotation }: { rotation: Rotation }) {
  const { userName, id, phase, held } = rotation;
  const [shown, show] = useState(false);
  const read = useQuery({
    // A new phase has new events.
    queryKey: ['rotation', userName, 'history', id, phase, held?.text ?? ''],
    queryFn: async () => (await historyOf(userName, id)).map((event, at) => ({ ...event, at })),
    enabled: shown,
    placeholderData: (before) => before,
  });
  return (
    <ExpandableSection
      headerText="History"
      variant="container"
      expanded={shown}
      onChange={({ detail }) => show(detail.expanded)}
    >
      <List
        title="Events"
        variant="borderless"
        items={read.data}
        columns={LINES}
        rowId={({ at }) => String(at)}
        loading={read.isPending}
        error={read.error}
        reload={() => void read.refetch()}
      />
    </ExpandableSection>
  );
}
