// The usage of both keys, the rejected requests with the inactive one, and the rotation's history.
import Box from '@cloudscape-design/components/box';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import type { AccessKeyAttempt, RotationEvent } from '../../api/generated/keywright';
import { listHistory, type Rotation } from '../../api/rotation';
import { useIsServed } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { List, type Column } from '../../frame/list';
import { TimeAgo } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { UNKNOWN } from '../../lib/key-activity';
import { invalidate, isActive, useAttempts, useKeys, type KeyDetail } from '../iam/queries';
import { pollInterval } from './queries';

interface KeyRow {
  id: string;
  role: 'Old' | 'New';
  detail: KeyDetail | undefined;
}

function KeyStatus({ detail }: KeyRow) {
  if (!detail) return <StatusIndicator type="stopped">Deleted</StatusIndicator>;
  return isActive(detail) ? (
    <StatusIndicator type="success">Active</StatusIndicator>
  ) : (
    <StatusIndicator type="stopped">Inactive</StatusIndicator>
  );
}

function LastClientUse({ detail: { uses } }: { detail: KeyDetail }) {
  if (!uses) return <>{UNKNOWN}</>;
  return uses.client.date ? <TimeAgo date={uses.client.date} /> : <>Never</>;
}

export function KeyUsage({ rotation }: { rotation: Rotation }) {
  const isServed = useIsServed();
  const interval = pollInterval(rotation);
  const { UserName, OldAccessKeyId, NewAccessKeyId, Phase } = rotation;
  const keys = useKeys(UserName, interval);
  const previousPhase = useRef(Phase);
  useEffect(() => {
    // Every phase changes the keys, the last one too.
    if (previousPhase.current !== Phase) invalidate(['user', UserName, 'keys'], ['attempts']);
    previousPhase.current = Phase;
  }, [UserName, Phase]);
  const detailOf = (id: string): KeyDetail | undefined =>
    keys.data?.find(({ AccessKeyId }) => AccessKeyId === id);
  const rows: KeyRow[] = [{ id: OldAccessKeyId, role: 'Old', detail: detailOf(OldAccessKeyId) }];
  if (NewAccessKeyId)
    rows.push({ id: NewAccessKeyId, role: 'New', detail: detailOf(NewAccessKeyId) });
  const isExact = keys.data?.every(({ uses }) => uses?.client.isExact === true) ?? true;
  const inactive = rows.find(({ detail }) => detail && !isActive(detail))?.id;
  const listsAttempts = inactive !== undefined && isServed('ListAccessKeyAttempts');
  const attempts = useAttempts(inactive ?? OldAccessKeyId, listsAttempts, interval);
  if (keys.error) return <ErrorAlert error={keys.error} retry={() => void keys.refetch()} />;
  return (
    <SpaceBetween size="l">
      <Table
        header={
          <Header
            variant="h2"
            description={
              isExact
                ? 'The last request of a client. The checks of the rotation itself and GetCallerIdentity are not included.'
                : 'Last-used data has a 15-minute resolution. The checks of the rotation itself are not included.'
            }
          >
            Key usage
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
            cell: ({ detail }) => (detail ? <LastClientUse detail={detail} /> : '–'),
          },
          {
            id: 'service',
            header: 'Service',
            cell: ({ detail }) => detail?.uses?.client.service ?? '–',
          },
          {
            id: 'region',
            header: 'Region',
            minWidth: 120,
            cell: ({ detail }) => detail?.uses?.client.region ?? '–',
          },
        ]}
      />
      {listsAttempts && (
        <Table<AccessKeyAttempt>
          header={
            <Header
              variant="h2"
              description={`Rejected requests signed with ${inactive} while it was inactive.`}
            >
              Attempts with the inactive key
            </Header>
          }
          items={attempts.data?.attempts ?? []}
          loading={attempts.isPending}
          loadingText="Loading"
          wrapLines
          empty={
            attempts.error ? (
              <ErrorAlert error={attempts.error} />
            ) : (
              <Box textAlign="center">{attempts.data ? 'No attempts' : UNKNOWN}</Box>
            )
          }
          columnDefinitions={[
            {
              id: 'last',
              header: 'Last attempt',
              cell: ({ LastAttempt }) => <TimeAgo date={LastAttempt} />,
              isRowHeader: true,
            },
            {
              id: 'address',
              header: 'Source address',
              cell: ({ SourceAddress }) => SourceAddress,
            },
            { id: 'agent', header: 'User agent', cell: ({ UserAgent }) => UserAgent ?? '–' },
            { id: 'action', header: 'Action', cell: ({ Action }) => Action },
            { id: 'count', header: 'Attempts', cell: ({ Count }) => Count },
          ]}
        />
      )}
    </SpaceBetween>
  );
}

interface EventRow extends RotationEvent {
  /** The order in which events happened. */
  index: number;
}

const EVENT_COLUMNS: Column<EventRow>[] = [
  {
    id: 'time',
    header: 'Time',
    value: ({ index }) => -index,
    cell: ({ EventTime }) => fullDate(EventTime),
  },
  { id: 'event', header: 'Event', value: ({ Event }) => Event, cell: ({ Event }) => Event },
  { id: 'hash', header: 'Hash', hidden: true, value: ({ Hash }) => Hash, cell: ({ Hash }) => Hash },
];

/** The rotation's history; read when the section is expanded. */
export function History({ rotation }: { rotation: Rotation }) {
  const { UserName, RotationId, Phase, HeldReason } = rotation;
  const [expanded, setExpanded] = useState(false);
  const read = useQuery({
    // A new phase has new events.
    queryKey: ['rotation', UserName, 'history', RotationId, Phase, HeldReason ?? ''],
    queryFn: async () =>
      (await listHistory(UserName, RotationId)).map((event, index) => ({ ...event, index })),
    enabled: expanded,
    placeholderData: (before) => before,
  });
  return (
    <ExpandableSection
      headerText="History"
      variant="container"
      expanded={expanded}
      onChange={({ detail }) => setExpanded(detail.expanded)}
    >
      <List
        title="Events"
        variant="borderless"
        items={read.data}
        columns={EVENT_COLUMNS}
        rowId={({ index }) => String(index)}
        loading={read.isPending}
        error={read.error}
        reload={() => void read.refetch()}
      />
    </ExpandableSection>
  );
}
