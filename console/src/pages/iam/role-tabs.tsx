// The tabs of a role's page: permissions, trust relationships, tags, and revoking its sessions.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { call } from '../../api/client';
import {
  DeleteRolePermissionsBoundary,
  PutRolePermissionsBoundary,
  TagRole,
  UntagRole,
} from '../../api/generated/iam';
import { inlinePolicyDocument, unlessMissing } from '../../api/iam';
import { listRoleTags, revokeSessions, trustPolicy, type Role } from '../../api/roles';
import { Editor } from '../../editor/editor';
import { useFrame } from '../../frame/context';
import { ErrorAlert } from '../../frame/error-alert';
import { ActionDialog } from '../../frame/parts';
import { fullDate } from '../../lib/age';
import { displayText } from '../../lib/policy-text';
import { isServiceLinked, REVOCATION_POLICY, revokedBefore } from '../../lib/trust-policy';
import { AttachedPolicies, NAME_AND_TYPE, ownPolicies } from './attached';
import { PermissionsBoundary } from './boundary';
import { roleHref } from './permissions';
import { invalidate, invalidateRole } from './queries';
import { trustedBy } from './roles';
import { Tags } from './tags';

export function RolePermissions({ role }: { role: Role }) {
  const { RoleName: name } = role;
  const owner = { RoleName: name };
  const isFixed = isServiceLinked(role);
  const read = useQuery({
    queryKey: ['role', name, 'permissions'],
    queryFn: () => ownPolicies(owner),
  });
  return (
    <SpaceBetween size="l">
      <AttachedPolicies
        owner={owner}
        read={read}
        columns={NAME_AND_TYPE}
        isFixed={isFixed}
        reload={() => invalidateRole(name)}
        onChange={() => {
          invalidateRole(name);
          invalidate(['policies']);
        }}
      />
      <PermissionsBoundary
        kind="role"
        isFixed={isFixed}
        arn={role.PermissionsBoundary?.PermissionsBoundaryArn}
        put={(PermissionsBoundary) =>
          call(PutRolePermissionsBoundary, { RoleName: name, PermissionsBoundary })
        }
        remove={() => call(DeleteRolePermissionsBoundary, { RoleName: name })}
        onDone={() => invalidateRole(name)}
      />
    </SpaceBetween>
  );
}

export function TrustRelationships({ role }: { role: Role }) {
  const navigate = useNavigate();
  const trusted = trustedBy(role);
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="Entities that can assume this role under specified conditions."
          actions={
            !isServiceLinked(role) && (
              <Button onClick={() => void navigate(`${roleHref(role.RoleName)}/trust`)}>
                Edit trust policy
              </Button>
            )
          }
        >
          Trusted entities
        </Header>
      }
    >
      <SpaceBetween size="m">
        {trusted.length > 0 && (
          <ul aria-label="Trusted entities">
            {trusted.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        )}
        <Editor text={displayText(trustPolicy(role))} label="Trust policy" />
      </SpaceBetween>
    </Container>
  );
}

export function RoleTags({ name }: { name: string }) {
  const tags = useQuery({
    queryKey: ['role', name, 'tags'],
    queryFn: () => listRoleTags(name),
  });
  return (
    <Tags
      tags={tags.data}
      error={tags.error}
      tag={(Tags) => call(TagRole, { RoleName: name, Tags })}
      untag={(TagKeys) => call(UntagRole, { RoleName: name, TagKeys })}
      onDone={() => invalidateRole(name)}
    />
  );
}

/** Revokes the sessions of a role as AWS's console does, and says since when that is so. */
export function RevokeSessions({ role: { RoleName: name } }: { role: Role }) {
  const { notifySuccess } = useFrame();
  const [open, setOpen] = useState(false);
  const [isAcknowledged, setIsAcknowledged] = useState(false);
  const read = useQuery({
    queryKey: ['role', name, 'revocation'],
    queryFn: () => unlessMissing(inlinePolicyDocument({ RoleName: name }, REVOCATION_POLICY)),
  });
  const before = read.data ? revokedBefore(read.data) : undefined;
  const close = (): void => {
    setOpen(false);
    setIsAcknowledged(false);
  };
  return (
    <Container
      header={
        <Header
          variant="h2"
          actions={<Button onClick={() => setOpen(true)}>Revoke active sessions</Button>}
        >
          Revoke sessions
        </Header>
      }
    >
      <SpaceBetween size="m">
        <Box>
          If you suspect that a session of this role is compromised, you can deny all access to the
          sessions that were issued until now. Entities that the role trusts can assume it again.
        </Box>
        {read.error && <ErrorAlert error={read.error} retry={() => void read.refetch()} />}
        {before && (
          <StatusIndicator type="info">
            Sessions that were issued before {fullDate(before)} are revoked.
          </StatusIndicator>
        )}
        {read.data === null && (
          <StatusIndicator type="info">No sessions have been revoked.</StatusIndicator>
        )}
      </SpaceBetween>
      {open && (
        <ActionDialog
          title="Revoke active sessions?"
          verb="Revoke active sessions"
          disabled={!isAcknowledged}
          onDismiss={close}
          action={() => revokeSessions(name)}
          onDone={() => {
            close();
            invalidateRole(name);
            notifySuccess(`Active sessions of ${name} revoked`);
          }}
        >
          <Alert type="warning">
            Everyone who uses this role now loses access immediately, and has to assume it again.
          </Alert>
          <Box>
            The inline policy <Box variant="code">{REVOCATION_POLICY}</Box> is attached to the role.
            It denies all actions to sessions that were issued before this moment.
          </Box>
          <Checkbox
            checked={isAcknowledged}
            onChange={({ detail }) => setIsAcknowledged(detail.checked)}
          >
            I acknowledge that I am revoking all active sessions for this role.
          </Checkbox>
        </ActionDialog>
      )}
    </Container>
  );
}
