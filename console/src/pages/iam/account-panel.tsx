// The account: its ID, its alias, and the sign-in URL of its users.
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
import { CreateAccountAlias, DeleteAccountAlias } from '../../api/generated/iam';
import { useFrame } from '../../frame/context';
import { ActionDialog, CopyText } from '../../frame/parts';
import { groupedAccountId } from '../../frame/shell';
import { UNKNOWN } from '../../lib/key-activity';
import { signInUrl } from './create-user';
import { invalidate, useAlias } from './queries';

const ALIAS = /^[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]$/;
const ALIAS_RULE =
  '3 to 63 characters: a-z, 0-9, and single hyphens between them. It must not be 12 digits.';

export function AccountPanel() {
  const { session, notifySuccess } = useFrame();
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
  const isValid = ALIAS.test(text) && !/^\d{12}$/.test(text);
  const hasError = text !== '' && !isValid;
  const close = (message?: string) => (): void => {
    setEditing(false);
    setDeleting(false);
    invalidate(['alias']);
    if (message !== undefined) notifySuccess(message);
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
                {groupedAccountId(session.accountId)}{' '}
                <CopyText iconOnly text={session.accountId} label="Account ID" />
              </>
            ),
          },
          {
            label: 'Account alias',
            value: alias.isSuccess ? (alias.data ?? 'None') : alias.error ? UNKNOWN : '…',
          },
          {
            label: 'Sign-in URL for IAM users',
            value: <CopyText text={url} label="Sign-in URL" />,
          },
        ]}
      />
      {editing && (
        <ActionDialog
          title={alias.data ? 'Edit alias' : 'Create alias'}
          verb="Save changes"
          disabled={!isValid || text === alias.data}
          onDismiss={() => setEditing(false)}
          action={() => call(CreateAccountAlias, { AccountAlias: text })}
          onDone={close('Alias saved')}
        >
          <FormField
            label="Preferred alias"
            constraintText={hasError ? '' : ALIAS_RULE}
            errorText={hasError ? ALIAS_RULE : ''}
          >
            <Input
              value={text}
              spellcheck={false}
              autoComplete={false}
              onChange={({ detail }) => setText(detail.value)}
            />
          </FormField>
          <Box color="text-body-secondary">
            The alias replaces the account ID in the sign-in URL. The account ID continues to work
            {alias.data ? '; the current alias does not' : ''}.
          </Box>
        </ActionDialog>
      )}
      {deleting && (
        <ActionDialog
          title="Delete alias?"
          verb="Delete alias"
          onDismiss={() => setDeleting(false)}
          action={() => call(DeleteAccountAlias, { AccountAlias: alias.data ?? undefined })}
          onDone={close('Alias deleted')}
        >
          <Box>
            Sign-in URLs with the alias will no longer work. The account ID continues to work.
          </Box>
        </ActionDialog>
      )}
    </Container>
  );
}
