// The wizard that creates a managed policy: its document, then its name, description and tags.
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
import { CreatePolicy } from '../../api/generated/iam';
import type { Tag } from '../../api/iam';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { WIZARD } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { NEW_POLICY } from '../../lib/policy-text';
import { policyHref } from './permissions';
import {
  MANAGED_POLICY_QUOTA,
  PolicyNameField,
  PolicyDocumentEditor,
  documentProblem,
  nameProblem,
} from './policy-text';
import { invalidate } from './queries';
import { TagEditor, tagsToWrite } from './tags';

export function CreatePolicyPage() {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [step, setStep] = useState(0);
  const [text, setText] = useState(NEW_POLICY);
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [tags, setTags] = useState<Tag[]>([]);
  const [isSubmitted, setIsSubmitted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [error, setError] = useState<unknown>();
  const nameError = nameProblem(name);
  const descriptionError = description.length > 1000 ? 'Maximum 1,000 characters.' : '';

  const go = async (to: number): Promise<void> => {
    setBusy(true);
    const found =
      to === 0 ? undefined : await documentProblem(text, 'managed', MANAGED_POLICY_QUOTA);
    setBusy(false);
    setProblem(found);
    if (!found) setStep(to);
  };
  const create = async (): Promise<void> => {
    setIsSubmitted(true);
    if (nameError || descriptionError) return;
    setBusy(true);
    setError(undefined);
    try {
      const { Policy: policy } = await call(CreatePolicy, {
        PolicyName: name,
        PolicyDocument: text,
        Description: description || undefined,
        Tags: tagsToWrite(tags),
      });
      invalidate(['policies'], ['summary']);
      notifySuccess(`Policy ${name} created`);
      void navigate(policyHref(policy?.Arn ?? ''));
    } catch (failure) {
      setError(failure);
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
            <PolicyDocumentEditor
              text={text}
              set={setText}
              kind="managed"
              quota={MANAGED_POLICY_QUOTA}
              description="Add permissions in JSON. The policy is validated as you type."
              problem={problem}
            />
          ),
        },
        {
          title: 'Review and create',
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Policy details</Header>}>
                <SpaceBetween size="m">
                  <PolicyNameField
                    name={name}
                    set={setName}
                    problem={isSubmitted ? nameError : ''}
                  />
                  <FormField
                    label="Description – optional"
                    constraintText="Maximum 1,000 characters. It can't be changed later."
                    errorText={descriptionError}
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
              {error !== undefined && <ErrorAlert error={error} />}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}
