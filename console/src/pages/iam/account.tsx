// Account settings: what the account asks of passwords, and its alias.
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
import type { PasswordPolicy } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Confirm } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { AccountPanel } from './account-panel';
import { changed, usePasswordPolicy } from './queries';

export function AccountSettings() {
  return (
    <ContentLayout header={<Header variant="h1">Account settings</Header>}>
      <SpaceBetween size="l">
        <PasswordPanel />
        <AccountPanel />
      </SpaceBetween>
    </ContentLayout>
  );
}

/** What holds where the account has no policy of its own. */
const DEFAULT_RULES = [
  'At least 8 characters',
  "At least three of: upper case, lower case, digits, symbols ! @ # $ % ^ & * ( ) _ + - = [ ] { } | '",
  'Not the same as the account alias',
  'A password never expires',
];

/** What an own policy begins with: AWS's choice in its form. */
const FIRST: PasswordPolicy = {
  length: 8,
  upper: true,
  lower: true,
  digit: true,
  symbol: true,
  own: true,
  hard: false,
};

function rules(policy: PasswordPolicy): string[] {
  const needs = [
    policy.upper && 'an upper case letter',
    policy.lower && 'a lower case letter',
    policy.digit && 'a digit',
    policy.symbol && 'a symbol',
  ].filter(Boolean);
  return [
    `At least ${String(policy.length)} characters`,
    ...(needs.length > 0 ? [`At least ${needs.join(', ')}`] : []),
    policy.expires
      ? `Expires after ${String(policy.expires)} days${policy.hard ? ', then only an administrator can set a new one' : ''}`
      : 'A password never expires',
    policy.own
      ? 'Users may change their own password'
      : 'Users may change their own password only where a policy allows it',
    policy.reuse
      ? `The last ${String(policy.reuse)} passwords may not come back`
      : 'Earlier passwords may come back',
  ];
}

function PasswordPanel() {
  const policy = usePasswordPolicy();
  const [open, setOpen] = useState<'edit' | 'delete'>();
  const { done } = useFrame();
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    changed(['password-policy']);
    done(said);
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
          description="What a console password of an IAM user must be like. It holds for new passwords; expiry holds at once."
          actions={actions}
        >
          Password policy
        </Header>
      }
    >
      {policy.error && <Problem error={policy.error} retry={() => changed(['password-policy'])} />}
      {policy.isPending && <StatusIndicator type="loading">Loading</StatusIndicator>}
      {policy.isSuccess && (
        <>
          <Box variant="awsui-key-label">
            {policy.data ? 'Custom policy' : 'IAM default policy'}
          </Box>
          <ul>
            {(policy.data ? rules(policy.data) : DEFAULT_RULES).map((rule) => (
              <li key={rule}>{rule}</li>
            ))}
          </ul>
        </>
      )}
      {open === 'edit' && (
        <EditPasswordPolicy
          current={policy.data ?? null}
          dismiss={close()}
          done={close('Password policy saved')}
        />
      )}
      {open === 'delete' && (
        <Confirm
          title="Delete the custom password policy?"
          verb="Delete custom"
          typed="delete"
          onDismiss={close()}
          act={() => call('iam', 'DeleteAccountPasswordPolicy')}
          done={close('Password policy deleted')}
        >
          IAM's default policy holds from then on: passwords no longer expire, and earlier ones may
          come back.
        </Confirm>
      )}
    </Container>
  );
}

/** A field's number, or why it is none. */
function number(text: string, [from, to]: readonly [number, number]): number | string {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= from && value <= to
    ? value
    : `A number from ${String(from)} to ${String(to)}`;
}

const RANGES = { length: [6, 128], expires: [1, 1095], reuse: [1, 24] } as const;

interface Written {
  length: string;
  expires: string;
  reuse: string;
  expiring: boolean;
  preventing: boolean;
}

const CHECKS: readonly (readonly [part: 'upper' | 'lower' | 'digit' | 'symbol', label: string])[] =
  [
    ['upper', 'Require at least one uppercase letter from the Latin alphabet (A-Z)'],
    ['lower', 'Require at least one lowercase letter from the Latin alphabet (a-z)'],
    ['digit', 'Require at least one number'],
    [
      'symbol',
      "Require at least one non-alphanumeric character ( ! @ # $ % ^ & * ( ) _ + - = [ ] { } | ' )",
    ],
  ];

function EditPasswordPolicy(props: {
  current: PasswordPolicy | null;
  dismiss: () => void;
  done: () => void;
}) {
  const { current, dismiss, done } = props;
  const [custom, setCustom] = useState(current !== null);
  const [policy, setPolicy] = useState(current ?? FIRST);
  const [fields, setFields] = useState<Written>({
    length: String((current ?? FIRST).length),
    expires: String(current?.expires ?? 90),
    reuse: String(current?.reuse ?? 5),
    expiring: current?.expires !== undefined,
    preventing: current?.reuse !== undefined,
  });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const length = number(fields.length, RANGES.length);
  const expires = fields.expiring ? number(fields.expires, RANGES.expires) : undefined;
  const reuse = fields.preventing ? number(fields.reuse, RANGES.reuse) : undefined;
  const wrong = custom && [length, expires, reuse].some((one) => typeof one === 'string');
  const save = async (): Promise<void> => {
    if (!custom) {
      if (current) await call('iam', 'DeleteAccountPasswordPolicy');
      return;
    }
    await call('iam', 'UpdateAccountPasswordPolicy', {
      MinimumPasswordLength: length,
      RequireUppercaseCharacters: policy.upper,
      RequireLowercaseCharacters: policy.lower,
      RequireNumbers: policy.digit,
      RequireSymbols: policy.symbol,
      AllowUsersToChangePassword: policy.own,
      MaxPasswordAge: expires,
      HardExpiry: fields.expiring ? policy.hard : undefined,
      PasswordReusePrevention: reuse,
    });
  };
  const go = (): void => {
    setBusy(true);
    setError(undefined);
    save()
      .then(done, setError)
      .finally(() => setBusy(false));
  };
  const field = (
    name: 'length' | 'expires' | 'reuse',
    label: string,
    value: number | string | undefined,
  ) => (
    <FormField
      label={label}
      errorText={typeof value === 'string' ? value : ''}
      constraintText={`From ${String(RANGES[name][0])} to ${String(RANGES[name][1])}`}
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
      onDismiss={dismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={dismiss}>
              Cancel
            </Button>
            <Button variant="primary" loading={busy} disabled={wrong} onClick={go}>
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
            { value: 'default', label: 'IAM default', description: 'What AWS asks by itself.' },
            { value: 'custom', label: 'Custom', description: 'What this account asks.' },
          ]}
        />
        {!custom && (
          <ul>
            {DEFAULT_RULES.map((rule) => (
              <li key={rule}>{rule}</li>
            ))}
          </ul>
        )}
        {!custom && current && (
          <Alert type="warning">The custom policy is deleted. This cannot be undone.</Alert>
        )}
        {custom && (
          <SpaceBetween size="m">
            {field('length', 'Password minimum length', length)}
            <FormField label="Password strength">
              <SpaceBetween size="xs">
                {CHECKS.map(([part, label]) => (
                  <Checkbox
                    key={part}
                    checked={policy[part]}
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
                    checked={policy.hard}
                    onChange={({ detail }) => setPolicy({ ...policy, hard: detail.checked })}
                  >
                    Password expiration requires administrator reset
                  </Checkbox>
                )}
                <Checkbox
                  checked={policy.own}
                  onChange={({ detail }) => setPolicy({ ...policy, own: detail.checked })}
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
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Modal>
  );
}
