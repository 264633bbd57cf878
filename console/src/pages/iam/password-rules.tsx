// The rules of a password policy as a list.
import type { PasswordPolicy } from '../../api/iam';
import { usePasswordPolicy } from './queries';

/** IAM's rules where the account has no password policy. */
const DEFAULT_RULES = [
  'Minimum length: 8 characters',
  "At least three of: uppercase letters, lowercase letters, numbers, symbols ! @ # $ % ^ & * ( ) _ + - = [ ] { } | '",
  'Not identical to the account alias',
  'Never expire password',
];

function rulesOf(policy: PasswordPolicy): string[] {
  const characters = [
    policy.RequireUppercaseCharacters && 'an uppercase letter',
    policy.RequireLowercaseCharacters && 'a lowercase letter',
    policy.RequireNumbers && 'a number',
    policy.RequireSymbols && 'a symbol',
  ].filter((text) => typeof text === 'string');
  return [
    `Minimum length: ${String(policy.MinimumPasswordLength ?? 6)} characters`,
    ...(characters.length > 0 ? [`At least ${characters.join(', ')}`] : []),
    policy.MaxPasswordAge
      ? `Password expires after ${String(policy.MaxPasswordAge)} days${policy.HardExpiry ? ', and requires administrator reset' : ''}`
      : 'Never expire password',
    policy.AllowUsersToChangePassword
      ? 'Users can change their own password'
      : 'Users can change their own password only if a policy allows it',
    policy.PasswordReusePrevention
      ? `Remember last ${String(policy.PasswordReusePrevention)} passwords and prevent reuse`
      : 'Password reuse allowed',
  ];
}

/** The rules in force: the account's, or IAM's default where it has none. */
export function PasswordRules({ policy }: { policy: PasswordPolicy | null }) {
  return (
    <ul>
      {(policy ? rulesOf(policy) : DEFAULT_RULES).map((rule) => (
        <li key={rule}>{rule}</li>
      ))}
    </ul>
  );
}

/** The rules of this account. */
export function CurrentPasswordRules() {
  const policy = usePasswordPolicy();
  if (policy.error)
    return <>The account&apos;s password policy, which you may not view, applies.</>;
  return policy.data === undefined ? null : <PasswordRules policy={policy.data} />;
}
