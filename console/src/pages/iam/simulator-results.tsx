// The answers of a simulation, each with the statements that decided it, to be read in their text.
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
import type { Matched, Result, Source } from '../../api/policy';
import { Editor } from '../../editor/editor';
import { List, type Column } from '../../frame/list';
import { Problem } from '../../frame/problem';
import { shown, statement } from '../../lib/policy-text';

const DECISIONS: Record<string, readonly [StatusIndicatorProps.Type, string]> = {
  allowed: ['success', 'Allowed'],
  explicitDeny: ['error', 'Denied by a statement'],
  implicitDeny: ['stopped', 'Denied: nothing allows it'],
};

/** A decision in words, with what its icon says. */
export const words = (decision: string): readonly [StatusIndicatorProps.Type, string] =>
  DECISIONS[decision] ?? ['warning', decision];

/** Where a policy's text is read, by the name that a simulation calls it. */
type Texts = Map<string, () => Promise<string>>;

async function add(texts: Texts, kind: 'user' | 'group', name: string): Promise<void> {
  const owner: iam.Owner = kind === 'user' ? { UserName: name } : { GroupName: name };
  const [inline, attached] = await Promise.all([
    iam.inlineOf(owner),
    kind === 'user' ? iam.policiesOfUser(name) : iam.policiesOfGroup(name),
  ]);
  for (const policy of inline)
    texts.set(`${kind}_${name}_${policy}`, () => iam.inlineText(owner, policy));
  for (const { name: policy, arn } of attached) texts.set(policy, () => managed(arn));
}

async function managed(arn: string): Promise<string> {
  return iam.versionText(arn, (await iam.getPolicy(arn)).version);
}

/** The policies that a simulation of this source looks at. */
async function textsOf(source: Source): Promise<Texts> {
  const texts: Texts = new Map();
  if ('documents' in source) {
    source.documents.forEach((text, at) =>
      texts.set(`PolicyInputList.${String(at + 1)}`, () => Promise.resolve(text)),
    );
    return texts;
  }
  const name = source.arn.split('/').pop() ?? '';
  if (!source.arn.includes(':user/')) {
    await add(texts, 'group', name);
    return texts;
  }
  const user = await iam.getUser(name);
  // What is attached has its name before the boundary, which matches only where it denies.
  if (user.boundary) {
    const { boundary } = user;
    texts.set(boundary.split('/').pop() ?? '', () => managed(boundary));
  }
  await add(texts, 'user', name);
  for (const group of await iam.groupsOf(name)) await add(texts, 'group', group.name);
  return texts;
}

const idOf = ({ action, resource }: Result): string => `${action} ${resource}`;

export function Results({ source, results }: { source: Source; results: readonly Result[] }) {
  const [read, setRead] = useState<Matched>();
  const columns: Column<Result>[] = [
    {
      id: 'action',
      header: 'Action',
      by: ({ action }) => action,
      cell: ({ action }) => action,
      isRowHeader: true,
    },
    {
      id: 'resource',
      header: 'Resource',
      by: ({ resource }) => resource,
      cell: ({ resource }) => resource,
    },
    {
      id: 'decision',
      header: 'Decision',
      minWidth: 210,
      by: ({ decision }) => words(decision)[1],
      cell: ({ decision, boundary }) => {
        const [type, text] = words(decision);
        return (
          <>
            <StatusIndicator type={type}>{text}</StatusIndicator>
            {boundary === false && (
              <Box color="text-body-secondary">The permissions boundary does not allow it.</Box>
            )}
          </>
        );
      },
    },
    {
      id: 'statements',
      header: 'Matched statements',
      by: ({ matched }) => matched.length,
      cell: ({ matched }) =>
        matched.length === 0
          ? '–'
          : matched.map((one) => (
              <div key={`${one.policy} ${String(one.start.line)} ${String(one.start.column)}`}>
                <Button variant="inline-link" onClick={() => setRead(one)}>
                  {called(one.policy)}, line {one.start.line}
                </Button>
              </div>
            )),
    },
    {
      id: 'missing',
      header: 'Missing context keys',
      by: ({ missing }) => missing.join(', '),
      cell: ({ missing }) => missing.join(', ') || '–',
    },
  ];
  return (
    <SpaceBetween size="m">
      <List title="Results" items={results} columns={columns} rowId={idOf} />
      {read && <StatementText source={source} matched={read} dismiss={() => setRead(undefined)} />}
    </SpaceBetween>
  );
}

/** A policy's name; the one that was written here has none. */
const called = (policy: string): string =>
  policy.startsWith('PolicyInputList.') ? 'Your policy' : policy;

function StatementText(props: { source: Source; matched: Matched; dismiss: () => void }) {
  const { source, matched, dismiss } = props;
  const read = useQuery({
    queryKey: ['statement', source, matched],
    queryFn: async () => {
      const text = await (await textsOf(source)).get(matched.policy)?.();
      if (text === undefined) throw new Error(`The text of ${matched.policy} is not at hand.`);
      return shown(statement(text, matched.start, matched.end));
    },
    gcTime: 0,
  });
  return (
    <Modal
      visible
      size="large"
      header={called(matched.policy)}
      closeAriaLabel="Close"
      onDismiss={dismiss}
    >
      <SpaceBetween size="s">
        <Box>
          {matched.type}, from line {matched.start.line}, column {matched.start.column}, to line{' '}
          {matched.end.line}, column {matched.end.column}
        </Box>
        {read.error ? (
          <Problem error={read.error} />
        ) : read.data === undefined ? (
          <StatusIndicator type="loading">Loading</StatusIndicator>
        ) : (
          <Editor text={read.data} label="Matched statement" />
        )}
      </SpaceBetween>
    </Modal>
  );
}
