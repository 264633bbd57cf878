// Why was this denied? Recent denied requests, and the explanation of one.
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
import {
  ExplainDeniedRequest,
  ListAuthorizedPrincipals,
  ListDeniedRequests,
  type DeniedRequest,
  type ExaminedStatement,
} from '../../api/generated/keywright';
import { ErrorAlert } from '../../frame/error-alert';
import { List, type Column } from '../../frame/list';
import { Link, Loading } from '../../frame/parts';
import { fullDate, timeAgo } from '../../lib/age';
import { shortPrincipal } from '../../lib/arn';
import { invalidate } from './queries';
import { decisionText } from './simulator-results';

/** The action that grants a user a permission. */
const GRANT = 'iam:PutUserPolicy';

const COLUMNS: Column<DeniedRequest>[] = [
  {
    id: 'time',
    header: 'Time',
    minWidth: 130,
    value: ({ Time }) => -Date.parse(Time),
    cell: ({ Time }) => timeAgo(Time),
  },
  {
    id: 'principal',
    header: 'Principal',
    value: ({ PrincipalArn }) => PrincipalArn,
    cell: ({ PrincipalArn }) => shortPrincipal(PrincipalArn),
  },
  {
    id: 'action',
    header: 'Action',
    value: ({ ActionName }) => ActionName,
    cell: ({ ActionName, RequestId }) => <Link to={`/denied/${RequestId}`}>{ActionName}</Link>,
    isRowHeader: true,
  },
  {
    id: 'resource',
    header: 'Resource',
    value: ({ ResourceArn }) => ResourceArn,
    cell: ({ ResourceArn }) => ResourceArn,
  },
  {
    id: 'source',
    header: 'Source address',
    value: ({ SourceAddress }) => SourceAddress,
    cell: ({ SourceAddress }) => SourceAddress,
  },
  {
    id: 'id',
    header: 'Request ID',
    hidden: true,
    value: ({ RequestId }) => RequestId,
    cell: ({ RequestId }) => RequestId,
  },
];

export function DeniedRequestsPage() {
  const read = useQuery({
    queryKey: ['denied'],
    queryFn: () => pages(ListDeniedRequests, {}, (page) => page.DeniedRequests),
  });
  return (
    <List
      title="Denied requests"
      variant="full-page"
      description="The last 1,000 denied requests since the server started. Choose one to see why it was denied and how to allow it."
      items={read.data}
      columns={COLUMNS}
      rowId={({ RequestId }) => RequestId}
      loading={read.isPending}
      error={read.error}
      reload={() => invalidate(['denied'])}
      empty="No denied requests"
    />
  );
}

function Decision({ decision }: { decision: string }) {
  const [type, text] = decisionText(decision);
  return <StatusIndicator type={type}>{text}</StatusIndicator>;
}

/** The principals that are allowed an action on a resource. */
async function allowedPrincipals(ActionName: string, ResourceArn: string): Promise<string[]> {
  const { Principals, IsTruncated } = await call(ListAuthorizedPrincipals, {
    ActionName,
    ResourceArn,
  });
  const names = Principals.map(({ PrincipalArn }) => shortPrincipal(PrincipalArn));
  return IsTruncated ? [...names, '…'] : names;
}

/** Who is allowed the denied request, and who can grant it to the user. */
function WhoHasAccess({ request }: { request: DeniedRequest }) {
  const { ActionName, ResourceArn, PrincipalArn } = request;
  const allowed = useQuery({
    queryKey: ['denied', 'allowed', ActionName, ResourceArn],
    queryFn: () => allowedPrincipals(ActionName, ResourceArn),
  });
  const isUser = shortPrincipal(PrincipalArn).startsWith('user/');
  const grant = useQuery({
    queryKey: ['denied', 'allowed', GRANT, PrincipalArn],
    queryFn: () => allowedPrincipals(GRANT, PrincipalArn),
    enabled: isUser,
  });
  const error = allowed.error ?? grant.error;
  const names = (principals: string[] | undefined): string =>
    principals === undefined ? '…' : principals.join(', ') || 'None';
  return (
    <Container header={<Header variant="h2">Who has access</Header>}>
      {error ? (
        <ErrorAlert error={error} />
      ) : (
        <KeyValuePairs
          columns={2}
          items={[
            { label: `Allowed principals (${ActionName})`, value: names(allowed.data) },
            ...(isUser ? [{ label: `Can grant access (${GRANT})`, value: names(grant.data) }] : []),
          ]}
        />
      )}
    </Container>
  );
}

export function DeniedRequestPage() {
  const { id = '' } = useParams();
  const read = useQuery({
    queryKey: ['denied', id],
    queryFn: () => call(ExplainDeniedRequest, { RequestId: id }),
  });
  if (read.error) return <ErrorAlert error={read.error} retry={() => invalidate(['denied'])} />;
  if (!read.data) return <Loading />;
  const { DeniedRequest: request, Decision: original, DecisionNow, Statements } = read.data;
  return (
    <ContentLayout header={<Header variant="h1">Why was this denied?</Header>}>
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Request</Header>}>
          <KeyValuePairs
            columns={3}
            items={[
              { label: 'Principal', value: request.PrincipalArn },
              { label: 'Action', value: request.ActionName },
              { label: 'Resource', value: request.ResourceArn },
              { label: 'Time', value: fullDate(request.Time) },
              { label: 'Original decision', value: <Decision decision={original} /> },
              { label: 'Current decision', value: <Decision decision={DecisionNow} /> },
            ]}
          />
        </Container>
        <Container header={<Header variant="h2">Explanation</Header>}>
          <Box variant="pre">
            <span style={{ whiteSpace: 'pre-wrap' }}>{read.data.Explanation}</span>
          </Box>
        </Container>
        <WhoHasAccess request={request} />
        <EvaluatedStatements statements={Statements} />
      </SpaceBetween>
    </ContentLayout>
  );
}

function EvaluatedStatements({ statements }: { statements: readonly ExaminedStatement[] }) {
  return (
    <Table
      header={<Header counter={`(${String(statements.length)})`}>Evaluated statements</Header>}
      items={statements}
      wrapLines
      empty={<Box textAlign="center">No policy has a statement for this request.</Box>}
      columnDefinitions={[
        { id: 'policy', header: 'Policy', cell: ({ Policy }) => Policy, isRowHeader: true },
        { id: 'statement', header: 'Statement', cell: ({ Statement }) => Statement },
        { id: 'effect', header: 'Effect', cell: ({ Effect }) => Effect },
        { id: 'applies', header: 'Applies', cell: ({ Applies }) => (Applies ? 'Yes' : 'No') },
        { id: 'mismatch', header: 'Mismatch', cell: ({ Lacks }) => Lacks ?? '–' },
      ]}
    />
  );
}
