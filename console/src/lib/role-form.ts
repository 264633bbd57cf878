// What a person enters in the wizard that creates a role: the trust it describes, and what is
// missing or wrong.
import {
  GITHUB,
  githubSubject,
  isOidc,
  providerName,
  trustDocument,
  type TrustCondition,
} from './trust-policy';

export type TrustType = 'service' | 'account' | 'web-identity' | 'saml' | 'custom';

export interface TrustInput {
  type: TrustType;
  /** The principal of the AWS service. */
  service: string;
  isThisAccount: boolean;
  accountId: string;
  needsExternalId: boolean;
  externalId: string;
  needsMfa: boolean;
  /** The ARN of the provider. */
  provider: string;
  audience: string;
  github: { organization: string; repository: string; branch: string };
  conditions: TrustCondition[];
  /** Whether people of a SAML provider may use the role for programs only. */
  isProgrammatic: boolean;
  samlAudience: string;
  /** The policy written by hand. */
  text: string;
}

export const SAML_AUDIENCE = 'https://signin.aws.amazon.com/saml';

export const isGithub = ({ type, provider }: TrustInput): boolean =>
  type === 'web-identity' && provider !== '' && providerName(provider) === GITHUB;

/** The problems of the fields by name; without any, the trust is complete. */
export type TrustProblems = Partial<
  Record<
    | 'service'
    | 'accountId'
    | 'externalId'
    | 'provider'
    | 'audience'
    | 'organization'
    | 'conditions'
    | 'samlAudience',
    string
  >
>;

const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;
const SERVICE = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com$/;
const CONDITIONS_MAX = 10;

const providerProblem = (input: TrustInput): TrustProblems =>
  input.provider !== '' && isOidc(input.provider) === (input.type === 'web-identity')
    ? {}
    : { provider: 'Choose an identity provider.' };

export function trustProblems(input: TrustInput): TrustProblems {
  switch (input.type) {
    case 'service':
      return SERVICE.test(input.service) ? {} : { service: 'Choose a service.' };
    case 'account': {
      const { isThisAccount, accountId, needsExternalId, externalId } = input;
      return {
        ...(isThisAccount || /^\d{12}$/.test(accountId)
          ? {}
          : { accountId: 'An account ID has 12 digits.' }),
        ...(!needsExternalId || EXTERNAL_ID.test(externalId)
          ? {}
          : {
              externalId:
                'Enter 2 to 1,224 characters: A-Z, a-z, 0-9, and + = , . @ : / _ - (hyphen)',
            }),
      };
    }
    case 'web-identity': {
      const { audience, github, conditions } = input;
      const isIncomplete = conditions.some(({ key, value }) => key === '' || value === '');
      // The fields for GitHub are a condition on the subject.
      const keys = [...(isGithub(input) ? ['sub'] : []), ...conditions.map(({ key }) => key)];
      const isTwice = new Set(keys).size < keys.length;
      return {
        ...providerProblem(input),
        ...(audience ? {} : { audience: 'Choose an audience.' }),
        ...(isGithub(input) && !/^[\w.-]+$/.test(github.organization)
          ? { organization: 'Enter the organization or user on GitHub.' }
          : {}),
        ...(isIncomplete
          ? { conditions: 'Enter a claim and a value for each condition, or remove it.' }
          : isTwice
            ? { conditions: 'Each claim can have one condition.' }
            : conditions.length > CONDITIONS_MAX
              ? { conditions: `Add up to ${String(CONDITIONS_MAX)} conditions.` }
              : {}),
      };
    }
    case 'saml':
      return {
        ...providerProblem(input),
        ...(input.isProgrammatic || input.samlAudience
          ? {}
          : { samlAudience: 'Enter the value of SAML:aud.' }),
      };
    case 'custom':
      return {};
  }
}

/** The trust policy of what was entered, which is complete. */
export function trustText(input: TrustInput, ownAccount: string): string {
  switch (input.type) {
    case 'service':
      return trustDocument({ type: 'service', principal: input.service });
    case 'account':
      return trustDocument({
        type: 'account',
        accountId: input.isThisAccount ? ownAccount : input.accountId,
        ...(input.needsExternalId ? { externalId: input.externalId } : {}),
        mfa: input.needsMfa,
      });
    case 'web-identity': {
      const { provider, audience, github, conditions } = input;
      const { organization, repository, branch } = github;
      const subject: TrustCondition = {
        operator: 'StringLike',
        key: 'sub',
        value: githubSubject(organization, repository, branch),
      };
      return trustDocument({
        type: 'web-identity',
        provider,
        audience,
        conditions: isGithub(input) ? [subject, ...conditions] : conditions,
      });
    }
    case 'saml':
      return trustDocument({
        type: 'saml',
        provider: input.provider,
        ...(input.isProgrammatic ? {} : { audience: input.samlAudience }),
      });
    case 'custom':
      return input.text;
  }
}

const NAME = /^[\w+=,.@-]{1,64}$/;
export const ROLE_NAME_RULE =
  'Maximum 64 characters. Valid characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)';

/** What is wrong with the name of a role; empty if nothing is. */
export const roleNameProblem = (name: string): string =>
  name === '' ? 'Enter a role name.' : NAME.test(name) ? '' : ROLE_NAME_RULE;

/** What is wrong with a description; empty if nothing is. */
export function roleDescriptionProblem(description: string): string {
  if (description.length > 1000) return 'Maximum 1,000 characters.';
  // IAM's rule: line breaks, tabs, and what Latin-1 can print.
  return /^[\t\n\r\u0020-\u007e\u00a1-\u00ff]*$/u.test(description)
    ? ''
    : 'The description contains a character that is not allowed.';
}
