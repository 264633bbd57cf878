// The trust policy of a role, edited.
import Button from '@cloudscape-design/components/button';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';

import { call } from '../../api/client';
import { UpdateAssumeRolePolicy } from '../../api/generated/iam';
import { getRole, trustPolicy } from '../../api/roles';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { Loading } from '../../frame/parts';
import { displayText } from '../../lib/policy-text';
import { roleHref } from './permissions';
import { PolicyDocumentEditor, TRUST_POLICY_QUOTA, documentProblem, useDocumentSaving } from './policy-text';
import { invalidateRole } from './queries';

export function EditTrustPolicyPage() {
  const { name = '' } = useParams();
  const read = useQuery({
    queryKey: ['role', name, 'trust'],
    queryFn: async () => displayText(trustPolicy(await getRole(name))),
    gcTime: 0,
    staleTime: Infinity,
  });
  if (read.error) return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  if (read.data === undefined) return <Loading />;
  return <TrustForm name={name} initial={read.data} />;
}

function TrustForm({ name, initial }: { name: string; initial: string }) {
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [text, setText] = useState(initial);
  const page = `${roleHref(name)}?tab=trust`;
  const { busy, problem, error, submit } = useDocumentSaving(
    () => documentProblem(text, 'trust', TRUST_POLICY_QUOTA),
    async () => {
      await call(UpdateAssumeRolePolicy, { RoleName: name, PolicyDocument: text });
      invalidateRole(name);
      notifySuccess('Trust policy saved');
      void navigate(page);
    },
  );
  return (
    <Form
      header={
        <Header
          variant="h1"
          description="The trust policy defines who can assume this role. It does not end the sessions of entities that are no longer trusted."
        >
          Edit trust policy
        </Header>
      }
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate(page)}>
            Cancel
          </Button>
          <Button
            variant="primary"
            loading={busy}
            disabled={text === initial}
            onClick={() => void submit()}
          >
            Update policy
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        <PolicyDocumentEditor
          text={text}
          set={setText}
          kind="trust"
          quota={TRUST_POLICY_QUOTA}
          title={`Trust policy of ${name}`}
          problem={problem}
        />
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Form>
  );
}
