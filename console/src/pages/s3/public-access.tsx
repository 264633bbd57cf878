// Block Public Access of a bucket: its four settings, and whether the bucket is public.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as s3 from '../../api/s3';
import { useFrame } from '../../frame/context';
import { ActionDialog, Loading } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { invalidate } from '../iam/queries';

/** Each setting, its name in AWS's console, and its effect here. */
const SETTINGS: [keyof s3.PublicAccess, string, string][] = [
  [
    'BlockPublicAcls',
    'Block public access granted through new access control lists',
    "ACLs aren't supported; this setting is stored for compatibility.",
  ],
  [
    'IgnorePublicAcls',
    'Block public access granted through any access control lists',
    "ACLs aren't supported; this setting is stored for compatibility.",
  ],
  [
    'BlockPublicPolicy',
    'Block public access granted through new public bucket policies',
    'S3 will block new bucket policies that grant public access.',
  ],
  [
    'RestrictPublicBuckets',
    'Block public and cross-account access through any public bucket policy',
    'S3 will ignore public access by existing policies, except for users of this account.',
  ],
];

const areAllOn = (access: s3.PublicAccess): boolean => SETTINGS.every(([name]) => access[name]);

/** Whether a change turns a setting off. */
const turnsOff = (from: s3.PublicAccess, to: s3.PublicAccess): boolean =>
  SETTINGS.some(([name]) => from[name] && !to[name]);

interface SettingsProps {
  access: s3.PublicAccess;
  set: (access: s3.PublicAccess) => void;
}

/** The settings as checkboxes; the first one turns all of them on or off. */
export function PublicAccessSettings({ access, set }: SettingsProps) {
  const on = SETTINGS.filter(([name]) => access[name]).length;
  return (
    <SpaceBetween size="s">
      <Checkbox
        checked={areAllOn(access)}
        indeterminate={on > 0 && !areAllOn(access)}
        onChange={({ detail }) => set(detail.checked ? s3.ALL_BLOCKED : s3.NONE_BLOCKED)}
      >
        <Box variant="strong">Block all public access</Box>
      </Checkbox>
      <Box padding={{ left: 'l' }}>
        <SpaceBetween size="s">
          {SETTINGS.map(([name, label, description]) => (
            <Checkbox
              key={name}
              checked={access[name]}
              description={description}
              onChange={({ detail }) => set({ ...access, [name]: detail.checked })}
            >
              {label}
            </Checkbox>
          ))}
        </SpaceBetween>
      </Box>
    </SpaceBetween>
  );
}

/** The warning before public access is allowed. */
export function PublicAccessWarning() {
  return (
    <Alert type="warning">
      Turning off block public access might result in this bucket and the objects within becoming
      public: anyone can then read them without credentials.
    </Alert>
  );
}

/** Who has access by the bucket's policy. */
function AccessStatus({ access, isPublic }: { access: s3.PublicAccess; isPublic: boolean }) {
  if (!isPublic) return <StatusIndicator type="success">Not public</StatusIndicator>;
  if (access.RestrictPublicBuckets) {
    return <StatusIndicator type="info">Only authorized users of this account</StatusIndicator>;
  }
  return <StatusIndicator type="warning">Public</StatusIndicator>;
}

export function BlockPublicAccess({ bucket }: { bucket: s3.BucketRef }) {
  const { notifySuccess } = useFrame();
  const read = useQuery({
    queryKey: ['public-access', bucket.name],
    queryFn: () => s3.publicAccess(bucket),
  });
  // Read again whenever the policy changes, which decides as well.
  const status = useQuery({
    queryKey: ['bucket-policy', bucket.name, 'status'],
    queryFn: () => s3.isPublic(bucket),
  });
  const [edited, setEdited] = useState<s3.PublicAccess>();
  if (read.error)
    return <ErrorAlert error={read.error} retry={() => invalidate(['public-access'])} />;
  if (read.isPending) return <Loading />;
  const access = read.data;
  const isOn = (name: keyof s3.PublicAccess) => (
    <StatusIndicator type={access[name] ? 'success' : 'warning'}>
      {access[name] ? 'On' : 'Off'}
    </StatusIndicator>
  );
  const allowsMore = edited && turnsOff(access, edited);
  return (
    <Container
      header={
        <Header
          variant="h2"
          actions={<Button onClick={() => setEdited(access)}>Edit settings</Button>}
        >
          Block public access
        </Header>
      }
    >
      <KeyValuePairs
        columns={2}
        items={[
          ...(status.data === undefined
            ? []
            : [
                { label: 'Access', value: <AccessStatus access={access} isPublic={status.data} /> },
                {
                  label: 'Block all public access',
                  value: areAllOn(access) ? 'On' : 'Off',
                },
              ]),
          ...SETTINGS.map(([name, label]) => ({ label, value: isOn(name) })),
        ]}
      />
      {edited && (
        <ActionDialog
          title="Edit Block public access"
          verb="Save changes"
          {...(allowsMore ? { confirmText: 'confirm' } : {})}
          onDismiss={() => setEdited(undefined)}
          action={() => s3.putPublicAccess(bucket, edited)}
          onDone={() => {
            setEdited(undefined);
            invalidate(['public-access']);
            notifySuccess('Block public access saved');
          }}
        >
          <PublicAccessSettings access={edited} set={setEdited} />
          {allowsMore && <PublicAccessWarning />}
        </ActionDialog>
      )}
    </Container>
  );
}
