// What the service says of policies: advice on a text, and what a request would get.
import { call, pages } from './client';
import type { Xml } from './xml';
import type { Position } from '../lib/policy-text';

export type FindingType = 'ERROR' | 'SECURITY_WARNING' | 'WARNING' | 'SUGGESTION';

export interface Finding {
  type: FindingType;
  code: string;
  message: string;
  hint?: string | undefined;
  line: number;
  column: number;
  /** In characters of the text. */
  start: number;
  end: number;
}

/** What a text is meant to be: who it is for decides what may stand in it. */
export type Kind = { type: 'managed' } | { type: 'inline' } | { type: 'bucket'; bucket: string };

const numbered = (node: Xml, name: string): number => Number(node.text(name) ?? 0);

export async function validate(PolicyDocument: string, kind: Kind): Promise<Finding[]> {
  const got = await call('keywright', 'ValidatePolicy', {
    PolicyDocument,
    PolicyType: kind.type,
    BucketName: kind.type === 'bucket' ? kind.bucket : undefined,
  });
  return got.list('Findings').map((node) => ({
    type: (node.text('FindingType') ?? 'ERROR') as FindingType,
    code: node.text('IssueCode') ?? '',
    message: node.text('Message') ?? '',
    hint: node.text('Hint'),
    line: numbered(node, 'StartLine'),
    column: numbered(node, 'StartColumn'),
    start: numbered(node, 'StartOffset'),
    end: numbered(node, 'EndOffset'),
  }));
}

/** Whose policies are asked: a principal's, or the texts that are given. */
export type Source = { arn: string } | { documents: readonly string[] };

export interface ContextEntry {
  key: string;
  type: string;
  values: readonly string[];
}

export interface Matched {
  policy: string;
  type: string;
  start: Position;
  end: Position;
}

/** What one action on one resource would get. */
export interface Result {
  action: string;
  resource: string;
  decision: string;
  matched: Matched[];
  missing: string[];
  boundary?: boolean | undefined;
}

const position = (node: Xml | undefined): Position => ({
  line: Number(node?.text('Line') ?? 1),
  column: Number(node?.text('Column') ?? 1),
});

const result = (action: string, node: Xml, decision: string): Result => {
  const boundary = node
    .child('PermissionsBoundaryDecisionDetail')
    ?.text('AllowedByPermissionsBoundary');
  return {
    action,
    resource: node.text('EvalResourceName') ?? '*',
    decision: node.text(decision) ?? '',
    matched: node.list('MatchedStatements').map((one) => ({
      policy: one.text('SourcePolicyId') ?? '',
      type: one.text('SourcePolicyType') ?? '',
      start: position(one.child('StartPosition')),
      end: position(one.child('EndPosition')),
    })),
    missing: node.list('MissingContextValues').map(({ value }) => value),
    ...(boundary === undefined ? {} : { boundary: boundary === 'true' }),
  };
};

/** An action's results: one for each resource that was named, or one on everything. */
function results(node: Xml): Result[] {
  const action = node.text('EvalActionName') ?? '';
  const each = node.list('ResourceSpecificResults');
  if (each.length === 0) return [result(action, node, 'EvalDecision')];
  return each.map((one) => result(action, one, 'EvalResourceDecision'));
}

export function simulate(
  source: Source,
  ActionNames: readonly string[],
  ResourceArns: readonly string[],
  context: readonly ContextEntry[],
): Promise<Result[]> {
  const [operation, of] =
    'arn' in source
      ? (['SimulatePrincipalPolicy', { PolicySourceArn: source.arn }] as const)
      : (['SimulateCustomPolicy', { PolicyInputList: source.documents }] as const);
  const asked = {
    ...of,
    ActionNames,
    ResourceArns: ResourceArns.length > 0 ? ResourceArns : undefined,
    ContextEntries: context.map(({ key, type, values }) => ({
      ContextKeyName: key,
      ContextKeyType: type,
      ContextKeyValues: values,
    })),
  };
  return pages('iam', operation, asked, (page) => page.list('EvaluationResults').flatMap(results));
}

/** The context keys that the policies ask for. */
export async function contextKeys(source: Source): Promise<string[]> {
  const got =
    'arn' in source
      ? await call('iam', 'GetContextKeysForPrincipalPolicy', { PolicySourceArn: source.arn })
      : await call('iam', 'GetContextKeysForCustomPolicy', { PolicyInputList: source.documents });
  return got.list('ContextKeyNames').map(({ value }) => value);
}
