// A rotation policy, to be created or changed, and whom it would act for.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import { useState, type ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import type { Tag } from '../../api/iam';
import { PERSON, putPolicy, type RotationPolicy, type Selector } from '../../api/rotation';
import { useFrame } from '../../frame/context';
import { Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { changed } from '../iam/queries';
import { PlacesField, WaitField } from './choose';
import { Trouble } from './policies';
import { Preview } from './preview';
import { useRotationPolicies } from './queries';
import { folded } from './select';
import { DWELL, OBSERVE, secsOf, waitOf, type Wait } from './waits';

const NAME = /^[\w+=,.@-]{1,128}$/;
const PATH = /^\/([!-~]{0,510}\/)?$/;
const DAYS_MAX = 3650;

type Kind = 'path' | 'tags' | 'everyone';

interface Draft {
  name: string;
  kind: Kind;
  path: string;
  tags: Tag[];
  maxAge: string;
  jitter: string;
  observe: Wait;
  dwell: Wait;
  places: string[];
}

const EMPTY: Draft = {
  name: '',
  kind: 'path',
  path: '/service/',
  tags: [{ key: '', value: '' }],
  maxAge: '90',
  jitter: '10',
  observe: OBSERVE,
  dwell: DWELL,
  places: [PERSON],
};

function draftOf(policy: RotationPolicy): Draft {
  const { selector } = policy;
  return {
    ...EMPTY,
    name: policy.name,
    kind: 'path' in selector ? 'path' : 'tags' in selector ? 'tags' : 'everyone',
    ...('path' in selector ? { path: selector.path } : {}),
    ...('tags' in selector ? { tags: selector.tags } : {}),
    maxAge: String(policy.maxAgeDays),
    jitter: String(policy.jitterDays),
    observe: waitOf(policy.observeSecs),
    dwell: waitOf(policy.dwellSecs),
    places: policy.places,
  };
}

/** Whom a draft means, or nothing while that is not whole. */
function selectorOf({ kind, path, tags }: Draft): Selector | undefined {
  if (kind === 'everyone') return { everyone: true };
  if (kind === 'path') return PATH.test(path) ? { path } : undefined;
  return tags.length > 0 && tags.every(({ key }) => key !== '') ? { tags } : undefined;
}

function daysOf(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) <= DAYS_MAX ? Number(text) : undefined;
}

export function CreateRotationPolicy() {
  return <PolicyForm before={EMPTY} title="Create rotation policy" isNew />;
}

export function EditRotationPolicy() {
  const [search] = useSearchParams();
  const read = useRotationPolicies();
  if (read.error) return <Problem error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  const found = read.data.find(({ name }) => name === search.get('name'));
  if (!found) return <Problem error={new Error('There is no rotation policy of this name.')} />;
  return (
    <PolicyForm
      before={draftOf(found)}
      title={found.name}
      isNew={false}
      trouble={<Trouble policy={found} />}
    />
  );
}

interface PolicyFormProps {
  before: Draft;
  title: string;
  isNew: boolean;
  trouble?: ReactNode;
}

function PolicyForm({ before, title, isNew, trouble }: PolicyFormProps) {
  const navigate = useNavigate();
  const { session, done } = useFrame();
  const policies = useRotationPolicies();
  const [draft, setDraft] = useState(before);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const set = (part: Partial<Draft>): void => setDraft((now) => ({ ...now, ...part }));
  const selector = selectorOf(draft);
  const [maxAgeDays, jitterDays] = [daysOf(draft.maxAge), daysOf(draft.jitter)];
  const [observeSecs, dwellSecs] = [secsOf(draft.observe), secsOf(draft.dwell)];
  const taken = isNew && policies.data?.some(({ name }) => folded(name) === folded(draft.name));
  const back = (): void => void navigate('/rotation-policies');
  const { name, places } = draft;
  const put =
    NAME.test(name) &&
    !taken &&
    places.length > 0 &&
    selector &&
    maxAgeDays !== undefined &&
    jitterDays !== undefined &&
    jitterDays <= maxAgeDays &&
    observeSecs !== undefined &&
    dwellSecs !== undefined
      ? { name, selector, maxAgeDays, jitterDays, observeSecs, dwellSecs, places }
      : undefined;
  const save = async (): Promise<void> => {
    if (!put) return;
    setBusy(true);
    setError(undefined);
    try {
      await putPolicy(put);
      changed(['rotation-policies']);
      done(isNew ? 'Rotation policy created' : 'Rotation policy saved');
      back();
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
          <Button variant="link" onClick={back}>
            Cancel
          </Button>
          <Button variant="primary" disabled={!put} loading={busy} onClick={() => void save()}>
            {isNew ? 'Create rotation policy' : 'Save changes'}
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {trouble}
        <Alert type="info" header="It acts for you">
          Its rotations are signed on behalf of {session.arn}, who saves it. What you are not
          allowed to do, it cannot do.
        </Alert>
        <Container header={<Header variant="h2">Users</Header>}>
          <SpaceBetween size="l">
            {isNew && (
              <FormField
                label="Policy name"
                constraintText="Up to 128 letters, digits and _ + = , . @ - (hyphen)"
                errorText={
                  taken
                    ? 'There is a policy of this name.'
                    : name === '' || NAME.test(name)
                      ? ''
                      : 'Up to 128 letters, digits and _ + = , . @ - (hyphen)'
                }
              >
                <Input value={name} onChange={({ detail }) => set({ name: detail.value })} />
              </FormField>
            )}
            <WhomField draft={draft} set={set} />
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">When</Header>}>
          <SpaceBetween size="l">
            <DaysField
              label="Maximum age"
              description="Days after which a key is replaced."
              value={draft.maxAge}
              set={(maxAge) => set({ maxAge })}
            />
            <DaysField
              label="Jitter"
              description="Up to so many days earlier, different for each user, so that not everybody's turn comes at once."
              value={draft.jitter}
              max={maxAgeDays ?? DAYS_MAX}
              set={(jitter) => set({ jitter })}
            />
            <WaitField
              label="Watch"
              description="How long the old key must be unused before it is deactivated."
              none="Whoever still uses the old key then is refused without warning."
              wait={draft.observe}
              set={(observe) => set({ observe })}
            />
            <WaitField
              label="Dwell"
              description="How long the old key stays inactive before it is deleted."
              none="The old key is deleted at once: nothing can be rolled back."
              wait={draft.dwell}
              set={(dwell) => set({ dwell })}
            />
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">Delivery</Header>}>
          <PlacesField chosen={draft.places} set={(places) => set({ places })} />
        </Container>
        {error !== undefined && <Problem error={error} />}
        {selector && (
          <Preview
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

interface WhomFieldProps {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
}

function WhomField({ draft: { kind, path, tags }, set }: WhomFieldProps) {
  const change = (at: number, part: Partial<Tag>): void =>
    set({ tags: tags.map((tag, place) => (place === at ? { ...tag, ...part } : tag)) });
  return (
    <SpaceBetween size="l">
      <FormField label="For whom">
        <RadioGroup
          value={kind}
          ariaLabel="For whom"
          items={[
            { value: 'path', label: 'Users below a path' },
            { value: 'tags', label: 'Users with tags' },
            { value: 'everyone', label: 'Everyone' },
          ]}
          onChange={({ detail }) => set({ kind: detail.value as Kind })}
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
      {kind === 'tags' && (
        <FormField
          label="Tags"
          description="A user must have all of them. In values, capital letters are the same as small ones."
          stretch
        >
          <AttributeEditor
            items={tags}
            addButtonText="Add tag"
            removeButtonText="Remove"
            removeButtonAriaLabel={({ key }) => `Remove ${key || 'tag'}`}
            empty="No tags"
            onAddButtonClick={() => set({ tags: [...tags, { key: '', value: '' }] })}
            onRemoveButtonClick={({ detail }) =>
              set({ tags: tags.filter((_, at) => at !== detail.itemIndex) })
            }
            definition={[
              {
                label: 'Key',
                errorText: ({ key }) => (key === '' ? 'Enter a key' : ''),
                control: ({ key }, at) => (
                  <Input
                    value={key}
                    ariaLabel={`Key ${String(at + 1)}`}
                    onChange={({ detail }) => change(at, { key: detail.value })}
                  />
                ),
              },
              {
                label: 'Value',
                control: ({ value }, at) => (
                  <Input
                    value={value}
                    ariaLabel={`Value ${String(at + 1)}`}
                    onChange={({ detail }) => change(at, { value: detail.value })}
                  />
                ),
              },
            ]}
          />
        </FormField>
      )}
    </SpaceBetween>
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
      errorText={days === undefined || days > max ? `A whole number from 0 to ${String(max)}` : ''}
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
