// The results of a simulation, each with the statements that decided it.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as iam from '../../api/iam';
import { getRole } from '../../api/roles';
import type { PolicySource, SimulationResult, Statement } from '../../api/policy';
import { Editor } from '../../editor/editor';
import { ErrorAlert } from '../../frame/error-alert';
import { List, type Column } from '../../frame/list';
import { displayText, positionOf, statementText } from '../../lib/policy-text';

const DECISIONS: Record<string, readonly [StatusIndicatorProps.Type, string]> = {
  allowed: ['success', 'Allowed'],
  explicitDeny: ['error', 'Denied (explicit)'],
  implicitDeny: ['stopped', 'Denied (implicit): no statement allows it'],
};

/** A decision in words, with its icon. */
export const decisionText = (decision: string): readonly [StatusIndicatorProps.Type, string] =>
  DECISIONS[decision] ?? ['warning', decision];

/** How the document of a policy is read, by the policy's name in a simulation. */
type Documents = Map<string, () => Promise<string>>;

async function addPolicies(documents: Documents, owner: iam.PolicyOwner): Promise<void> {
  const prefix = iam.forOwner(
    owner,
    ({ UserName }) => `user_${UserName}`,
    ({ GroupName }) => `group_${GroupName}`,
    ({ RoleName }) => `role_${RoleName}`,
  );
  const [inline, attached] = await Promise.all([
    iam.listInlinePolicies(owner),
    iam.listAttachedPolicies(owner),
  ]);
  for (const policy of inline)
    documents.set(`${prefix}_${policy}`, () => iam.inlinePolicyDocument(owner, policy));
  for (const { PolicyName, PolicyArn } of attached)
    documents.set(PolicyName, () => managedPolicyDocument(PolicyArn));
}

async function managedPolicyDocument(arn: string): Promise<string> {
  return iam.policyDocument(arn, (await iam.getPolicy(arn)).DefaultVersionId);
}

/** The policies that a simulation of this source evaluates. */
async function documentsOf(source: PolicySource): Promise<Documents> {
  const documents: Documents = new Map();
  if ('documents' in source) {
    source.documents.forEach((text, index) =>
      documents.set(`PolicyInputList.${String(index + 1)}`, () => Promise.resolve(text)),
    );
    return documents;
  }
  const name = source.arn.split('/').pop() ?? '';
  if (source.arn.includes(':group/')) {
    await addPolicies(documents, { GroupName: name });
    return documents;
  }
  const isRole = source.arn.includes(':role/');
  const principal = await (isRole ? getRole(name) : iam.getUser(name));
  const boundary = principal.PermissionsBoundary?.PermissionsBoundaryArn;
  // An attached policy of the same name replaces the boundary, which matches only to deny.
  if (boundary)
    documents.set(boundary.split('/').pop() ?? '', () => managedPolicyDocument(boundary));
  await addPolicies(documents, isRole ? { RoleName: name } : { UserName: name });
  if (isRole) return documents;
  for (const { GroupName } of await iam.listUserGroups(name))
    await addPolicies(documents, { GroupName });
  return documents;
}

const rowId = ({ action, resource }: SimulationResult): string => `${action} ${resource}`;

interface ResultsProps {
  source: PolicySource;
  results: readonly SimulationResult[];
}

export function Results({ source, results }: ResultsProps) {
  const [open, setOpen] = useState<Statement>();
  const columns: Column<SimulationResult>[] = [
    {
      id: 'action',
      header: 'Action',
      value: ({ action }) => action,
      cell: ({ action }) => action,
      isRowHeader: true,
    },
    {
      id: 'resource',
      header: 'Resource',
      value: ({ resource }) => resource,
      cell: ({ resource }) => resource,
    },
    {
      id: 'decision',
      header: 'Decision',
      minWidth: 210,
      value: ({ decision }) => decisionText(decision)[1],
      cell: ({ decision, allowedByBoundary }) => {
        const [type, text] = decisionText(decision);
        return (
          <>
            <StatusIndicator type={type}>{text}</StatusIndicator>
            {allowedByBoundary === false && (
              <Box color="text-body-secondary">Not allowed by the permissions boundary.</Box>
            )}
          </>
        );
      },
    },
    {
      id: 'statements',
      header: 'Matched statements',
      value: ({ statements }) => statements.length,
      cell: ({ statements }) =>
        statements.length === 0
          ? '–'
          : statements.map((statement) => {
              const { line, column } = positionOf(statement.StartPosition);
              return (
                <div key={`${policyName(statement)} ${String(line)} ${String(column)}`}>
                  <Button variant="inline-link" onClick={() => setOpen(statement)}>
                    {policyName(statement)}, line {line}
                  </Button>
                </div>
              );
            }),
    },
    {
      id: 'missing',
      header: 'Missing context keys',
      value: ({ missingContextKeys }) => missingContextKeys.join(', '),
      cell: ({ missingContextKeys }) => missingContextKeys.join(', ') || '–',
    },
  ];
  return (
    <SpaceBetween size="m">
      <List title="Results" items={results} columns={columns} rowId={rowId} empty="No results" />
      {open && (
        <StatementDialog source={source} statement={open} onDismiss={() => setOpen(undefined)} />
      )}
    </SpaceBetween>
  );
}

/** A policy's name; the one that was entered on the page has none. */
const policyName = ({ SourcePolicyId = '' }: Statement): string =>
  SourcePolicyId.startsWith('PolicyInputList.') ? 'New policy' : SourcePolicyId;

interface StatementDialogProps {
  source: PolicySource;
  statement: Statement;
  onDismiss: () => void;
}

function StatementDialog({ source, statement, onDismiss }: StatementDialogProps) {
  const [start, end] = [positionOf(statement.StartPosition), positionOf(statement.EndPosition)];
  const read = useQuery({
    queryKey: ['statement', source, statement],
    queryFn: async () => {
      const documents = await documentsOf(source);
      const text = await documents.get(statement.SourcePolicyId ?? '')?.();
      if (text === undefined)
        throw new Error(`The document of ${policyName(statement)} was not found.`);
      return displayText(statementText(text, start, end));
    },
    gcTime: 0,
  });
  return (
    <Modal
      visible
      size="large"
      header={policyName(statement)}
      closeAriaLabel="Close"
      onDismiss={onDismiss}
    >
      <SpaceBetween size="s">
        <Box>
          {statement.SourcePolicyType}, from line {start.line}, column {start.column}, to line{' '}
          {end.line}, column {end.column}
        </Box>
        {read.error ? (
          <ErrorAlert error={read.error} />
        ) : read.data === undefined ? (
          <StatusIndicator type="loading">Loading</StatusIndicator>
        ) : (
          <Editor text={read.data} label="Matched statement" />
        )}
      </SpaceBetween>
    </Modal>
  );
}
