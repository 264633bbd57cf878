// Trust policies: what the wizard writes, and whom an existing one trusts, in AWS's words.
import { formatted } from './policy-text';

/** A condition of a trust policy on a claim of a token, or on an attribute of an assertion. */
export interface TrustCondition {
  operator: 'StringEquals' | 'StringLike';
  key: string;
  value: string;
}

/** Whom a new role trusts, by the types of AWS's wizard; the fifth is a policy written by hand. */
export type Trust =
  | { type: 'service'; principal: string }
  | { type: 'account'; accountId: string; externalId?: string; mfa: boolean }
  | { type: 'web-identity'; provider: string; audience: string; conditions: TrustCondition[] }
  | { type: 'saml'; provider: string; audience?: string };

/** The host and path of an OpenID Connect provider, by which its condition keys begin. */
export const providerName = (arn: string): string => arn.split('/').slice(1).join('/');

/** Whether an ARN is that of an OpenID Connect provider; otherwise it is a SAML provider. */
export const isOidc = (arn: string): boolean => arn.includes(':oidc-provider/');

type Conditions = Record<string, Record<string, string>>;

/** The conditions by operator and key, as a policy has them. */
function conditionElement(conditions: readonly TrustCondition[]): Conditions {
  const element: Conditions = {};
  for (const { operator, key, value } of conditions) (element[operator] ??= {})[key] = value;
  return element;
}

function statement(trust: Trust): object {
  switch (trust.type) {
    case 'service':
      return { Principal: { Service: trust.principal }, Action: 'sts:AssumeRole' };
    case 'account': {
      const { accountId, externalId, mfa } = trust;
      const Condition: Conditions = {
        ...(externalId ? { StringEquals: { 'sts:ExternalId': externalId } } : {}),
        ...(mfa ? { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } : {}),
      };
      return {
        Principal: { AWS: `arn:aws:iam::${accountId}:root` },
        Action: 'sts:AssumeRole',
        ...(Object.keys(Condition).length > 0 ? { Condition } : {}),
      };
    }
    case 'web-identity': {
      const { provider, audience, conditions } = trust;
      const name = providerName(provider);
      const aud: TrustCondition = {
        operator: 'StringEquals',
        key: `${name}:aud`,
        value: audience,
      };
      const others = conditions.map((one) => ({ ...one, key: `${name}:${one.key}` }));
      return {
        Principal: { Federated: provider },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: conditionElement([aud, ...others]),
      };
    }
    case 'saml': {
      const { provider, audience } = trust;
      return {
        Principal: { Federated: provider },
        Action: 'sts:AssumeRoleWithSAML',
        ...(audience ? { Condition: { StringEquals: { 'SAML:aud': audience } } } : {}),
      };
    }
  }
}

/** The trust policy of a new role. */
export const trustDocument = (trust: Trust): string =>
  formatted(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', ...statement(trust) }],
    }),
  );

/** The trust policy that one written by hand begins with. */
export const NEW_TRUST_POLICY = formatted(
  '{"Version":"2012-10-17","Statement":[{"Sid":"Statement1","Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}]}',
);

/** The issuer of the tokens of GitHub's workflows, which its users share. */
export const GITHUB = 'token.actions.githubusercontent.com';

/** The subjects of workflows: of an organization, one repository of it, one branch of that. */
export function githubSubject(organization: string, repository: string, branch: string): string {
  const ref = branch ? `ref:refs/heads/${branch}` : '*';
  return `repo:${organization}/${repository ? `${repository}:${ref}` : '*'}`;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const asList = (value: unknown): unknown[] =>
  Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value];

const texts = (value: unknown): string[] =>
  asList(value).filter((one): one is string => typeof one === 'string');

/** An AWS principal: an account as its number, everything else as it is. */
function awsPrincipal(principal: string): string {
  const account = /^(?:arn:aws:iam::)?(\d{12})(?::root)?$/.exec(principal)?.[1];
  return account ? `Account: ${account}` : principal === '*' ? 'All principals (*)' : principal;
}

const serviceName = (principal: string): string => principal.replace(/\.amazonaws\.com$/, '');

function principalTexts(principal: unknown, serviceLinked: boolean): string[] {
  if (principal === '*') return [awsPrincipal('*')];
  if (!isRecord(principal)) return [];
  const suffix = serviceLinked ? ' (Service-Linked Role)' : '';
  return [
    ...texts(principal['Service']).map((one) => `AWS Service: ${serviceName(one)}${suffix}`),
    ...texts(principal['AWS']).map(awsPrincipal),
    ...texts(principal['Federated']).map((one) => `Identity Provider: ${one}`),
  ];
}

/** Whom a trust policy allows, each once; without statements that deny, which trust nobody. */
export function trustedEntities(document: string, serviceLinked = false): string[] {
  try {
    const policy: unknown = JSON.parse(document);
    if (!isRecord(policy)) return [];
    const allowing = asList(policy['Statement']).filter(isRecord);
    const all = allowing
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Principal }) => principalTexts(Principal, serviceLinked));
    return [...new Set(all)];
  } catch {
    return [];
  }
}

/** Whether a role belongs to an AWS service, which alone may change it. */
export const isServiceLinked = ({ Path }: { Path: string }): boolean =>
  Path.startsWith('/aws-service-role/');

/** The name of the inline policy that revokes sessions. */
export const REVOCATION_POLICY = 'AWSRevokeOlderSessions';

/** The policy with which AWS's console revokes the sessions that were issued before a time. */
export const revocationPolicy = (before: Date): string =>
  formatted(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Action: ['*'],
          Resource: ['*'],
          Condition: { DateLessThan: { 'aws:TokenIssueTime': before.toISOString() } },
        },
      ],
    }),
  );

/** The time until which the sessions are revoked; undefined if it is another policy. */
export const revokedBefore = (document: string): string | undefined =>
  /"aws:TokenIssueTime"\s*:\s*"([^"]+)"/.exec(document)?.[1];
