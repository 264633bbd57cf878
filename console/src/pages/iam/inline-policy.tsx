// An inline policy of a user, group or role, created or changed.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { PutGroupPolicy, PutRolePolicy, PutUserPolicy } from '../../api/generated/iam';
import * as iam from '../../api/iam';
import type { PolicyQuota } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { displayText, quotaSize, NEW_POLICY } from '../../lib/policy-text';
import { ownerHref } from './permissions';
import { PolicyNameField, PolicyDocumentEditor, documentProblem, nameProblem, useDocumentSaving } from './policy-text';
import { invalidate } from './queries';

const QUOTAS = { user: 2048, group: 5120, role: 10_240 };

interface InitialPolicy {
  /** The names of all inline policies. */
  names: string[];
  text: string;
  /** Characters of the owner's other inline policies. */
  used: number;
}

async function readInitial(owner: iam.PolicyOwner, edited: string | null): Promise<InitialPolicy> {
  const names = await iam.listInlinePolicies(owner);
  const texts = await Promise.all(
    names.map(async (name) => ({ name, text: await iam.inlinePolicyDocument(owner, name) })),
  );
  const others = texts.filter(({ name }) => name !== edited);
  const used = others.reduce((sum, { text }) => sum + quotaSize(text), 0);
  if (edited === null) return { names, text: NEW_POLICY, used };
  // If the edited policy is missing, the service answers with an error.
  const own =
    texts.find(({ name }) => name === edited)?.text ??
    (await iam.inlinePolicyDocument(owner, edited));
  return { names, text: displayText(own), used };
}

type OwnerKind = keyof typeof QUOTAS;

const kindOf = (owner: iam.PolicyOwner): OwnerKind =>
  iam.forOwner<OwnerKind>(
    owner,
    () => 'user',
    () => 'group',
    () => 'role',
  );

const ownerOf = (kind: OwnerKind, name: string): iam.PolicyOwner =>
  ({ user: { UserName: name }, group: { GroupName: name }, role: { RoleName: name } })[kind];

/** The page for an inline policy of a user, of a group or of a role. */
function InlinePolicy({ of }: { of: OwnerKind }) {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const edited = search.get('policy');
  const owner = ownerOf(of, name);
  const read = useQuery({
    queryKey: [of === 'group' ? 'groups' : of, name, 'inline', edited],
    queryFn: () => readInitial(owner, edited),
    gcTime: 0,
    staleTime: Infinity,
  });
  if (read.error) return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  return <InlineForm owner={owner} edited={edited} initial={read.data} />;
}

export const UserInlinePolicyPage = () => <InlinePolicy of="user" />;
export const GroupInlinePolicyPage = () => <InlinePolicy of="group" />;
export const RoleInlinePolicyPage = () => <InlinePolicy of="role" />;

function InlineForm(props: {
  owner: iam.PolicyOwner;
  edited: string | null;
  initial: InitialPolicy;
}) {
  const { owner, edited, initial } = props;
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [name, setName] = useState(edited ?? '');
  const [text, setText] = useState(initial.text);
  const [isSubmitted, setIsSubmitted] = useState(false);
  const kind = kindOf(owner);
  const page = ownerHref(owner);
  const quota: PolicyQuota = { limit: QUOTAS[kind], used: initial.used };
  const isTaken = edited === null && initial.names.includes(name);
  const nameError = isTaken ? 'An inline policy with this name already exists.' : nameProblem(name);
  const { busy, problem, error, submit } = useDocumentSaving(
    () => documentProblem(text, 'inline', quota),
    async () => {
      const policy = { PolicyName: name, PolicyDocument: text };
      await iam.forOwner<Promise<unknown>>(
        owner,
        (user) => call(PutUserPolicy, { ...user, ...policy }),
        (group) => call(PutGroupPolicy, { ...group, ...policy }),
        (role) => call(PutRolePolicy, { ...role, ...policy }),
      );
      invalidate(['user'], ['groups'], ['role']);
      notifySuccess(`Policy ${name} ${edited === null ? 'created' : 'saved'}`);
      void navigate(page);
    },
  );
  const save = async (): Promise<void> => {
    setIsSubmitted(true);
    if (!nameError) await submit();
  };
  return (
    <Form
      header={
        <Header
          variant="h1"
          description={`An inline policy is embedded in this ${kind} and is deleted with it.`}
        >
          {edited === null ? 'Create inline policy' : `Edit ${edited}`}
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
            disabled={edited !== null && text === initial.text}
            onClick={() => void save()}
          >
            {edited === null ? 'Create policy' : 'Save changes'}
          </Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {edited === null && (
          <Container header={<Header variant="h2">Policy details</Header>}>
            <PolicyNameField name={name} set={setName} problem={isSubmitted ? nameError : ''} />
          </Container>
        )}
        <PolicyDocumentEditor
          text={text}
          set={setText}
          kind="inline"
          quota={quota}
          description={`The inline policies of this ${kind} share a quota of ${quota.limit.toLocaleString('en')} characters.`}
          problem={problem}
        />
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Form>
  );
}
