// The account: its number, its alias, and where its users sign in.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { call } from '../../api/client';
import { useFrame } from '../../frame/context';
import { Confirm, Copy } from '../../frame/parts';
import { grouped } from '../../frame/shell';
import { signInUrl } from './create-user';
import { changed, useAlias } from './queries';

const ALIAS = /^[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]$/;
const ALIAS_RULE =
  '3 to 63 characters: a-z, 0-9 and single hyphens between them, and not 12 digits';

export function AccountPanel() {
  const { session, done } = useFrame();
  const alias = useAlias();
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [text, setText] = useState('');
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {alias.data && <Button onClick={() => setDeleting(true)}>Delete alias</Button>}
      <Button
        disabled={!alias.isSuccess}
        onClick={() => {
          setText(alias.data ?? '');
          setEditing(true);
        }}
      >
        {alias.data ? 'Edit alias' : 'Create alias'}
      </Button>
    </SpaceBetween>
  );
  const url = signInUrl(alias.data ?? session.accountId);
  const wrong = ALIAS.test(text) && !/^\d{12}$/.test(text) ? '' : ALIAS_RULE;
  const close = (said?: string) => (): void => {
    setEditing(false);
    setDeleting(false);
    changed(['alias']);
    if (said) done(said);
  };
  return (
    <Container
      header={
        <Header variant="h2" actions={actions}>
          Account
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          {
            label: 'Account ID',
            value: (
              <>
                {grouped(session.accountId)}{' '}
                <Copy iconOnly text={session.accountId} label="Account ID" />
              </>
            ),
          },
          { label: 'Account alias', value: alias.isSuccess ? (alias.data ?? 'None') : '–' },
          { label: 'Sign-in URL for IAM users', value: <Copy text={url} label="Sign-in URL" /> },
        ]}
      />
      {editing && (
        <Confirm
          title={alias.data ? 'Edit alias' : 'Create alias'}
          verb="Save changes"
          disabled={wrong !== '' || text === alias.data}
          onDismiss={() => setEditing(false)}
          act={() => call('iam', 'CreateAccountAlias', { AccountAlias: text })}
          done={close('Alias saved')}
        >
          <FormField
            label="Preferred alias"
            constraintText={ALIAS_RULE}
            errorText={text === '' ? '' : wrong}
          >
            <Input
              value={text}
              spellcheck={false}
              autoComplete={false}
              onChange={({ detail }) => setText(detail.value)}
            />
          </FormField>
          <Box color="text-body-secondary">
            The account has one alias. It becomes part of the sign-in URL in place of the account
            ID, which goes on to work{alias.data ? '; the old alias does not' : ''}.
          </Box>
        </Confirm>
      )}
      {deleting && (
        <Confirm
          title="Delete the alias?"
          verb="Delete alias"
          onDismiss={() => setDeleting(false)}
          act={() => call('iam', 'DeleteAccountAlias', { AccountAlias: alias.data ?? undefined })}
          done={close('Alias deleted')}
        >
          <Box>Sign-in URLs with the alias no longer work; the account ID goes on to work.</Box>
        </Confirm>
      )}
    </Container>
  );
}
