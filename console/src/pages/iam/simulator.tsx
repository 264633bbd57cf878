// The policy simulator: tests the policies of a principal, or a document, without a request.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Multiselect from '@cloudscape-design/components/multiselect';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select, { type SelectProps } from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Textarea from '@cloudscape-design/components/textarea';
import { useState } from 'react';

import { simulate, type PolicySource, type SimulationResult } from '../../api/policy';
import { PolicyEditor } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { NEW_POLICY } from '../../lib/policy-text';
import { useDebounced } from '../../lib/debounce';
import { useGroups, useRoles, useUsers } from './queries';
import { ContextKeys, contextEntries, type ContextValues } from './simulator-context';
import { Results } from './simulator-results';

/** The longest document that SimulateCustomPolicy accepts. */
const DOCUMENT_QUOTA = { limit: 131_072 };

const splitWords = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

interface Simulation {
  source: PolicySource;
  results: SimulationResult[];
}

export function SimulatorPage() {
  const {
    capabilities: { actions: knownActions },
  } = useFrame();
  const [isNewPolicy, setIsNewPolicy] = useState(false);
  const [principal, setPrincipal] = useState<SelectProps.Option | null>(null);
  const [text, setText] = useState(NEW_POLICY);
  const [actions, setActions] = useState<readonly string[]>([]);
  const [otherActions, setOtherActions] = useState('');
  const [resources, setResources] = useState('');
  const [values, setValues] = useState<ContextValues>({});
  const [simulation, setSimulation] = useState<Simulation>();
  const [isSubmitted, setIsSubmitted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const source: PolicySource | undefined = isNewPolicy
    ? { documents: [text] }
    : principal?.value
      ? { arn: principal.value }
      : undefined;
  const debounced = useDebounced(text);
  const read: PolicySource | undefined = isNewPolicy ? { documents: [debounced] } : source;
  const requested = [...actions, ...splitWords(otherActions)];
  const run = async (): Promise<void> => {
    setIsSubmitted(true);
    if (!source || requested.length === 0) return;
    setBusy(true);
    setError(undefined);
    try {
      const results = await simulate(
        source,
        requested,
        splitWords(resources),
        contextEntries(values),
      );
      setSimulation({ source, results });
    } catch (problem) {
      setSimulation(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const services = [...new Set(knownActions.map((action) => action.split(':')[0] ?? ''))];
  return (
    <ContentLayout
      header={
        <Header variant="h1" description="Tests policies without making requests.">
          Policy simulator
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Policies</Header>}>
          <SpaceBetween size="m">
            <RadioGroup
              value={isNewPolicy ? 'new' : 'principal'}
              ariaLabel="Policies"
              onChange={({ detail }) => setIsNewPolicy(detail.value === 'new')}
              items={[
                {
                  value: 'principal',
                  label: 'Existing user, group or role',
                  description:
                    'Evaluates all policies of the user, group or role, those of its groups, and its boundary.',
                },
                {
                  value: 'new',
                  label: 'New policy',
                  description: 'Only this policy is evaluated.',
                },
              ]}
            />
            {isNewPolicy ? (
              <PolicyEditor
                text={text}
                set={setText}
                kind={{ type: 'managed' }}
                quota={DOCUMENT_QUOTA}
              />
            ) : (
              <PrincipalField
                selected={principal}
                onSelect={setPrincipal}
                errorText={isSubmitted && !principal ? 'Choose a user, group or role.' : ''}
              />
            )}
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">Request</Header>}>
          <SpaceBetween size="m">
            <FormField
              label="Actions"
              errorText={isSubmitted && requested.length === 0 ? 'Choose an action.' : ''}
            >
              <Multiselect
                virtualScroll
                filteringType="auto"
                filteringAriaLabel="Find actions"
                filteringPlaceholder="Find actions"
                placeholder="Choose actions"
                tokenLimit={10}
                deselectAriaLabel={({ label }) => `Remove ${label ?? ''}`}
                selectedOptions={actions.map((value) => ({ value, label: value }))}
                options={services.map((service) => ({
                  label: service,
                  options: knownActions
                    .filter((action) => action.startsWith(`${service}:`))
                    .map((value) => ({ value, label: value })),
                }))}
                onChange={({ detail }) =>
                  setActions(detail.selectedOptions.map(({ value }) => value ?? ''))
                }
              />
            </FormField>
            <FormField
              label="Actions of other services – optional"
              constraintText="For example, ec2:RunInstances. Separate actions with spaces."
            >
              <Input
                value={otherActions}
                spellcheck={false}
                onChange={({ detail }) => setOtherActions(detail.value)}
              />
            </FormField>
            <FormField
              label="Resource ARNs – optional"
              constraintText="One ARN per line. Default: *"
            >
              <Textarea
                value={resources}
                rows={2}
                spellcheck={false}
                placeholder="arn:aws:s3:::example-bucket/*"
                onChange={({ detail }) => setResources(detail.value)}
              />
            </FormField>
            {read && <ContextKeys source={read} values={values} set={setValues} />}
            <Button variant="primary" loading={busy} onClick={() => void run()}>
              Run simulation
            </Button>
          </SpaceBetween>
        </Container>
        {error !== undefined && <ErrorAlert error={error} />}
        {simulation && <Results {...simulation} />}
      </SpaceBetween>
    </ContentLayout>
  );
}

function PrincipalField(props: {
  selected: SelectProps.Option | null;
  onSelect: (option: SelectProps.Option) => void;
  errorText: string;
}) {
  const users = useUsers();
  const groups = useGroups();
  const roles = useRoles();
  // Without permission to list roles, users and groups can be simulated all the same.
  const error = users.error ?? groups.error;
  if (error) return <ErrorAlert error={error} />;
  return (
    <FormField label="User, group or role" errorText={props.errorText}>
      <Select
        virtualScroll
        filteringType="auto"
        filteringAriaLabel="Find a user, group or role"
        placeholder="Choose a user, group or role"
        statusType={users.isPending || groups.isPending || roles.isPending ? 'loading' : 'finished'}
        loadingText="Loading"
        empty="No users, groups or roles"
        selectedOption={props.selected}
        options={[
          {
            label: 'Users',
            options:
              users.data?.map(({ UserName, Arn }) => ({ label: UserName, value: Arn })) ?? [],
          },
          {
            label: 'User groups',
            options:
              groups.data?.map(({ GroupName, Arn }) => ({ label: GroupName, value: Arn })) ?? [],
          },
          {
            label: 'Roles',
            options:
              roles.data?.map(({ RoleName, Arn }) => ({ label: RoleName, value: Arn })) ?? [],
          },
        ].filter(({ options }) => options.length > 0)}
        onChange={({ detail }) => props.onSelect(detail.selectedOption)}
      />
    </FormField>
  );
}
