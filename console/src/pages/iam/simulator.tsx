// The policy simulator: what a request would get by a principal's policies or by a text.
import Alert from '@cloudscape-design/components/alert';
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

import { simulate, type Result, type Source } from '../../api/policy';
import { PolicyEditor } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { Problem } from '../../frame/problem';
import { SKELETON } from '../../lib/policy-text';
import { useSettled } from '../../lib/settled';
import { useGroups, useUsers } from './queries';
import { ContextKeys, entries, type Values } from './simulator-context';
import { Results } from './simulator-results';

/** What SimulateCustomPolicy takes of one text. */
const TEXT = { limit: 131_072 };

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

interface Asked {
  source: Source;
  results: Result[];
}

export function Simulator() {
  const { served } = useFrame();
  const [own, setOwn] = useState(false);
  const [principal, setPrincipal] = useState<SelectProps.Option | null>(null);
  const [text, setText] = useState(SKELETON);
  const [actions, setActions] = useState<readonly string[]>([]);
  const [others, setOthers] = useState('');
  const [resources, setResources] = useState('');
  const [values, setValues] = useState<Values>({});
  const [asked, setAsked] = useState<Asked>();
  const [missing, setMissing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const source: Source | undefined = own
    ? { documents: [text] }
    : principal?.value
      ? { arn: principal.value }
      : undefined;
  const settled = useSettled(text);
  const read: Source | undefined = own ? { documents: [settled] } : source;
  const wanted = [...actions, ...words(others)];
  const run = async (): Promise<void> => {
    setMissing(true);
    if (!source || wanted.length === 0) return;
    setBusy(true);
    setError(undefined);
    try {
      const results = await simulate(source, wanted, words(resources), entries(values));
      setAsked({ source, results });
    } catch (problem) {
      setAsked(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const services = [...new Set(served.actions.map((action) => action.split(':')[0] ?? ''))];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="Asks what a request would get, without making it. Nothing is changed."
        >
          Policy simulator
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Policies</Header>}>
          <SpaceBetween size="m">
            <RadioGroup
              value={own ? 'own' : 'principal'}
              ariaLabel="Policies"
              onChange={({ detail }) => setOwn(detail.value === 'own')}
              items={[
                {
                  value: 'principal',
                  label: 'Of a user or group',
                  description: 'All its policies, those of its groups, and its boundary.',
                },
                {
                  value: 'own',
                  label: 'A policy that you write',
                  description: 'The text alone, without anything that is stored.',
                },
              ]}
            />
            {own ? (
              <PolicyEditor text={text} set={setText} kind={{ type: 'managed' }} room={TEXT} />
            ) : (
              <Principal
                chosen={principal}
                choose={setPrincipal}
                errorText={missing && !principal ? 'Choose a user or group.' : ''}
              />
            )}
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">Request</Header>}>
          <SpaceBetween size="m">
            <FormField
              label="Actions"
              errorText={missing && wanted.length === 0 ? 'Choose an action.' : ''}
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
                  options: served.actions
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
              constraintText="For example ec2:RunInstances; separated by spaces"
            >
              <Input
                value={others}
                spellcheck={false}
                onChange={({ detail }) => setOthers(detail.value)}
              />
            </FormField>
            <FormField
              label="Resource ARNs – optional"
              constraintText="One on each line; with none the request is about everything (*)"
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
        {error !== undefined && <Problem error={error} />}
        {asked && <Results {...asked} />}
        {asked && asked.results.length === 0 && <Alert>There is no result.</Alert>}
      </SpaceBetween>
    </ContentLayout>
  );
}

function Principal(props: {
  chosen: SelectProps.Option | null;
  choose: (option: SelectProps.Option) => void;
  errorText: string;
}) {
  const users = useUsers();
  const groups = useGroups();
  const options = (of: readonly { name: string; arn: string }[] = []) =>
    of.map(({ name, arn }) => ({ label: name, value: arn }));
  const error = users.error ?? groups.error;
  if (error) return <Problem error={error} />;
  return (
    <FormField label="User or group" errorText={props.errorText}>
      <Select
        virtualScroll
        filteringType="auto"
        filteringAriaLabel="Find a user or group"
        placeholder="Choose a user or group"
        statusType={users.isPending || groups.isPending ? 'loading' : 'finished'}
        loadingText="Loading"
        empty="There are no users and no groups"
        selectedOption={props.chosen}
        options={[
          { label: 'Users', options: options(users.data) },
          { label: 'User groups', options: options(groups.data) },
        ].filter(({ options: some }) => some.length > 0)}
        onChange={({ detail }) => props.choose(detail.selectedOption)}
      />
    </FormField>
  );
}
