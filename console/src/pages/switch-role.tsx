// The form that switches to a role, filled in by the link of a role's page.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Form from '@cloudscape-design/components/form';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { SWITCH_FAILURE, switchRole } from '../api/role-session';
import { isRoot, queryClient, ROLE_QUERY } from '../api/session';
import { useFrame } from '../frame/context';
import { ErrorAlert } from '../frame/error-alert';
import {
  knownColor,
  ROLE_COLORS,
  switchProblems,
  type ActingRole,
  type SwitchTarget,
} from '../lib/switch-role';

const NO_COLOR = { value: '', label: 'None' };
const COLORS = [NO_COLOR, ...ROLE_COLORS.map(([label, value]) => ({ value, label }))];

export function SwitchRolePage() {
  const [search] = useSearchParams();
  // Another link fills in the form again.
  return <SwitchRoleForm key={search.toString()} search={search} />;
}

function SwitchRoleForm({ search }: { search: URLSearchParams }) {
  const navigate = useNavigate();
  const { session, user } = useFrame();
  const [target, setTarget] = useState<Required<SwitchTarget>>({
    account: search.get('account') ?? session.accountId,
    name: search.get('roleName') ?? '',
    displayName: search.get('displayName') ?? '',
    color: knownColor(search.get('color')),
  });
  const [isSubmitted, setIsSubmitted] = useState(false);
  const [error] = useState(() => queryClient.getQueryData(SWITCH_FAILURE));
  const { role } = session;
  useEffect(() => {
    queryClient.removeQueries({ queryKey: SWITCH_FAILURE });
    if (!role?.isNew) return;
    queryClient.setQueryData<ActingRole>(ROLE_QUERY, { ...role, isNew: false });
    void navigate('/iam', { replace: true });
  }, [role, navigate]);
  const problems = switchProblems(target);
  const problem = (field: keyof typeof problems): string => (isSubmitted ? problems[field] : '');
  const set = (part: Partial<SwitchTarget>): void => setTarget({ ...target, ...part });
  const submit = (): void => {
    setIsSubmitted(true);
    if (Object.values(problems).every((text) => text === '')) switchRole(user, target);
  };
  const header = (
    <Header
      variant="h1"
      description="Act with the permissions of a role, in this or another account. You can switch back to your user at any time."
    >
      Switch role
    </Header>
  );
  if (isRoot(user))
    return (
      <Form header={header}>
        <Alert type="info">
          The root user can&apos;t switch to a role. Sign in as an IAM user who may assume it.
        </Alert>
      </Form>
    );
  const text = (
    field: 'account' | 'name' | 'displayName',
    label: string,
    description: string,
    placeholder = '',
  ) => (
    <FormField label={label} description={description} errorText={problem(field)}>
      <Input
        value={target[field]}
        placeholder={placeholder}
        spellcheck={false}
        autoComplete={false}
        onChange={({ detail }) => set({ [field]: detail.value })}
      />
    </FormField>
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Form
        header={header}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button formAction="none" variant="link" onClick={() => void navigate('/iam')}>
              Cancel
            </Button>
            <Button variant="primary">Switch Role</Button>
          </SpaceBetween>
        }
      >
        <SpaceBetween size="l">
          <Container>
            <SpaceBetween size="m">
              {text(
                'account',
                'Account ID',
                'The 12-digit number of the account that has the role.',
              )}
              {text('name', 'IAM role name', 'For example, developers or /teams/developers.')}
              {text(
                'displayName',
                'Display name – optional',
                'The name that the console shows while you use the role.',
                target.name && `${target.name} @ ${target.account}`,
              )}
              <FormField
                label="Display color – optional"
                description="The color that the console shows while you use the role."
              >
                <Select
                  selectedOption={COLORS.find(({ value }) => value === target.color) ?? NO_COLOR}
                  options={COLORS}
                  onChange={({ detail }) => set({ color: detail.selectedOption.value ?? '' })}
                />
              </FormField>
            </SpaceBetween>
          </Container>
          {error !== undefined && <ErrorAlert error={error} />}
        </SpaceBetween>
      </Form>
    </form>
  );
}
