// The wizard that creates a role: whom it trusts, its permissions, its name; and the review.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import Textarea from '@cloudscape-design/components/textarea';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { CreateRole } from '../../api/generated/iam';
import type * as iam from '../../api/iam';
import { createInstanceProfile } from '../../api/roles';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { WIZARD } from '../../frame/parts';
import {
  ROLE_NAME_RULE,
  roleDescriptionProblem,
  roleNameProblem,
  SAML_AUDIENCE,
  trustProblems,
  trustText,
  type TrustInput,
} from '../../lib/role-form';
import { isOidc, NEW_TRUST_POLICY } from '../../lib/trust-policy';
import { EC2 } from '../../lib/trusted-services';
import { attachPolicy } from './attached';
import { TrustStep } from './create-role-trust';
import { BoundaryChoice, PolicyPicker, policyType, roleHref, type Boundary } from './permissions';
import { TRUST_POLICY_QUOTA, documentProblem } from './policy-text';
import { invalidate } from './queries';
import { TagEditor, tagsToWrite } from './tags';

/** What the wizard begins with; a provider's page names the provider. */
const initialTrust = (provider: string): TrustInput => ({
  type: provider === '' ? 'service' : isOidc(provider) ? 'web-identity' : 'saml',
  service: '',
  isThisAccount: true,
  accountId: '',
  needsExternalId: false,
  externalId: '',
  needsMfa: false,
  provider,
  audience: '',
  github: { organization: '', repository: '', branch: '' },
  conditions: [],
  isProgrammatic: true,
  samlAudience: SAML_AUDIENCE,
  text: NEW_TRUST_POLICY,
});

interface RoleDetails {
  name: string;
  description: string;
  tags: iam.Tag[];
}

export function CreateRolePage() {
  const provider = useSearchParams()[0].get('provider') ?? '';
  // Another provider begins another role.
  return <CreateRoleWizard key={provider} provider={provider} />;
}

function CreateRoleWizard({ provider }: { provider: string }) {
  const navigate = useNavigate();
  const { session, notify, notifySuccess } = useFrame();
  const [step, setStep] = useState(0);
  const [trust, setTrust] = useState(() => initialTrust(provider));
  const [policies, setPolicies] = useState<iam.Policy[]>([]);
  const [boundary, setBoundary] = useState<Boundary>({ hasBoundary: false, boundary: [] });
  const [details, setDetails] = useState<RoleDetails>({ name: '', description: '', tags: [] });
  const [touched, setTouched] = useState({ trust: false, details: false });
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [error, setError] = useState<unknown>();
  const text = trustText(trust, session.accountId);
  const limit = boundary.hasBoundary ? boundary.boundary[0] : undefined;

  const go = async (to: number): Promise<void> => {
    setError(undefined);
    if (step === 0 && to > 0) {
      setTouched({ ...touched, trust: true });
      if (Object.keys(trustProblems(trust)).length > 0) return;
      setBusy(true);
      const found = await documentProblem(text, 'trust', TRUST_POLICY_QUOTA);
      setBusy(false);
      setProblem(found);
      if (found) {
        if (trust.type !== 'custom') setError(new Error(found));
        return;
      }
    }
    setStep(to);
  };

  const create = async (): Promise<void> => {
    setTouched({ ...touched, details: true });
    const { name, description, tags } = details;
    if (roleNameProblem(name) || roleDescriptionProblem(description)) return;
    setBusy(true);
    setError(undefined);
    let isCreated = false;
    try {
      await call(CreateRole, {
        RoleName: name,
        AssumeRolePolicyDocument: text,
        Description: description || undefined,
        PermissionsBoundary: limit?.Arn,
        Tags: tagsToWrite(tags),
      });
      isCreated = true;
      for (const { Arn } of policies) await attachPolicy({ RoleName: name }, Arn);
      if (trust.type === 'service' && trust.service === EC2) await createInstanceProfile(name);
      notifySuccess(`Role ${name} created`);
      void navigate(roleHref(name));
    } catch (failure) {
      setError(failure);
      // A role that is incomplete is reported, not left behind unnoticed.
      if (isCreated)
        notify({
          type: 'warning',
          content: `Role ${name} was created, but some settings failed. Review the role, or delete it and try again.`,
          action: <Button onClick={() => void navigate(roleHref(name))}>View role</Button>,
        });
    } finally {
      if (isCreated) invalidate(['roles'], ['role'], ['policies'], ['summary']);
      setBusy(false);
    }
  };

  const failed = error !== undefined && <ErrorAlert error={error} />;
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Create role"
      i18nStrings={WIZARD}
      onCancel={() => void navigate('/iam/roles')}
      onNavigate={({ detail }) => void go(detail.requestedStepIndex)}
      onSubmit={() => void create()}
      steps={[
        {
          title: 'Select trusted entity',
          content: (
            <SpaceBetween size="l">
              <TrustStep
                input={trust}
                set={(part) => {
                  setTrust({ ...trust, ...part });
                  setProblem(undefined);
                }}
                problems={touched.trust ? trustProblems(trust) : {}}
                problem={problem}
              />
              {failed}
            </SpaceBetween>
          ),
        },
        {
          title: 'Add permissions',
          isOptional: true,
          content: (
            <SpaceBetween size="l">
              <PolicyPicker selected={policies} onSelect={setPolicies} />
              <BoundaryChoice choice={boundary} set={setBoundary} />
            </SpaceBetween>
          ),
        },
        {
          title: 'Name, review, and create',
          content: (
            <SpaceBetween size="l">
              <DetailsFields details={details} set={setDetails} touched={touched.details} />
              <Container
                header={
                  <Header variant="h2" actions={<Button onClick={() => void go(0)}>Edit</Button>}>
                    Step 1: Select trusted entities
                  </Header>
                }
              >
                <Editor text={text} label="Trust policy" />
              </Container>
              <PermissionsSummary policies={policies} boundary={limit} edit={() => void go(1)} />
              <Container header={<Header variant="h2">Step 3: Add tags – optional</Header>}>
                <TagEditor tags={details.tags} set={(tags) => setDetails({ ...details, tags })} />
              </Container>
              {failed}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}

interface DetailsFieldsProps {
  details: RoleDetails;
  set: (details: RoleDetails) => void;
  touched: boolean;
}

function DetailsFields({ details, set, touched }: DetailsFieldsProps) {
  const { name, description } = details;
  const nameProblem = touched ? roleNameProblem(name) : '';
  return (
    <Container header={<Header variant="h2">Role details</Header>}>
      <SpaceBetween size="m">
        <FormField
          label="Role name"
          description="Enter a meaningful name to identify this role."
          constraintText={nameProblem === ROLE_NAME_RULE ? '' : ROLE_NAME_RULE}
          errorText={nameProblem}
        >
          <Input
            value={name}
            spellcheck={false}
            autoComplete={false}
            onChange={({ detail }) => set({ ...details, name: detail.value })}
          />
        </FormField>
        <FormField
          label="Description – optional"
          constraintText="Maximum 1,000 characters."
          errorText={roleDescriptionProblem(description)}
        >
          <Textarea
            value={description}
            rows={2}
            onChange={({ detail }) => set({ ...details, description: detail.value })}
          />
        </FormField>
      </SpaceBetween>
    </Container>
  );
}

interface PermissionsSummaryProps {
  policies: readonly iam.Policy[];
  boundary: iam.Policy | undefined;
  edit: () => void;
}

function PermissionsSummary({ policies, boundary, edit }: PermissionsSummaryProps) {
  const rows = [
    ...policies.map((policy) => ({ policy, usedAs: 'Permissions policy' })),
    ...(boundary ? [{ policy: boundary, usedAs: 'Permissions boundary' }] : []),
  ];
  return (
    <Table
      header={
        <Header counter={`(${String(rows.length)})`} actions={<Button onClick={edit}>Edit</Button>}>
          Step 2: Permissions policy summary
        </Header>
      }
      items={rows}
      trackBy={({ policy, usedAs }) => `${usedAs} ${policy.Arn}`}
      empty={<Box textAlign="center">No permissions</Box>}
      columnDefinitions={[
        {
          id: 'name',
          header: 'Policy name',
          cell: ({ policy }) => policy.PolicyName,
          isRowHeader: true,
        },
        { id: 'type', header: 'Type', cell: ({ policy }) => policyType(policy.Arn) },
        { id: 'used', header: 'Attached as', cell: ({ usedAs }) => usedAs },
      ]}
    />
  );
}
