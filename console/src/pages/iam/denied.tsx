// Why was this denied? Recent refused requests, and one of them explained.
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table from '@cloudscape-design/components/table';
import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';

import { call, pages } from '../../api/client';
import type { Xml } from '../../api/xml';
import { List, type Column } from '../../frame/list';
import { Link, Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full, moment } from '../../lib/age';
import { changed } from './queries';
import { words } from './simulator-results';

/** What somebody needs to give a user a permission. */
const GRANT = 'iam:PutUserPolicy';

interface Denied {
  id: string;
  time: string;
  principal: string;
  action: string;
  resource: string;
  from: string;
  message: string;
}

const denied = (node: Xml): Denied => ({
  id: node.text('RequestId') ?? '',
  time: node.text('Time') ?? '',
  principal: node.text('PrincipalArn') ?? '',
  action: node.text('ActionName') ?? '',
  resource: node.text('ResourceArn') ?? '',
  from: node.text('SourceAddress') ?? '',
  message: node.text('Message') ?? '',
});

/** A principal of this account without what is the same for all. */
const short = (arn: string): string => arn.split(':').slice(5).join(':') || arn;

const COLUMNS: Column<Denied>[] = [
  {
    id: 'time',
    header: 'Time',
    minWidth: 130,
    by: ({ time }) => -Date.parse(time),
    cell: ({ time }) => moment(time),
  },
  {
    id: 'principal',
    header: 'Principal',
    by: ({ principal }) => principal,
    cell: ({ principal }) => short(principal),
  },
  {
    id: 'action',
    header: 'Action',
    by: ({ action }) => action,
    cell: ({ action, id }) => <Link to={`/denied/${id}`}>{action}</Link>,
    isRowHeader: true,
  },
  {
    id: 'resource',
    header: 'Resource',
    by: ({ resource }) => resource,
    cell: ({ resource }) => resource,
  },
  { id: 'from', header: 'Source address', by: ({ from }) => from, cell: ({ from }) => from },
  { id: 'id', header: 'Request ID', hidden: true, by: ({ id }) => id, cell: ({ id }) => id },
];

export function DeniedRequests() {
  const read = useQuery({
    queryKey: ['denied'],
    queryFn: () =>
      pages('keywright', 'ListDeniedRequests', {}, (page) =>
        page.list('DeniedRequests').map(denied),
      ),
  });
  return (
    <List
      title="Denied requests"
      variant="full-page"
      description="The last thousand of this account, until the server restarts. Choose one to see why, and what would have allowed it."
      items={read.data}
      columns={COLUMNS}
      rowId={({ id }) => id}
      loading={read.isPending}
      error={read.error}
      reload={() => changed(['denied'])}
      empty="Nothing was denied"
    />
  );
}

function Decided({ by }: { by: string | undefined }) {
  if (!by) return <>–</>;
  const [type, text] = words(by);
  return <StatusIndicator type={type}>{text}</StatusIndicator>;
}

/** The principals who may do something to a resource today. */
const whoMay = async (ActionName: string, ResourceArn: string): Promise<string[]> => {
  const got = await call('keywright', 'ListAuthorizedPrincipals', { ActionName, ResourceArn });
  const named = got.list('Principals').map((node) => short(node.text('PrincipalArn') ?? ''));
  return got.text('IsTruncated') === 'true' ? [...named, '…'] : named;
};

/** Who may do what was denied, and who could allow it to the user whom it was denied. */
function WhoMay({ request: { action, resource, principal } }: { request: Denied }) {
  const may = useQuery({
    queryKey: ['denied', 'who', action, resource],
    queryFn: () => whoMay(action, resource),
  });
  const isUser = short(principal).startsWith('user/');
  const grant = useQuery({
    queryKey: ['denied', 'who', GRANT, principal],
    queryFn: () => whoMay(GRANT, principal),
    enabled: isUser,
  });
  const error = may.error ?? grant.error;
  const names = (of: string[] | undefined): string => of?.join(', ') ?? '…';
  return (
    <Container header={<Header variant="h2">Who may, and who could grant it</Header>}>
      {error ? (
        <Problem error={error} />
      ) : (
        <KeyValuePairs
          columns={2}
          items={[
            { label: `May ${action} today`, value: names(may.data) || 'Nobody' },
            ...(isUser
              ? [
                  {
                    label: `Could allow it to ${short(principal)} (${GRANT})`,
                    value: names(grant.data) || 'Nobody',
                  },
                ]
              : []),
          ]}
        />
      )}
    </Container>
  );
}

export function DeniedRequest() {
  const { id = '' } = useParams();
  const read = useQuery({
    queryKey: ['denied', id],
    queryFn: () => call('keywright', 'ExplainDeniedRequest', { RequestId: id }),
  });
  if (read.error) return <Problem error={read.error} retry={() => changed(['denied'])} />;
  if (!read.data) return <Loading />;
  const found = read.data.child('DeniedRequest');
  const request = found && denied(found);
  const statements = read.data.list('Statements');
  return (
    <ContentLayout header={<Header variant="h1">Why was this denied?</Header>}>
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Request</Header>}>
          <KeyValuePairs
            columns={3}
            items={[
              { label: 'Principal', value: request?.principal ?? '–' },
              { label: 'Action', value: request?.action ?? '–' },
              { label: 'Resource', value: request?.resource ?? '–' },
              { label: 'Time', value: full(request?.time) },
              { label: 'Decision then', value: <Decided by={read.data.text('Decision')} /> },
              { label: 'Decision now', value: <Decided by={read.data.text('DecisionNow')} /> },
            ]}
          />
        </Container>
        <Container header={<Header variant="h2">Explanation</Header>}>
          <Box variant="pre">
            <span style={{ whiteSpace: 'pre-wrap' }}>
              {read.data.text('Explanation') ?? request?.message ?? ''}
            </span>
          </Box>
        </Container>
        {request && <WhoMay request={request} />}
        <Table
          header={
            <Header counter={`(${String(statements.length)})`}>
              Statements that were looked at
            </Header>
          }
          items={statements.map((node, at) => ({ node, at }))}
          wrapLines
          empty={<Box textAlign="center">No policy has a statement about this.</Box>}
          columnDefinitions={[
            {
              id: 'policy',
              header: 'Policy',
              cell: ({ node }) => node.text('Policy') ?? '–',
              isRowHeader: true,
            },
            {
              id: 'statement',
              header: 'Statement',
              cell: ({ node }) => node.text('Statement') ?? '–',
            },
            { id: 'effect', header: 'Effect', cell: ({ node }) => node.text('Effect') ?? '–' },
            {
              id: 'applies',
              header: 'Applies',
              cell: ({ node }) => (node.text('Applies') === 'true' ? 'Yes' : 'No'),
            },
            {
              id: 'lacks',
              header: 'What it lacked',
              cell: ({ node }) =>
                node
                  .list('Lacks')
                  .map((lack) => lack.value)
                  .join('; ') ||
                (node.text('Lacks') ?? '–'),
            },
          ]}
        />
      </SpaceBetween>
    </ContentLayout>
  );
}
