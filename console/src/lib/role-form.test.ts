// The trust that the wizard's fields describe, and what it says about incomplete ones.
import { describe, expect, it } from 'vitest';

import {
  roleDescriptionProblem,
  roleNameProblem,
  ROLE_NAME_RULE,
  SAML_AUDIENCE,
  trustProblems,
  trustText,
  type TrustInput,
} from './role-form';
import { NEW_TRUST_POLICY } from './trust-policy';

const EMPTY: TrustInput = {
  type: 'service',
  service: '',
  isThisAccount: true,
  accountId: '',
  needsExternalId: false,
  externalId: '',
  needsMfa: false,
  provider: '',
  audience: '',
  github: { organization: '', repository: '', branch: '' },
  conditions: [],
  isProgrammatic: false,
  samlAudience: SAML_AUDIENCE,
  text: NEW_TRUST_POLICY,
};
const OWN = '111122223333';
const GITHUB = `arn:aws:iam::${OWN}:oidc-provider/token.actions.githubusercontent.com`;
const GITLAB = `arn:aws:iam::${OWN}:oidc-provider/gitlab.example.com`;
const SAML = `arn:aws:iam::${OWN}:saml-provider/Corp`;
const sub = { operator: 'StringEquals', key: 'sub', value: 'a' } as const;

describe('problems', () => {
  it.each<[string, Partial<TrustInput>, string[]]>([
    ['no service', {}, ['service']],
    ['a service', { service: 'ecs-tasks.amazonaws.com' }, []],
    ['a service that is none', { service: 'example.com' }, ['service']],
    ['this account', { type: 'account' }, []],
    ['no account', { type: 'account', isThisAccount: false }, ['accountId']],
    [
      'eleven digits',
      { type: 'account', isThisAccount: false, accountId: '11111111111' },
      ['accountId'],
    ],
    ['twelve digits', { type: 'account', isThisAccount: false, accountId: '444455556666' }, []],
    ['no external ID', { type: 'account', needsExternalId: true }, ['externalId']],
    ['an external ID', { type: 'account', needsExternalId: true, externalId: 'ab' }, []],
    ['no provider', { type: 'web-identity' }, ['provider', 'audience']],
    ['a provider of the other type', { type: 'saml', provider: GITLAB }, ['provider']],
    [
      'GitHub and nobody',
      { type: 'web-identity', provider: GITHUB, audience: 'a' },
      ['organization'],
    ],
    ['an issuer', { type: 'web-identity', provider: GITLAB, audience: 'a' }, []],
    [
      'half a condition',
      {
        type: 'web-identity',
        provider: GITLAB,
        audience: 'a',
        conditions: [{ ...sub, value: '' }],
      },
      ['conditions'],
    ],
    [
      'a condition twice',
      { type: 'web-identity', provider: GITLAB, audience: 'a', conditions: [sub, sub] },
      ['conditions'],
    ],
    [
      'a subject beside those of GitHub',
      {
        type: 'web-identity',
        provider: GITHUB,
        audience: 'a',
        github: { organization: 'octo', repository: '', branch: '' },
        conditions: [sub],
      },
      ['conditions'],
    ],
    ['SAML', { type: 'saml', provider: SAML }, []],
    ['SAML and no audience', { type: 'saml', provider: SAML, samlAudience: '' }, ['samlAudience']],
    [
      'SAML for programs',
      { type: 'saml', provider: SAML, samlAudience: '', isProgrammatic: true },
      [],
    ],
    ['a policy written by hand', { type: 'custom' }, []],
  ])('of %s', (_, part, fields) => {
    expect(Object.keys(trustProblems({ ...EMPTY, ...part }))).toEqual(fields);
  });
});

describe('the trust policy', () => {
  const statement = (part: Partial<TrustInput>): unknown => {
    const { Statement } = JSON.parse(trustText({ ...EMPTY, ...part }, OWN)) as {
      Statement: unknown[];
    };
    return Statement[0];
  };
  it('trusts this account', () => {
    expect(statement({ type: 'account', accountId: '444455556666' })).toMatchObject({
      Principal: { AWS: `arn:aws:iam::${OWN}:root` },
    });
  });
  it('has no external ID that was entered and then not required', () => {
    expect(statement({ type: 'account', externalId: 'left' })).not.toHaveProperty('Condition');
  });
  it('tests the subject of workflows on GitHub', () => {
    const github = { organization: 'octo', repository: 'app', branch: 'main' };
    expect(
      statement({ type: 'web-identity', provider: GITHUB, audience: 'sts.amazonaws.com', github }),
    ).toMatchObject({
      Condition: {
        StringLike: {
          'token.actions.githubusercontent.com:sub': 'repo:octo/app:ref:refs/heads/main',
        },
      },
    });
  });
  it('does not test the subject of another issuer as if it were GitHub', () => {
    const github = { organization: 'octo', repository: '', branch: '' };
    expect(
      statement({
        type: 'web-identity',
        provider: GITLAB,
        audience: 'a',
        github,
        conditions: [sub],
      }),
    ).toMatchObject({
      Condition: { StringEquals: { 'gitlab.example.com:aud': 'a', 'gitlab.example.com:sub': 'a' } },
    });
  });
  it('has an audience for the console only', () => {
    expect(statement({ type: 'saml', provider: SAML })).toMatchObject({
      Condition: { StringEquals: { 'SAML:aud': SAML_AUDIENCE } },
    });
    expect(statement({ type: 'saml', provider: SAML, isProgrammatic: true })).not.toHaveProperty(
      'Condition',
    );
  });
  it('is the text that was written', () => {
    expect(trustText({ ...EMPTY, type: 'custom', text: '{}' }, OWN)).toBe('{}');
  });
});

it.each([
  ['', 'Enter a role name.'],
  ['a b', ROLE_NAME_RULE],
  ['a'.repeat(64), ''],
  ['a'.repeat(65), ROLE_NAME_RULE],
  ['ci+deploy@prod', ''],
])('the name %j: %j', (name, problem) => {
  expect(roleNameProblem(name)).toBe(problem);
});

it.each([
  ['', ''],
  ['Reads photos.\nFor é.', ''],
  ['a'.repeat(1001), 'Maximum 1,000 characters.'],
  ['dash – dash', 'The description contains a character that is not allowed.'],
])('the description %j: %j', (description, problem) => {
  expect(roleDescriptionProblem(description)).toBe(problem);
});
