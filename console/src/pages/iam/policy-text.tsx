// The fields of every page that writes a policy: its document and its name.
import Alert from '@cloudscape-design/components/alert';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { validatePolicy } from '../../api/policy';
import { PolicyEditor, remaining, type PolicyQuota } from '../../editor/policy-editor';

export const MANAGED_POLICY_QUOTA: PolicyQuota = { limit: 6144 };
export const TRUST_POLICY_QUOTA: PolicyQuota = { limit: 2048 };
const NAME = /^[\w+=,.@-]{1,128}$/;
const NAME_RULE =
  'Maximum 128 characters. Valid characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)';

/** What is wrong with a name; empty if it is valid. */
export const nameProblem = (name: string): string => (NAME.test(name) ? '' : NAME_RULE);

/** Why the service would reject a document; without permission to validate it, saving tells. */
export async function documentProblem(
  text: string,
  kind: 'managed' | 'inline' | 'trust',
  quota: PolicyQuota,
) {
  if (text.trim() === '') return 'Enter a policy.';
  if (remaining(text, quota) < 0) return 'The policy exceeds the quota.';
  const findings = await validatePolicy(text, { type: kind }).catch(() => []);
  const error = findings.find(({ FindingType }) => FindingType === 'ERROR');
  return (
    error &&
    `Line ${String(error.StartLine)}, column ${String(error.StartColumn)}: ${error.Message}`
  );
}

/**
 * Saving what a page edits: `check` first says what is wrong with the document, if anything. Then
 * `save` is carried out, and the page shows that it is busy, the problem, or the error.
 */
export function useDocumentSaving(
  check: () => Promise<string | undefined>,
  save: () => Promise<void>,
) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [error, setError] = useState<unknown>();
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const found = await check();
      setProblem(found);
      if (!found) await save();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, error, submit };
}

/** The editor in a container, with the reason why the document can't be saved. */
export function PolicyDocumentEditor(props: {
  text: string;
  set: (text: string) => void;
  kind: 'managed' | 'inline' | 'trust';
  quota: PolicyQuota;
  title?: string;
  description?: string;
  problem: string | undefined;
}) {
  const { text, set, kind, quota, title = 'Policy editor', description, problem } = props;
  return (
    <Container
      header={
        <Header variant="h2" {...(description ? { description } : {})}>
          {title}
        </Header>
      }
    >
      <SpaceBetween size="m">
        {problem && (
          <Alert type="error" header="Invalid policy">
            {problem}
          </Alert>
        )}
        <PolicyEditor text={text} set={set} kind={{ type: kind }} quota={quota} />
      </SpaceBetween>
    </Container>
  );
}

/** The field for a policy's name. */
export function PolicyNameField(props: {
  name: string;
  set: (name: string) => void;
  problem: string;
}) {
  return (
    <FormField
      label="Policy name"
      constraintText={props.problem === NAME_RULE ? '' : NAME_RULE}
      errorText={props.problem}
    >
      <Input
        value={props.name}
        spellcheck={false}
        autoComplete={false}
        onChange={({ detail }) => props.set(detail.value)}
      />
    </FormField>
  );
}
