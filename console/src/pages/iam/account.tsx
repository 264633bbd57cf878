// Account settings: the password policy, and the alias.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Tiles from '@cloudscape-design/components/tiles';
import { useState } from 'react';

import { call } from '../../api/client';
import { DeleteAccountPasswordPolicy, UpdateAccountPasswordPolicy } from '../../api/generated/iam';
import type { PasswordPolicy } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { ActionDialog } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { AccountPanel } from './account-panel';
import { PasswordRules } from './password-rules';
import { invalidate, usePasswordPolicy } from './queries';

export function AccountSettingsPage() {
  return (
    <ContentLayout header={<Header variant="h1">Account settings</Header>}>
      <SpaceBetween size="l">
        <PasswordPanel />
        <AccountPanel />
      </SpaceBetween>
    </ContentLayout>
  );
}

/** The initial values of a custom policy, as in AWS's console. */
const INITIAL_POLICY: PasswordPolicy = {
  MinimumPasswordLength: 8,
  RequireUppercaseCharacters: true,
  RequireLowercaseCharacters: true,
  RequireNumbers: true,
  RequireSymbols: true,
  AllowUsersToChangePassword: true,
  ExpirePasswords: false,
};

function PasswordPanel() {
  const policy = usePasswordPolicy();
  const [open, setOpen] = useState<'edit' | 'delete'>();
  const { notifySuccess } = useFrame();
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    invalidate(['password-policy']);
    notifySuccess(message);
  };
  const actions = (
    <SpaceBetween direction="horizontal" size="xs">
      {policy.data && <Button onClick={() => setOpen('delete')}>Delete</Button>}
      <Button disabled={!policy.isSuccess} onClick={() => setOpen('edit')}>
        Edit
      </Button>
    </SpaceBetween>
  );
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="Password requirements for IAM users. Changes apply to new passwords; expiration applies immediately."
          actions={actions}
        >
          Password policy
        </Header>
      }
    >
      {policy.error && (
        <ErrorAlert error={policy.error} retry={() => invalidate(['password-policy'])} />
      )}
      {policy.isPending && <StatusIndicator type="loading">Loading</StatusIndicator>}
      {policy.isSuccess && (
        <>
          <Box variant="awsui-key-label">
            {policy.data ? 'Custom password policy' : 'IAM default password policy'}
          </Box>
          <PasswordRules policy={policy.data} />
        </>
      )}
      {open === 'edit' && (
        <EditPasswordPolicy
          current={policy.data ?? null}
          onDismiss={close()}
          onDone={close('Password policy saved')}
        />
      )}
      {open === 'delete' && (
        <ActionDialog
          title="Delete custom password policy?"
          verb="Delete custom"
          confirmText="delete"
          onDismiss={close()}
          action={() => call(DeleteAccountPasswordPolicy)}
          onDone={close('Password policy deleted')}
        >
          The default password policy applies instead: passwords don&apos;t expire, and password
          reuse is allowed.
        </ActionDialog>
      )}
    </Container>
  );
}

/** A field's number; undefined where it is none, or out of range. */
function inRange(text: string, [from, to]: readonly [number, number]): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= from && value <= to ? value : undefined;
}

const RANGES = { length: [6, 128], expires: [1, 1095], reuse: [1, 24] } as const;

const range = (name: keyof typeof RANGES): string =>
  `from ${String(RANGES[name][0])} to ${String(RANGES[name][1])}`;

interface PolicyFields {
  length: string;
  expires: string;
  reuse: string;
  expiring: boolean;
  preventing: boolean;
}

type PasswordRequirement =
  'RequireUppercaseCharacters' | 'RequireLowercaseCharacters' | 'RequireNumbers' | 'RequireSymbols';

const CHECKS: readonly (readonly [member: PasswordRequirement, label: string])[] = [
  [
    'RequireUppercaseCharacters',
    'Require at least one uppercase letter from the Latin alphabet (A-Z)',
  ],
  [
    'RequireLowercaseCharacters',
    'Require at least one lowercase letter from the Latin alphabet (a-z)',
  ],
  ['RequireNumbers', 'Require at least one number'],
  [
    'RequireSymbols',
    "Require at least one non-alphanumeric character ( ! @ # $ % ^ & * ( ) _ + - = [ ] { } | ' )",
  ],
];

function EditPasswordPolicy(props: {
  current: PasswordPolicy | null;
  onDismiss: () => void;
  onDone: () => void;
}) {
  const { current, onDismiss, onDone } = props;
  const [custom, setCustom] = useState(current !== null);
  const [policy, setPolicy] = useState(current ?? INITIAL_POLICY);
  const [fields, setFields] = useState<PolicyFields>({
    length: String((current ?? INITIAL_POLICY).MinimumPasswordLength),
    expires: String(current?.MaxPasswordAge ?? 90),
    reuse: String(current?.PasswordReusePrevention ?? 5),
    expiring: current?.MaxPasswordAge !== undefined,
    preventing: current?.PasswordReusePrevention !== undefined,
  });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const length = inRange(fields.length, RANGES.length);
  const expires = inRange(fields.expires, RANGES.expires);
  const reuse = inRange(fields.reuse, RANGES.reuse);
  const isInvalid =
    custom &&
    (length === undefined ||
      (fields.expiring && expires === undefined) ||
      (fields.preventing && reuse === undefined));
  const save = async (): Promise<void> => {
    if (!custom) {
      if (current) await call(DeleteAccountPasswordPolicy);
      return;
    }
    await call(UpdateAccountPasswordPolicy, {
      MinimumPasswordLength: length,
      RequireUppercaseCharacters: policy.RequireUppercaseCharacters,
      RequireLowercaseCharacters: policy.RequireLowercaseCharacters,
      RequireNumbers: policy.RequireNumbers,
      RequireSymbols: policy.RequireSymbols,
      AllowUsersToChangePassword: policy.AllowUsersToChangePassword,
      MaxPasswordAge: fields.expiring ? expires : undefined,
      HardExpiry: fields.expiring ? policy.HardExpiry : undefined,
      PasswordReusePrevention: fields.preventing ? reuse : undefined,
    });
  };
  const go = (): void => {
    setBusy(true);
    setError(undefined);
    save()
      .then(onDone, setError)
      .finally(() => setBusy(false));
  };
  const field = (
    name: 'length' | 'expires' | 'reuse',
    label: string,
    value: number | undefined,
  ) => (
    <FormField
      label={label}
      errorText={value === undefined ? `Enter a number ${range(name)}.` : ''}
      constraintText={`A number ${range(name)}`}
    >
      <Input
        type="number"
        inputMode="numeric"
        value={fields[name]}
        onChange={({ detail }) => setFields({ ...fields, [name]: detail.value })}
      />
    </FormField>
  );
  return (
    <Modal
      visible
      size="large"
      header="Edit password policy"
      closeAriaLabel="Close"
      onDismiss={onDismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onDismiss}>
              Cancel
            </Button>
            <Button variant="primary" loading={busy} disabled={isInvalid} onClick={go}>
              Save changes
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Tiles
          value={custom ? 'custom' : 'default'}
          ariaLabel="Password policy"
          onChange={({ detail }) => setCustom(detail.value === 'custom')}
          items={[
            {
              value: 'default',
              label: 'IAM default',
              description: 'Apply default password requirements.',
            },
            {
              value: 'custom',
              label: 'Custom',
              description: 'Apply customized password requirements.',
            },
          ]}
        />
        {!custom && <PasswordRules policy={null} />}
        {!custom && current && (
          <Alert type="warning">
            The custom password policy will be deleted. This can&apos;t be undone.
          </Alert>
        )}
        {custom && (
          <SpaceBetween size="m">
            {field('length', 'Password minimum length', length)}
            <FormField label="Password strength">
              <SpaceBetween size="xs">
                {CHECKS.map(([part, label]) => (
                  <Checkbox
                    key={part}
                    checked={policy[part] === true}
                    onChange={({ detail }) => setPolicy({ ...policy, [part]: detail.checked })}
                  >
                    {label}
                  </Checkbox>
                ))}
              </SpaceBetween>
            </FormField>
            <FormField label="Other requirements" stretch>
              <SpaceBetween size="xs">
                <Checkbox
                  checked={fields.expiring}
                  onChange={({ detail }) => setFields({ ...fields, expiring: detail.checked })}
                >
                  Turn on password expiration
                </Checkbox>
                {fields.expiring && field('expires', 'Expire passwords in days', expires)}
                {fields.expiring && (
                  <Checkbox
                    checked={policy.HardExpiry === true}
                    onChange={({ detail }) => setPolicy({ ...policy, HardExpiry: detail.checked })}
                  >
                    Password expiration requires administrator reset
                  </Checkbox>
                )}
                <Checkbox
                  checked={policy.AllowUsersToChangePassword === true}
                  onChange={({ detail }) =>
                    setPolicy({ ...policy, AllowUsersToChangePassword: detail.checked })
                  }
                >
                  Allow users to change their own password
                </Checkbox>
                <Checkbox
                  checked={fields.preventing}
                  onChange={({ detail }) => setFields({ ...fields, preventing: detail.checked })}
                >
                  Prevent password reuse
                </Checkbox>
                {fields.preventing && field('reuse', 'Remember passwords', reuse)}
              </SpaceBetween>
            </FormField>
          </SpaceBetween>
        )}
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Modal>
  );
}
