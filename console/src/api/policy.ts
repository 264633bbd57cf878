// What the service says about policies: findings about a document, and simulations.
import { call, pages } from './client';
import {
  GetContextKeysForCustomPolicy,
  GetContextKeysForPrincipalPolicy,
  SimulateCustomPolicy,
  SimulatePrincipalPolicy,
  type ContextEntry,
  type EvaluationResult,
  type PolicyEvaluationDecisionType,
  type Statement,
} from './generated/iam';
import { ValidatePolicy, type PolicyFinding } from './generated/keywright';

export type { ContextEntry, PolicyFinding, Statement };

/** What a document is meant to be, which decides what it may contain. */
export type PolicyKind =
  { type: 'managed' | 'inline' | 'trust' } | { type: 'bucket'; bucket: string };

export async function validatePolicy(
  PolicyDocument: string,
  kind: PolicyKind,
): Promise<readonly PolicyFinding[]> {
  const BucketName = kind.type === 'bucket' ? kind.bucket : undefined;
  return (await call(ValidatePolicy, { PolicyDocument, PolicyType: kind.type, BucketName }))
    .Findings;
}

/** The policies of a simulation: those of a principal, or the documents that are given. */
export type PolicySource = { arn: string } | { documents: readonly string[] };

/** The result for one action on one resource, which IAM has in two shapes. */
export interface SimulationResult {
  action: string;
  resource: string;
  decision: PolicyEvaluationDecisionType;
  statements: readonly Statement[];
  missingContextKeys: readonly string[];
  allowedByBoundary: boolean | undefined;
}

/** An action's results: one for each resource that was named, or one for all resources. */
function simulationResults(result: EvaluationResult): SimulationResult[] {
  const { EvalActionName: action, ResourceSpecificResults: each = [] } = result;
  const all = each.length > 0 ? each : [result];
  return all.map((one) => ({
    action,
    resource: one.EvalResourceName ?? '*',
    decision: 'EvalDecision' in one ? one.EvalDecision : one.EvalResourceDecision,
    statements: one.MatchedStatements ?? [],
    missingContextKeys: one.MissingContextValues ?? [],
    allowedByBoundary: one.PermissionsBoundaryDecisionDetail?.AllowedByPermissionsBoundary,
  }));
}

export async function simulate(
  source: PolicySource,
  ActionNames: readonly string[],
  resources: readonly string[],
  ContextEntries: readonly ContextEntry[],
): Promise<SimulationResult[]> {
  const ResourceArns = resources.length > 0 ? resources : undefined;
  const request = { ActionNames, ResourceArns, ContextEntries };
  const results =
    'arn' in source
      ? await pages(
          SimulatePrincipalPolicy,
          { ...request, PolicySourceArn: source.arn },
          (page) => page.EvaluationResults,
        )
      : await pages(
          SimulateCustomPolicy,
          { ...request, PolicyInputList: source.documents },
          (page) => page.EvaluationResults,
        );
  return results.flatMap(simulationResults);
}

/** The context keys that the policies' conditions refer to. */
export async function contextKeys(source: PolicySource): Promise<readonly string[]> {
  const { ContextKeyNames = [] } =
    'arn' in source
      ? await call(GetContextKeysForPrincipalPolicy, { PolicySourceArn: source.arn })
      : await call(GetContextKeysForCustomPolicy, { PolicyInputList: source.documents });
  return ContextKeyNames;
}
