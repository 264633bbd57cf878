// The wizard's step "Select trusted entity": the type, and the fields of each type.
import Alert from '@cloudscape-design/components/alert';
import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select, { type SelectProps } from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { getOidcProvider } from '../../api/providers';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { Link } from '../../frame/parts';
import { isGithub, type TrustInput, type TrustProblems, type TrustType } from '../../lib/role-form';
import { isOidc, providerName, type TrustCondition } from '../../lib/trust-policy';
import { COMMON_SERVICES, OTHER_SERVICES, type TrustedService } from '../../lib/trusted-services';
import { PolicyDocumentEditor, TRUST_POLICY_QUOTA } from './policy-text';
import { useProviders } from './queries';

export interface TrustStepProps {
  input: TrustInput;
  set: (part: Partial<TrustInput>) => void;
  /** What is wrong, once the step was to be left. */
  problems: TrustProblems;
  /** Why the service would reject the policy written by hand. */
  problem: string | undefined;
}

const TYPES: { value: TrustType; label: string; description: string }[] = [
  {
    value: 'service',
    label: 'AWS service',
    description:
      'Allow AWS services like EC2, Lambda, or others to perform actions in this account.',
  },
  {
    value: 'account',
    label: 'AWS account',
    description: 'Allow entities in this or another account to perform actions in this account.',
  },
  {
    value: 'web-identity',
    label: 'Web identity',
    description:
      'Allow programs with a token of an OpenID Connect provider, such as workflows and pods, to assume this role.',
  },
  {
    value: 'saml',
    label: 'SAML 2.0 federation',
    description: 'Allow users of a corporate directory to assume this role.',
  },
  {
    value: 'custom',
    label: 'Custom trust policy',
    description: 'Write the trust policy in JSON.',
  },
];

export function TrustStep(props: TrustStepProps) {
  const { input, set } = props;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Trusted entity type</Header>}>
        <Tiles
          value={input.type}
          ariaLabel="Trusted entity type"
          // A provider belongs to one type.
          onChange={({ detail }) =>
            set({ type: detail.value as TrustType, provider: '', audience: '' })
          }
          items={TYPES}
        />
      </Container>
      <TrustFields {...props} />
    </SpaceBetween>
  );
}

function TrustFields(props: TrustStepProps) {
  switch (props.input.type) {
    case 'service':
      return <ServiceFields {...props} />;
    case 'account':
      return <AccountFields {...props} />;
    case 'web-identity':
      return <WebIdentityFields {...props} />;
    case 'saml':
      return <SamlFields {...props} />;
    case 'custom':
      return (
        <PolicyDocumentEditor
          text={props.input.text}
          set={(text) => props.set({ text })}
          kind="trust"
          quota={TRUST_POLICY_QUOTA}
          title="Custom trust policy"
          description="Say who can assume this role, and under which conditions."
          problem={props.problem}
        />
      );
  }
}

const serviceOption = ({ label, principal }: TrustedService): SelectProps.Option => ({
  label,
  value: principal,
  description: principal,
});

const OTHER_SERVICE: SelectProps.Option = { value: 'other', label: 'Another service' };

function ServiceFields({ input, set, problems }: TrustStepProps) {
  const known = [...COMMON_SERVICES, ...OTHER_SERVICES];
  const selected = known.find(({ principal }) => principal === input.service);
  const [isOther, setIsOther] = useState(input.service !== '' && !selected);
  return (
    <Container
      header={
        <Header variant="h2" description="The service assumes the role to act on your behalf.">
          Use case
        </Header>
      }
    >
      <SpaceBetween size="m">
        <FormField label="Service or use case" errorText={isOther ? '' : problems.service}>
          <Select
            filteringType="auto"
            filteringAriaLabel="Find services"
            filteringPlaceholder="Find services"
            placeholder="Choose a service"
            selectedOption={isOther ? OTHER_SERVICE : selected ? serviceOption(selected) : null}
            options={[
              { label: 'Commonly used', options: COMMON_SERVICES.map(serviceOption) },
              { label: 'Other services', options: OTHER_SERVICES.map(serviceOption) },
              OTHER_SERVICE,
            ]}
            onChange={({ detail: { selectedOption } }) => {
              const other = selectedOption.value === OTHER_SERVICE.value;
              setIsOther(other);
              set({ service: other ? '' : (selectedOption.value ?? '') });
            }}
          />
        </FormField>
        {isOther && (
          <FormField
            label="Service principal"
            description="For example, translate.amazonaws.com."
            errorText={problems.service && 'Enter a name that ends with .amazonaws.com.'}
          >
            <Input
              value={input.service}
              spellcheck={false}
              autoComplete={false}
              onChange={({ detail }) => set({ service: detail.value.trim() })}
            />
          </FormField>
        )}
      </SpaceBetween>
    </Container>
  );
}

function AccountFields({ input, set, problems }: TrustStepProps) {
  const { session } = useFrame();
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="Users and roles of the account also need permission to assume the role."
        >
          An AWS account
        </Header>
      }
    >
      <SpaceBetween size="m">
        <RadioGroup
          ariaLabel="Account"
          value={input.isThisAccount ? 'this' : 'other'}
          onChange={({ detail }) => set({ isThisAccount: detail.value === 'this' })}
          items={[
            { value: 'this', label: `This account (${session.accountId})` },
            { value: 'other', label: 'Another AWS account' },
          ]}
        />
        {!input.isThisAccount && (
          <FormField
            label="Account ID"
            description="Identifier of the account that can use this role."
            constraintText={problems.accountId ? '' : 'An account ID has 12 digits.'}
            errorText={problems.accountId}
          >
            <Input
              value={input.accountId}
              inputMode="numeric"
              autoComplete={false}
              onChange={({ detail }) => set({ accountId: detail.value.trim() })}
            />
          </FormField>
        )}
        <Checkbox
          checked={input.needsExternalId}
          description="Best practice when a third party will assume this role."
          onChange={({ detail }) => set({ needsExternalId: detail.checked })}
        >
          Require external ID
        </Checkbox>
        {input.needsExternalId && (
          <SpaceBetween size="s">
            <FormField label="External ID" errorText={problems.externalId}>
              <Input
                value={input.externalId}
                spellcheck={false}
                autoComplete={false}
                onChange={({ detail }) => set({ externalId: detail.value })}
              />
            </FormField>
            <Alert type="info">
              The console can&apos;t switch to a role that requires an external ID.
            </Alert>
          </SpaceBetween>
        )}
        <Checkbox
          checked={input.needsMfa}
          description="The session that assumes the role must have begun with an MFA code."
          onChange={({ detail }) => set({ needsMfa: detail.checked })}
        >
          Require MFA
        </Checkbox>
      </SpaceBetween>
    </Container>
  );
}

/** Selects one of the account's providers of the type. */
function ProviderField({ input, set, problems }: TrustStepProps) {
  const providers = useProviders();
  if (providers.error)
    return <ErrorAlert error={providers.error} retry={() => void providers.refetch()} />;
  const options = (providers.data ?? [])
    .filter(({ arn }) => isOidc(arn) === (input.type === 'web-identity'))
    .map(({ arn, name }): SelectProps.Option => ({ value: arn, label: name }));
  return (
    <FormField
      label={input.type === 'saml' ? 'SAML 2.0–based provider' : 'Identity provider'}
      errorText={problems.provider}
      info={<Link to="/iam/providers/create">Add provider</Link>}
    >
      <Select
        filteringType={options.length > 10 ? 'auto' : 'none'}
        filteringAriaLabel="Find providers"
        placeholder="Choose provider"
        statusType={providers.isPending ? 'loading' : 'finished'}
        loadingText="Loading"
        empty="No identity providers"
        selectedOption={
          input.provider ? { value: input.provider, label: providerName(input.provider) } : null
        }
        options={options}
        onChange={({ detail }) =>
          set({ provider: detail.selectedOption.value ?? '', audience: '' })
        }
      />
    </FormField>
  );
}

function WebIdentityFields(props: TrustStepProps) {
  const { input, set, problems } = props;
  const { provider } = input;
  const read = useQuery({
    queryKey: ['providers', provider],
    queryFn: () => getOidcProvider(provider),
    enabled: provider !== '',
  });
  const hasGithub = isGithub(input);
  return (
    <Container
      header={
        <Header variant="h2" description="Programs with a token of the provider assume the role.">
          Web identity
        </Header>
      }
    >
      <SpaceBetween size="m">
        <ProviderField {...props} />
        {provider && (
          <FormField
            label="Audience"
            description="The tokens must be issued for this audience."
            errorText={problems.audience}
          >
            <Select
              placeholder="Choose audience"
              statusType={read.isPending ? 'loading' : 'finished'}
              loadingText="Loading"
              empty="The provider has no audiences"
              selectedOption={
                input.audience ? { value: input.audience, label: input.audience } : null
              }
              options={(read.data?.ClientIDList ?? []).map((value) => ({ value, label: value }))}
              onChange={({ detail }) => set({ audience: detail.selectedOption.value ?? '' })}
            />
          </FormField>
        )}
        {read.error && <ErrorAlert error={read.error} />}
        {hasGithub && <GithubFields {...props} />}
        {provider && <ConditionFields {...props} />}
        {provider && !hasGithub && input.conditions.every(({ key }) => key !== 'sub') && (
          <Alert type="warning">
            Without a condition on the claim <b>sub</b>, everyone with a token of this provider for
            this audience can assume the role.
          </Alert>
        )}
      </SpaceBetween>
    </Container>
  );
}

function GithubFields({ input, set, problems }: TrustStepProps) {
  const { github } = input;
  const field = (
    part: keyof typeof github,
    label: string,
    description: string,
    errorText?: string,
  ) => (
    <FormField label={label} description={description} errorText={errorText}>
      <Input
        value={github[part]}
        spellcheck={false}
        autoComplete={false}
        onChange={({ detail }) => set({ github: { ...github, [part]: detail.value.trim() } })}
      />
    </FormField>
  );
  return (
    <SpaceBetween size="m">
      {field(
        'organization',
        'GitHub organization',
        'The organization or user that owns the repositories.',
        problems.organization,
      )}
      {field('repository', 'GitHub repository – optional', 'Default: all repositories.')}
      {github.repository !== '' &&
        field(
          'branch',
          'GitHub branch – optional',
          'Default: all branches, tags and environments.',
        )}
    </SpaceBetween>
  );
}

const OPERATORS: SelectProps.Option[] = [
  { value: 'StringEquals', label: 'StringEquals' },
  { value: 'StringLike', label: 'StringLike' },
];

function ConditionFields({ input, set, problems }: TrustStepProps) {
  const { conditions } = input;
  const isSubjectTested = isGithub(input) || conditions.some(({ key }) => key === 'sub');
  const change = (index: number, part: Partial<TrustCondition>): void =>
    set({
      conditions: conditions.map((one, other) => (other === index ? { ...one, ...part } : one)),
    });
  return (
    <FormField
      stretch
      label="Conditions – optional"
      description="Claims that the token must have. StringLike allows * and ? in the value."
      errorText={problems.conditions}
    >
      <AttributeEditor<TrustCondition>
        items={conditions}
        addButtonText="Add condition"
        removeButtonText="Remove"
        empty="No conditions"
        gridLayout={[{ breakpoint: 'xxs', rows: [[2, 2, 3]] }, { rows: [[1], [1], [1]] }]}
        onAddButtonClick={() =>
          set({
            conditions: [
              ...conditions,
              { operator: 'StringEquals', key: isSubjectTested ? '' : 'sub', value: '' },
            ],
          })
        }
        onRemoveButtonClick={({ detail }) =>
          set({ conditions: conditions.filter((_, index) => index !== detail.itemIndex) })
        }
        definition={[
          {
            label: 'Claim',
            control: ({ key }, index) => (
              <Input
                value={key}
                spellcheck={false}
                ariaLabel={`Claim ${String(index + 1)}`}
                onChange={({ detail }) => change(index, { key: detail.value.trim() })}
              />
            ),
          },
          {
            label: 'Condition',
            control: ({ operator }, index) => (
              <Select
                ariaLabel={`Condition ${String(index + 1)}`}
                selectedOption={{ value: operator, label: operator }}
                options={OPERATORS}
                onChange={({ detail }) =>
                  change(index, {
                    operator: detail.selectedOption.value as TrustCondition['operator'],
                  })
                }
              />
            ),
          },
          {
            label: 'Value',
            control: ({ value }, index) => (
              <Input
                value={value}
                spellcheck={false}
                ariaLabel={`Value ${String(index + 1)}`}
                onChange={({ detail }) => change(index, { value: detail.value })}
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}

function SamlFields(props: TrustStepProps) {
  const { input, set, problems } = props;
  return (
    <Container header={<Header variant="h2">SAML 2.0 federation</Header>}>
      <SpaceBetween size="m">
        <ProviderField {...props} />
        <RadioGroup
          ariaLabel="Access to be allowed"
          value={input.isProgrammatic ? 'programmatic' : 'console'}
          onChange={({ detail }) => set({ isProgrammatic: detail.value === 'programmatic' })}
          items={[
            { value: 'programmatic', label: 'Allow programmatic access only' },
            {
              value: 'console',
              label: 'Require an audience',
              description: 'As on AWS, the assertion must be for the value of SAML:aud.',
            },
          ]}
        />
        {!input.isProgrammatic && (
          <FormField label="SAML:aud" errorText={problems.samlAudience}>
            <Input
              value={input.samlAudience}
              spellcheck={false}
              onChange={({ detail }) => set({ samlAudience: detail.value.trim() })}
            />
          </FormField>
        )}
      </SpaceBetween>
    </Container>
  );
}
