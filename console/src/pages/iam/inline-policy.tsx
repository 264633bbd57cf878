// An inline policy of a user or group: written anew, or changed.
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import * as iam from '../../api/iam';
import type { Room } from '../../editor/policy-editor';
import { useFrame } from '../../frame/context';
import { Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { shown, size, SKELETON } from '../../lib/policy-text';
import { PolicyName, PolicyText, refusedFor, wrongName } from './policy-text';
import { changed } from './queries';

const LIMITS = { user: 2048, group: 5120 };

interface Begun {
  /** The names that are taken. */
  names: string[];
  text: string;
  /** Characters of the owner's other inline policies. */
  taken: number;
}

async function begin(owner: iam.Owner, edited: string | null): Promise<Begun> {
  const names = await iam.inlineOf(owner);
  const texts = await Promise.all(
    names.map(async (name) => ({ name, text: await iam.inlineText(owner, name) })),
  );
  const others = texts.filter(({ name }) => name !== edited);
  const taken = others.reduce((sum, { text }) => sum + size(text), 0);
  if (edited === null) return { names, text: SKELETON, taken };
  // One that is not there any more is refused by the service in its own words.
  const own =
    texts.find(({ name }) => name === edited)?.text ?? (await iam.inlineText(owner, edited));
  return { names, text: shown(own), taken };
}

/** The page for an inline policy of a user or of a group. */
function InlinePolicy({ of }: { of: 'user' | 'group' }) {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const edited = search.get('policy');
  const owner: iam.Owner = of === 'user' ? { UserName: name } : { GroupName: name };
  const read = useQuery({
    queryKey: [of === 'user' ? 'user' : 'groups', name, 'inline', edited],
    queryFn: () => begin(owner, edited),
    gcTime: 0,
    staleTime: Infinity,
  });
  if (read.error) return <Problem error={read.error} retry={() => void read.refetch()} />;
  if (!read.data) return <Loading />;
  return <InlineForm owner={owner} edited={edited} begun={read.data} />;
}

export const UserInlinePolicy = () => <InlinePolicy of="user" />;
export const GroupInlinePolicy = () => <InlinePolicy of="group" />;

function InlineForm(props: { owner: iam.Owner; edited: string | null; begun: Begun }) {
  const { owner, edited, begun } = props;
  const navigate = useNavigate();
  const { done } = useFrame();
  const [name, setName] = useState(edited ?? '');
  const [text, setText] = useState(begun.text);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, refuse] = useState<string>();
  const [error, setError] = useState<unknown>();
  const isUser = 'UserName' in owner;
  const who = isUser ? owner.UserName : owner.GroupName;
  const page = `/iam/${isUser ? 'users' : 'groups'}/${encodeURIComponent(who)}`;
  const room: Room = { limit: isUser ? LIMITS.user : LIMITS.group, taken: begun.taken };
  const taken = edited === null && begun.names.includes(name);
  const nameError = taken ? 'There is an inline policy of this name.' : wrongName(name);
  const save = async (): Promise<void> => {
    setTried(true);
    if (nameError) return;
    setBusy(true);
    setError(undefined);
    try {
      const why = await refusedFor(text, 'inline', room);
      refuse(why);
      if (why) return;
      const operation = isUser ? 'PutUserPolicy' : 'PutGroupPolicy';
      await call('iam', operation, { ...owner, PolicyName: name, PolicyDocument: text });
      changed(['user'], ['groups']);
      done(`Policy ${name} ${edited === null ? 'created' : 'saved'}`);
      void navigate(page);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Form
      header={
        <Header
          variant="h1"
          description={`An inline policy belongs to ${who} alone, and goes when ${who} goes.`}
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
            disabled={edited !== null && text === begun.text}
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
            <PolicyName name={name} set={setName} wrong={tried ? nameError : ''} />
          </Container>
        )}
        <PolicyText
          text={text}
          set={setText}
          kind="inline"
          room={room}
          description={`All inline policies of ${who} share ${room.limit.toLocaleString('en')} characters.`}
          refused={refused}
        />
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Form>
  );
}
