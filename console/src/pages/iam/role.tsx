// A role's page: summary, permissions, trust relationships, tags, and revoking its sessions.
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import Textarea from '@cloudscape-design/components/textarea';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { call } from '../../api/client';
import { UpdateRole } from '../../api/generated/iam';
import { listRoleInstanceProfiles, type Role } from '../../api/roles';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog, CopyText, Link, Loading } from '../../frame/parts';
import { ago, durationText, fullDate } from '../../lib/age';
import { UNKNOWN } from '../../lib/key-activity';
import { switchRoleHref } from '../../lib/switch-role';
import { isServiceLinked } from '../../lib/trust-policy';
import { DeleteRolesDialog } from './delete-role';
import { invalidateRole, useRole } from './queries';
import { RevokeSessions, RolePermissions, RoleTags, TrustRelationships } from './role-tabs';

export function RolePage() {
  const { name = '' } = useParams();
  const navigate = useNavigate();
  const { notifySuccess } = useFrame();
  const [search, setSearch] = useSearchParams();
  const [open, setOpen] = useState<'edit' | 'delete'>();
  const read = useRole(name);
  if (read.error) return <ErrorAlert error={read.error} retry={() => invalidateRole(name)} />;
  if (!read.data) return <Loading />;
  const role = read.data;
  const isLinked = isServiceLinked(role);
  const tabs = [
    { id: 'permissions', label: 'Permissions', content: <RolePermissions role={role} /> },
    { id: 'trust', label: 'Trust relationships', content: <TrustRelationships role={role} /> },
    {
      id: 'tags',
      label: `Tags (${String(role.Tags?.length ?? 0)})`,
      content: <RoleTags name={name} />,
    },
    ...(isLinked
      ? []
      : [{ id: 'sessions', label: 'Revoke sessions', content: <RevokeSessions role={role} /> }]),
  ];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          {...(role.Description ? { description: role.Description } : {})}
          actions={<Button onClick={() => setOpen('delete')}>Delete</Button>}
        >
          {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        {isLinked && (
          <Alert type="info">
            This is a service-linked role. It is linked to an AWS service, which defines its
            permissions and trust. You can change its description, or delete it when the service no
            longer uses it.
          </Alert>
        )}
        <Summary role={role} edit={() => setOpen('edit')} />
        <Tabs
          activeTabId={search.get('tab') ?? 'permissions'}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId }, { replace: true })}
          tabs={tabs}
        />
      </SpaceBetween>
      {open === 'edit' && (
        <EditRoleDialog
          role={role}
          onDismiss={() => setOpen(undefined)}
          onDone={() => {
            setOpen(undefined);
            invalidateRole(name);
            notifySuccess(`Role ${name} saved`);
          }}
        />
      )}
      {open === 'delete' && (
        <DeleteRolesDialog
          roles={[role]}
          onDismiss={() => setOpen(undefined)}
          onDone={(message) => {
            notifySuccess(message);
            void navigate('/iam/roles');
          }}
        />
      )}
    </ContentLayout>
  );
}

function Summary({ role, edit }: { role: Role; edit: () => void }) {
  const { session } = useFrame();
  const { RoleName: name, Path, MaxSessionDuration = HOUR } = role;
  const switchLink = switchRoleHref({ account: session.accountId, name: `${Path}${name}` });
  const profiles = useQuery({
    queryKey: ['role', name, 'profiles'],
    queryFn: () => listRoleInstanceProfiles(name),
  });
  return (
    <Container
      header={
        <Header variant="h2" actions={<Button onClick={edit}>Edit</Button>}>
          Summary
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        minColumnWidth={220}
        items={[
          { label: 'Creation date', value: fullDate(role.CreateDate) },
          { label: 'ARN', value: <CopyText text={role.Arn} label="ARN" /> },
          ...(isServiceLinked(role)
            ? []
            : [
                {
                  label: 'Link to switch roles in console',
                  value: (
                    <SpaceBetween direction="horizontal" size="xxs" alignItems="center">
                      <CopyText
                        iconOnly
                        text={`${location.origin}/console${switchLink}`}
                        label="Link"
                      />
                      <Link to={switchLink}>Switch to {name}</Link>
                    </SpaceBetween>
                  ),
                },
              ]),
          { label: 'Last activity', value: ago(role.RoleLastUsed?.LastUsedDate) },
          { label: 'Maximum session duration', value: durationText(MaxSessionDuration) },
          ...(profiles.data?.length === 0
            ? []
            : [
                {
                  label: 'Instance profile ARN',
                  value: profiles.error
                    ? UNKNOWN
                    : (profiles.data?.map(({ Arn }) => (
                        <CopyText key={Arn} text={Arn} label="Instance profile ARN" />
                      )) ?? '…'),
                },
              ]),
        ]}
      />
    </Container>
  );
}

const HOUR = 3_600;
const DURATIONS = [1, 2, 4, 8, 12].map((hours) => hours * HOUR);
const DESCRIPTION_MAX = 1000;

interface EditRoleDialogProps {
  role: Role;
  onDismiss: () => void;
  onDone: () => void;
}

function EditRoleDialog({ role, onDismiss, onDone }: EditRoleDialogProps) {
  const { RoleName, MaxSessionDuration: current = HOUR } = role;
  const [description, setDescription] = useState(role.Description ?? '');
  const [seconds, setSeconds] = useState(current);
  const isLinked = isServiceLinked(role);
  const isTooLong = description.length > DESCRIPTION_MAX;
  // A duration that another client has set is one of the options.
  const durations = [...new Set([...DURATIONS, current])].sort((a, b) => a - b);
  const option = (value: number) => ({ value: String(value), label: durationText(value) });
  return (
    <ActionDialog
      title={`Edit ${RoleName}`}
      verb="Save changes"
      disabled={isTooLong}
      onDismiss={onDismiss}
      onDone={onDone}
      action={() =>
        call(UpdateRole, {
          RoleName,
          Description: description,
          MaxSessionDuration: isLinked ? undefined : seconds,
        })
      }
    >
      <FormField
        label="Description"
        constraintText="Maximum 1,000 characters."
        errorText={isTooLong ? 'Maximum 1,000 characters.' : ''}
      >
        <Textarea
          value={description}
          rows={2}
          onChange={({ detail }) => setDescription(detail.value)}
        />
      </FormField>
      {!isLinked && (
        <FormField
          label="Maximum session duration"
          description="Sessions that are issued from now on may last this long. Sessions of roles that assume this role last up to 1 hour."
        >
          <Select
            selectedOption={option(seconds)}
            options={durations.map(option)}
            onChange={({ detail }) => setSeconds(Number(detail.selectedOption.value))}
          />
        </FormField>
      )}
    </ActionDialog>
  );
}
