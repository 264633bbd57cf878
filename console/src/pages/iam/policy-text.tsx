// The text of a policy and its name, as every page that writes one asks for them.
import Alert from '@cloudscape-design/components/alert';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { validate } from '../../api/policy';
import { PolicyEditor, remaining, type Room } from '../../editor/policy-editor';

export const MANAGED: Room = { limit: 6144 };
const NAME = /^[\w+=,.@-]{1,128}$/;
const NAME_RULE = 'Up to 128 characters: A-Z, a-z, 0-9 and + = , . @ _ - (hyphen)';

/** What is wrong with a name, or nothing. */
export const wrongName = (name: string): string => (NAME.test(name) ? '' : NAME_RULE);

/** What keeps a text from being stored, or nothing; whoever may not ask learns it when storing. */
export async function refusedFor(text: string, kind: 'managed' | 'inline', room: Room) {
  if (text.trim() === '') return 'Write a policy first.';
  if (remaining(text, room) < 0) return 'The policy is longer than the quota allows.';
  const findings = await validate(text, { type: kind }).catch(() => []);
  const error = findings.find(({ type }) => type === 'ERROR');
  return error && `Line ${String(error.line)}, column ${String(error.column)}: ${error.message}`;
}

/** The editor in its frame, with what keeps the text from being stored. */
export function PolicyText(props: {
  text: string;
  set: (text: string) => void;
  kind: 'managed' | 'inline';
  room: Room;
  description?: string;
  refused: string | undefined;
}) {
  const { text, set, kind, room, description, refused } = props;
  return (
    <Container
      header={
        <Header variant="h2" {...(description ? { description } : {})}>
          Policy editor
        </Header>
      }
    >
      <SpaceBetween size="m">
        {refused && (
          <Alert type="error" header="The policy would not be accepted">
            {refused}
          </Alert>
        )}
        <PolicyEditor text={text} set={set} kind={{ type: kind }} room={room} />
      </SpaceBetween>
    </Container>
  );
}

/** The field for a policy's name. */
export function PolicyName(props: { name: string; set: (name: string) => void; wrong: string }) {
  return (
    <FormField label="Policy name" constraintText={NAME_RULE} errorText={props.wrong}>
      <Input
        value={props.name}
        spellcheck={false}
        autoComplete={false}
        onChange={({ detail }) => props.set(detail.value)}
      />
    </FormField>
  );
}
