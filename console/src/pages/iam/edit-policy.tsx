// Editing a managed policy creates a new version; of five versions one must be deleted first.
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { CreatePolicyVersion, DeletePolicyVersion } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { fullDate } from '../../lib/age';
import { displayText } from '../../lib/policy-text';
import { MANAGED_POLICY_QUOTA, PolicyDocumentEditor, documentProblem, useDocumentSaving } from './policy-text';
import { VERSIONS_MAX, versionText } from './policy-versions';
import { policyHref } from './permissions';
import { invalidate } from './queries';

interface InitialPolicy {
  policy: iam.Policy;
  text: string;
  versions: iam.PolicyVersion[];
}

export function EditPolicyPage() {
  const [search] = useSearchParams();
  const arn = search.get('arn') ?? '';
  const read = useQuery({
    queryKey: ['policies', arn, 'edit'],
    queryFn: async (): Promise<InitialPolicy> => {
      const [policy, versions] = await Promise.all([
        iam.getPolicy(arn),
        iam.listPolicyVersions(arn),
      ]);
      return {
        policy,
        versions,
        text: displayText(await iam.policyDocument(arn, policy.DefaultVersionId)),
      };
    },
    gcTime: 0,
    staleTime: Infinity,
  });
  if (read.error) return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  return <EditForm initial={read.data} />;
}

function EditForm({ initial: { policy, text: before, versions } }: { initial: InitialPolicy }) {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [text, setText] = useState(before);
  const [isDefault, setIsDefault] = useState(true);
  const [versionToDelete, setVersionToDelete] = useState<string | null>(null);
  const isFull = versions.length >= VERSIONS_MAX;
  const page = policyHref(policy.Arn);
  const { busy, problem, error, submit } = useDocumentSaving(
    // Checked first: an invalid document must not cost a version.
    () => documentProblem(text, 'managed', MANAGED_POLICY_QUOTA),
    async () => {
      const PolicyArn = policy.Arn;
      if (isFull) await call(DeletePolicyVersion, { PolicyArn, VersionId: versionToDelete ?? '' });
      const { PolicyVersion: version } = await call(CreatePolicyVersion, {
        PolicyArn,
        PolicyDocument: text,
        SetAsDefault: isDefault,
      });
      const id = version?.VersionId ?? '';
      invalidate(['policies']);
      notifySuccess(
        `${versionText(id)} of ${policy.PolicyName} created${isDefault ? ' and set as default' : ''}`,
      );
      void navigate(isDefault ? page : `${page}&tab=versions`);
    },
  );
  return (
    <Form
      header={<Header variant="h1">{`Edit ${policy.PolicyName}`}</Header>}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate(page)}>
            Cancel
          </Button>
          <Button
            variant="primary"
            loading={busy}
            disabled={text === before || (isFull && !versionToDelete)}
            onClick={() => void submit()}
          >
            Save changes
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        <PolicyDocumentEditor
          text={text}
          set={setText}
          kind="managed"
          quota={MANAGED_POLICY_QUOTA}
          problem={problem}
        />
        <Container
          header={
            <Header
              variant="h2"
              description="Saving creates a new version. You can go back to earlier versions."
            >
              New version
            </Header>
          }
        >
          <SpaceBetween size="m">
            <Checkbox checked={isDefault} onChange={({ detail }) => setIsDefault(detail.checked)}>
              Set this new version as the default
            </Checkbox>
            {isFull && (
              <FormField
                label="Version to delete"
                description={`The policy has the maximum of ${String(VERSIONS_MAX)} versions. Select a version to delete. The default version can't be deleted.`}
              >
                <RadioGroup
                  value={versionToDelete}
                  onChange={({ detail }) => setVersionToDelete(detail.value)}
                  items={versions
                    .filter((version) => !version.IsDefaultVersion)
                    .map(({ VersionId, CreateDate }) => ({
                      value: VersionId,
                      label: versionText(VersionId),
                      description: fullDate(CreateDate),
                    }))}
                />
              </FormField>
            )}
          </SpaceBetween>
        </Container>
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Form>
  );
}
