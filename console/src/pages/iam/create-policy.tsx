// The wizard that creates a managed policy: its text, then its name, description and tags.
import Container from '@cloudscape-design/components/container';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Textarea from '@cloudscape-design/components/textarea';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import type { Tag } from '../../api/iam';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { WIZARD } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { SKELETON } from '../../lib/policy-text';
import { policyHref } from './permissions';
import { MANAGED, PolicyName, PolicyText, refusedFor, wrongName } from './policy-text';
import { changed } from './queries';
import { TagEditor, written } from './tags';

export function CreatePolicy() {
  const navigate = useNavigate();
  const { done } = useFrame();
  const [step, setStep] = useState(0);
  const [text, setText] = useState(SKELETON);
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, refuse] = useState<string>();
  const [error, setError] = useState<unknown>();
  const nameError = wrongName(name);
  const tooLong = description.length > 1000 ? 'Up to 1,000 characters' : '';

  const go = async (to: number): Promise<void> => {
    setBusy(true);
    const why = to === 0 ? undefined : await refusedFor(text, 'managed', MANAGED);
    setBusy(false);
    refuse(why);
    if (!why) setStep(to);
  };
  const create = async (): Promise<void> => {
    setTried(true);
    if (nameError || tooLong) return;
    setBusy(true);
    setError(undefined);
    try {
      const got = await call('iam', 'CreatePolicy', {
        PolicyName: name,
        PolicyDocument: text,
        Description: description || undefined,
        Tags: written(tags),
      });
      changed(['policies'], ['summary']);
      done(`Policy ${name} created`);
      const arn = got.child('Policy')?.text('Arn') ?? '';
      void navigate(policyHref(arn));
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Create policy"
      i18nStrings={WIZARD}
      onCancel={() => void navigate('/iam/policies')}
      onNavigate={({ detail }) => void go(detail.requestedStepIndex)}
      onSubmit={() => void create()}
      steps={[
        {
          title: 'Specify permissions',
          content: (
            <PolicyText
              text={text}
              set={setText}
              kind="managed"
              room={MANAGED}
              description="Say in JSON what is allowed and what is denied. It is checked while you write."
              refused={refused}
            />
          ),
        },
        {
          title: 'Review and create',
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Policy details</Header>}>
                <SpaceBetween size="m">
                  <PolicyName name={name} set={setName} wrong={tried ? nameError : ''} />
                  <FormField
                    label="Description – optional"
                    constraintText="Up to 1,000 characters. It cannot be changed later."
                    errorText={tooLong}
                  >
                    <Textarea
                      value={description}
                      rows={2}
                      onChange={({ detail }) => setDescription(detail.value)}
                    />
                  </FormField>
                </SpaceBetween>
              </Container>
              <ExpandableSection
                variant="container"
                headerText="Permissions defined in this policy"
              >
                <Editor text={text} label="Policy document" />
              </ExpandableSection>
              <Container header={<Header variant="h2">Tags – optional</Header>}>
                <TagEditor tags={tags} set={setTags} />
              </Container>
              {error !== undefined && <Problem error={error} />}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}
