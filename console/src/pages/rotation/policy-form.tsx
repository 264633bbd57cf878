// A rotation policy, to be created or changed, with the users that it would apply to.
import Alert from '@cloudscape-design/components/alert';
import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState, type ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import type { Tag } from '../../api/iam';
import {
  MANUAL_DELIVERY,
  putRotationPolicy,
  type PutRotationPolicyRequest,
  type RotationPolicy,
  type UserSelector,
} from '../../api/rotation';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { Loading } from '../../frame/parts';
import { invalidate } from '../iam/queries';
import { AffectedUsers } from './affected-users';
import {
  DEFAULT_GRACE,
  DEFAULT_OBSERVATION,
  durationOf,
  durationSeconds,
  type Duration,
} from './durations';
import { DestinationsField, GraceField, ObservationField } from './fields';
import { PolicyErrorAlert } from './policies';
import { useRotationPolicies } from './queries';
import { folded } from './selector';

const NAME = /^[\w+=,.@-]{1,128}$/;
const NAME_RULE =
  'Maximum 128 characters. Allowed characters: letters, numbers, and _ + = , . @ - (hyphen)';
const PATH = /^\/([!-~]{0,510}\/)?$/;
const DAYS_MAX = 3650;

type SelectorKind = 'path' | 'tags' | 'all';

interface PolicyFields {
  name: string;
  kind: SelectorKind;
  path: string;
  tags: readonly Tag[];
  maxAge: string;
  jitter: string;
  observation: Duration;
  grace: Duration;
  destinations: readonly string[];
}

const NEW_POLICY: PolicyFields = {
  name: '',
  kind: 'path',
  path: '/service/',
  tags: [{ Key: '', Value: '' }],
  maxAge: '90',
  jitter: '10',
  observation: DEFAULT_OBSERVATION,
  grace: DEFAULT_GRACE,
  destinations: [MANUAL_DELIVERY],
};

function fieldsOf(policy: RotationPolicy): PolicyFields {
  const { Everyone, PathPrefix, Tags = [] } = policy;
  return {
    name: policy.RotationPolicyName,
    kind: Everyone ? 'all' : PathPrefix === undefined ? 'tags' : 'path',
    path: PathPrefix ?? NEW_POLICY.path,
    tags: Tags.length > 0 ? Tags : NEW_POLICY.tags,
    maxAge: String(policy.MaxAgeDays),
    jitter: String(policy.JitterDays),
    observation: durationOf(policy.ObserveSeconds),
    grace: durationOf(policy.DwellSeconds),
    destinations: policy.Places,
  };
}

/** The users that are selected; undefined while the fields are not valid. */
function selectorOf({ kind, path, tags }: PolicyFields): UserSelector | undefined {
  if (kind === 'all') return { Everyone: true };
  if (kind === 'path') return PATH.test(path) ? { PathPrefix: path } : undefined;
  return tags.length > 0 && tags.every(({ Key }) => Key !== '') ? { Tags: tags } : undefined;
}

function daysOf(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) <= DAYS_MAX ? Number(text) : undefined;
}

/** The request that the fields make; undefined while they are not valid. */
function requestOf(fields: PolicyFields): PutRotationPolicyRequest | undefined {
  const { name, destinations } = fields;
  const selector = selectorOf(fields);
  const [maxAge, jitter] = [daysOf(fields.maxAge), daysOf(fields.jitter)];
  const [observe, grace] = [durationSeconds(fields.observation), durationSeconds(fields.grace)];
  const isValid =
    NAME.test(name) &&
    destinations.length > 0 &&
    selector !== undefined &&
    maxAge !== undefined &&
    jitter !== undefined &&
    jitter <= maxAge &&
    observe !== undefined &&
    grace !== undefined;
  if (!isValid) return undefined;
  return {
    ...selector,
    RotationPolicyName: name,
    MaxAgeDays: maxAge,
    JitterDays: jitter,
    ObserveSeconds: observe,
    DwellSeconds: grace,
    Places: destinations,
  };
}

export function CreateRotationPolicyPage() {
  return <PolicyForm initial={NEW_POLICY} title="Create rotation policy" isNew />;
}

export function EditRotationPolicyPage() {
  const [search] = useSearchParams();
  const read = useRotationPolicies();
  if (read.error) return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  const name = search.get('name') ?? '';
  const policy = read.data.find(({ RotationPolicyName }) => RotationPolicyName === name);
  if (!policy) return <ErrorAlert error={new Error(`Rotation policy ${name} doesn't exist.`)} />;
  return (
    <PolicyForm
      initial={fieldsOf(policy)}
      title={policy.RotationPolicyName}
      isNew={false}
      alert={<PolicyErrorAlert policy={policy} />}
    />
  );
}

interface PolicyFormProps {
  initial: PolicyFields;
  title: string;
  isNew: boolean;
  alert?: ReactNode;
}

function PolicyForm({ initial, title, isNew, alert }: PolicyFormProps) {
  const navigate = useNavigate();
  const { session, notifySuccess } = useFrame();
  const policies = useRotationPolicies();
  const [fields, setFields] = useState(initial);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const set = (part: Partial<PolicyFields>): void => setFields((now) => ({ ...now, ...part }));
  const { name } = fields;
  const selector = selectorOf(fields);
  const maxAgeDays = daysOf(fields.maxAge);
  const isTaken =
    isNew &&
    policies.data?.some(({ RotationPolicyName }) => folded(RotationPolicyName) === folded(name)) ===
      true;
  const request = isTaken ? undefined : requestOf(fields);
  const leave = (): void => void navigate('/rotation-policies');
  const save = async (): Promise<void> => {
    if (!request) return;
    setBusy(true);
    setError(undefined);
    try {
      await putRotationPolicy(request);
      invalidate(['rotation-policies']);
      notifySuccess(`Rotation policy ${name} ${isNew ? 'created' : 'saved'}`);
      leave();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Form
      header={<Header variant="h1">{title}</Header>}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={leave}>
            Cancel
          </Button>
          <Button variant="primary" disabled={!request} loading={busy} onClick={() => void save()}>
            {isNew ? 'Create rotation policy' : 'Save changes'}
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {alert}
        <Alert type="info" header="Runs with your permissions">
          Rotations run as {session.arn}.
        </Alert>
        <Container header={<Header variant="h2">Users</Header>}>
          <SpaceBetween size="l">
            {isNew && (
              <FormField
                label="Policy name"
                constraintText={NAME_RULE}
                errorText={
                  isTaken
                    ? 'A rotation policy with this name already exists.'
                    : name === '' || NAME.test(name)
                      ? ''
                      : 'Enter a valid policy name.'
                }
              >
                <Input value={name} onChange={({ detail }) => set({ name: detail.value })} />
              </FormField>
            )}
            <SelectorField fields={fields} set={set} />
          </SpaceBetween>
        </Container>
        <ScheduleFields fields={fields} set={set} />
        <Container header={<Header variant="h2">Delivery</Header>}>
          <DestinationsField
            selected={fields.destinations}
            set={(destinations) => set({ destinations })}
          />
        </Container>
        {error !== undefined && <ErrorAlert error={error} />}
        {selector && (
          <AffectedUsers
            name={name}
            selector={selector}
            maxAgeDays={maxAgeDays ?? 0}
            policies={policies.data ?? []}
          />
        )}
      </SpaceBetween>
    </Form>
  );
}

interface FieldsProps {
  fields: PolicyFields;
  set: (part: Partial<PolicyFields>) => void;
}

function ScheduleFields({ fields, set }: FieldsProps) {
  return (
    <Container header={<Header variant="h2">Schedule</Header>}>
      <SpaceBetween size="l">
        <DaysField
          label="Maximum age"
          description="Access keys are rotated when they reach this age."
          value={fields.maxAge}
          set={(maxAge) => set({ maxAge })}
        />
        <DaysField
          label="Jitter"
          description="Start up to this many days early, randomly per user, to spread rotations."
          value={fields.jitter}
          max={daysOf(fields.maxAge) ?? DAYS_MAX}
          set={(jitter) => set({ jitter })}
        />
        <ObservationField
          duration={fields.observation}
          set={(observation) => set({ observation })}
        />
        <GraceField duration={fields.grace} set={(grace) => set({ grace })} />
      </SpaceBetween>
    </Container>
  );
}

function SelectorField({ fields: { kind, path, tags }, set }: FieldsProps) {
  return (
    <SpaceBetween size="l">
      <FormField label="Applies to">
        <RadioGroup
          value={kind}
          ariaLabel="Applies to"
          items={[
            { value: 'path', label: 'Users under a path' },
            { value: 'tags', label: 'Users with tags' },
            { value: 'all', label: 'All users' },
          ]}
          onChange={({ detail }) => set({ kind: detail.value as SelectorKind })}
        />
      </FormField>
      {kind === 'path' && (
        <FormField
          label="Path"
          errorText={PATH.test(path) ? '' : 'A path begins and ends with / and has no spaces.'}
        >
          <Input value={path} onChange={({ detail }) => set({ path: detail.value })} />
        </FormField>
      )}
      {kind === 'tags' && <TagsField tags={tags} set={(changed) => set({ tags: changed })} />}
    </SpaceBetween>
  );
}

interface TagsFieldProps {
  tags: readonly Tag[];
  set: (tags: readonly Tag[]) => void;
}

function TagsField({ tags, set }: TagsFieldProps) {
  const change = (index: number, part: Partial<Tag>): void =>
    set(tags.map((tag, at) => (at === index ? { ...tag, ...part } : tag)));
  return (
    <FormField
      label="Tags"
      description="Users must have all of these tags. Values aren't case-sensitive."
      stretch
    >
      <AttributeEditor
        items={tags}
        addButtonText="Add new tag"
        removeButtonText="Remove"
        removeButtonAriaLabel={({ Key }) => `Remove ${Key || 'tag'}`}
        empty="No tags"
        onAddButtonClick={() => set([...tags, { Key: '', Value: '' }])}
        onRemoveButtonClick={({ detail }) =>
          set(tags.filter((_, index) => index !== detail.itemIndex))
        }
        definition={[
          {
            label: 'Key',
            errorText: ({ Key }) => (Key === '' ? 'Enter a key.' : ''),
            control: ({ Key }, index) => (
              <Input
                value={Key}
                ariaLabel={`Key ${String(index + 1)}`}
                onChange={({ detail }) => change(index, { Key: detail.value })}
              />
            ),
          },
          {
            label: 'Value',
            control: ({ Value }, index) => (
              <Input
                value={Value}
                ariaLabel={`Value ${String(index + 1)}`}
                onChange={({ detail }) => change(index, { Value: detail.value })}
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}

interface DaysFieldProps {
  label: string;
  description: string;
  value: string;
  max?: number;
  set: (value: string) => void;
}

function DaysField({ label, description, value, max = DAYS_MAX, set }: DaysFieldProps) {
  const days = daysOf(value);
  return (
    <FormField
      label={`${label} (days)`}
      description={description}
      errorText={
        days === undefined || days > max ? `Enter a whole number from 0 to ${String(max)}.` : ''
      }
    >
      <Input
        type="number"
        inputMode="numeric"
        value={value}
        onChange={({ detail }) => set(detail.value)}
      />
    </FormField>
  );
}
