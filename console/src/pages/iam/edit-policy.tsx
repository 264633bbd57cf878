// Editing a managed policy makes a new version of it; the fifth version must go to make room.
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
import * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { shown } from '../../lib/policy-text';
import { MANAGED, PolicyText, refusedFor } from './policy-text';
import { VERSIONS } from './policy-versions';
import { policyHref } from './permissions';
import { changed } from './queries';

interface Begun {
  policy: iam.Policy;
  text: string;
  versions: iam.Version[];
}

export function EditPolicy() {
  const [search] = useSearchParams();
  const arn = search.get('arn') ?? '';
  const read = useQuery({
    queryKey: ['policies', arn, 'edit'],
    queryFn: async (): Promise<Begun> => {
      const [policy, versions] = await Promise.all([iam.getPolicy(arn), iam.listVersions(arn)]);
      return { policy, versions, text: shown(await iam.versionText(arn, policy.version)) };
    },
    gcTime: 0,
    staleTime: Infinity,
  });
  if (read.error) return <Problem error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  return <EditForm begun={read.data} />;
}

function EditForm({ begun: { policy, text: before, versions } }: { begun: Begun }) {
  const navigate = useNavigate();
  const { done } = useFrame();
  const [text, setText] = useState(before);
  const [current, setCurrent] = useState(true);
  const [gone, setGone] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [refused, refuse] = useState<string>();
  const [error, setError] = useState<unknown>();
  const isFull = versions.length >= VERSIONS;
  const page = policyHref(policy.arn);
  const save = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      // What would be refused must not cost a version first.
      const why = await refusedFor(text, 'managed', MANAGED);
      refuse(why);
      if (why) return;
      const PolicyArn = policy.arn;
      if (isFull) await call('iam', 'DeletePolicyVersion', { PolicyArn, VersionId: gone ?? '' });
      const got = await call('iam', 'CreatePolicyVersion', {
        PolicyArn,
        PolicyDocument: text,
        SetAsDefault: current,
      });
      const id = got.child('PolicyVersion')?.text('VersionId') ?? '';
      changed(['policies']);
      done(`Version ${id} of ${policy.name} created${current ? ', and made the default' : ''}`);
      void navigate(current ? page : `${page}&tab=versions`);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Form
      header={<Header variant="h1">{`Edit ${policy.name}`}</Header>}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button variant="link" onClick={() => void navigate(page)}>
            Cancel
          </Button>
          <Button
            variant="primary"
            loading={busy}
            disabled={text === before || (isFull && !gone)}
            onClick={() => void save()}
          >
            Save changes
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        <PolicyText text={text} set={setText} kind="managed" room={MANAGED} refused={refused} />
        <Container
          header={
            <Header
              variant="h2"
              description="Saving makes a new version. The ones before stay, to go back to."
            >
              New version
            </Header>
          }
        >
          <SpaceBetween size="m">
            <Checkbox checked={current} onChange={({ detail }) => setCurrent(detail.checked)}>
              Set this new version as the default
            </Checkbox>
            {isFull && (
              <FormField
                label="Version to delete"
                description={`The policy has ${String(VERSIONS)} versions, which is the most. Choose one to delete; the default one cannot be.`}
              >
                <RadioGroup
                  value={gone}
                  onChange={({ detail }) => setGone(detail.value)}
                  items={versions
                    .filter((version) => !version.current)
                    .map(({ id, created }) => ({
                      value: id,
                      label: id,
                      description: full(created),
                    }))}
                />
              </FormField>
            )}
          </SpaceBetween>
        </Container>
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Form>
  );
}
