// The trust policies that the wizard writes, and what the list says about existing ones.
import { describe, expect, it } from 'vitest';

import {
  githubSubject,
  isOidc,
  isServiceLinked,
  providerName,
  revocationPolicy,
  revokedBefore,
  trustDocument,
  trustedEntities,
  type Trust,
} from './trust-policy';

const GITHUB = 'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com';
const CLUSTER = 'arn:aws:iam::111122223333:oidc-provider/k8s.example.com:6443/clusters/a';
const SAML = 'arn:aws:iam::111122223333:saml-provider/Corp';

const CASES: readonly (readonly [string, Trust, object])[] = [
  [
    'a service',
    { type: 'service', principal: 'ec2.amazonaws.com' },
    { Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
  ],
  [
    'an account',
    { type: 'account', accountId: '444455556666', mfa: false },
    { Principal: { AWS: 'arn:aws:iam::444455556666:root' }, Action: 'sts:AssumeRole' },
  ],
  [
    'an account with external ID and MFA',
    { type: 'account', accountId: '444455556666', externalId: 'x-1', mfa: true },
    {
      Principal: { AWS: 'arn:aws:iam::444455556666:root' },
      Action: 'sts:AssumeRole',
      Condition: {
        StringEquals: { 'sts:ExternalId': 'x-1' },
        Bool: { 'aws:MultiFactorAuthPresent': 'true' },
      },
    },
  ],
  [
    'tokens of one issuer',
    {
      type: 'web-identity',
      provider: CLUSTER,
      audience: 'sts.amazonaws.com',
      conditions: [
        { operator: 'StringEquals', key: 'sub', value: 'system:serviceaccount:n:a' },
        { operator: 'StringLike', key: 'zone', value: 'eu-*' },
      ],
    },
    {
      Principal: { Federated: CLUSTER },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          'k8s.example.com:6443/clusters/a:aud': 'sts.amazonaws.com',
          'k8s.example.com:6443/clusters/a:sub': 'system:serviceaccount:n:a',
        },
        StringLike: { 'k8s.example.com:6443/clusters/a:zone': 'eu-*' },
      },
    },
  ],
  [
    'SAML, for programs only',
    { type: 'saml', provider: SAML },
    { Principal: { Federated: SAML }, Action: 'sts:AssumeRoleWithSAML' },
  ],
  [
    'SAML with an audience',
    { type: 'saml', provider: SAML, audience: 'https://signin.aws.amazon.com/saml' },
    {
      Principal: { Federated: SAML },
      Action: 'sts:AssumeRoleWithSAML',
      Condition: { StringEquals: { 'SAML:aud': 'https://signin.aws.amazon.com/saml' } },
    },
  ],
];

it.each(CASES)('trusts %s', (_, trust, statement) => {
  expect(JSON.parse(trustDocument(trust))).toEqual({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', ...statement }],
  });
});

it.each([
  [['octo', '', ''], 'repo:octo/*'],
  [['octo', 'app', ''], 'repo:octo/app:*'],
  [['octo', 'app', 'main'], 'repo:octo/app:ref:refs/heads/main'],
  [['octo', '', 'main'], 'repo:octo/*'],
] as const)('the subject of %j is %s', ([organization, repository, branch], subject) => {
  expect(githubSubject(organization, repository, branch)).toBe(subject);
});

const allow = (Principal: unknown, more: object = {}): object => ({
  Effect: 'Allow',
  Principal,
  Action: 'sts:AssumeRole',
  ...more,
});
const policy = (...Statement: object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement });

describe('the trusted entities', () => {
  it.each([
    [policy(allow({ Service: 'ec2.amazonaws.com' })), ['AWS Service: ec2']],
    [
      policy(allow({ Service: ['lambda.amazonaws.com', 'ec2.amazonaws.com'] })),
      ['AWS Service: lambda', 'AWS Service: ec2'],
    ],
    [policy(allow({ AWS: 'arn:aws:iam::444455556666:root' })), ['Account: 444455556666']],
    [policy(allow({ AWS: '444455556666' })), ['Account: 444455556666']],
    [
      policy(allow({ AWS: 'arn:aws:iam::444455556666:user/ann' })),
      ['arn:aws:iam::444455556666:user/ann'],
    ],
    [policy(allow({ Federated: GITHUB })), [`Identity Provider: ${GITHUB}`]],
    [policy(allow('*'), allow({ AWS: '*' })), ['All principals (*)']],
    [policy({ ...allow({ AWS: '*' }), Effect: 'Deny' }), []],
    [JSON.stringify({ Statement: allow({ Service: 'ec2.amazonaws.com' }) }), ['AWS Service: ec2']],
    ['{', []],
    ['[]', []],
    ['{"Statement":[1,{"Effect":"Allow"}]}', []],
  ])('of %s', (document, expected) => {
    expect(trustedEntities(document)).toEqual(expected);
  });
  it('say that a role is service-linked', () => {
    const document = policy(allow({ Service: 'batch.amazonaws.com' }));
    expect(trustedEntities(document, true)).toEqual(['AWS Service: batch (Service-Linked Role)']);
  });
});

it('names providers as their condition keys do', () => {
  expect(providerName(CLUSTER)).toBe('k8s.example.com:6443/clusters/a');
  expect(providerName(SAML)).toBe('Corp');
  expect([GITHUB, SAML].map(isOidc)).toEqual([true, false]);
});

it('recognizes roles of services by their path', () => {
  expect(isServiceLinked({ Path: '/aws-service-role/batch.amazonaws.com/' })).toBe(true);
  expect(isServiceLinked({ Path: '/service-role/' })).toBe(false);
});

it('denies what was issued before, and nothing else', () => {
  const document = revocationPolicy(new Date('2026-12-01T10:11:13Z'));
  expect(JSON.parse(document)).toEqual({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Action: ['*'],
        Resource: ['*'],
        Condition: { DateLessThan: { 'aws:TokenIssueTime': '2026-12-01T10:11:13.000Z' } },
      },
    ],
  });
  expect(revokedBefore(document)).toBe('2026-12-01T10:11:13.000Z');
  expect(revokedBefore('{}')).toBeUndefined();
});
