// Block Public Access of a bucket: its four settings, and what they make of the bucket's policy.
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
import { Confirm, Loading } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { changed } from '../iam/queries';

/** Each setting, what AWS's console calls it, and what it does here. */
const SETTINGS: [keyof s3.PublicAccess, string, string][] = [
  [
    'BlockPublicAcls',
    'Block public access granted through new access control lists',
    'There are no access control lists here; kept for tools that ask for it.',
  ],
  [
    'IgnorePublicAcls',
    'Block public access granted through any access control lists',
    'There are no access control lists here; kept for tools that ask for it.',
  ],
  [
    'BlockPublicPolicy',
    'Block public access granted through new public bucket policies',
    'A policy that would let everyone in is refused.',
  ],
  [
    'RestrictPublicBuckets',
    'Block public and cross-account access through any public bucket policy',
    'A public policy that is there already serves only users of this account.',
  ],
];

const allOn = (access: s3.PublicAccess): boolean => SETTINGS.every(([name]) => access[name]);

/** Whether a change lets in whom the settings kept out. */
const loosens = (from: s3.PublicAccess, to: s3.PublicAccess): boolean =>
  SETTINGS.some(([name]) => from[name] && !to[name]);

interface SettingsProps {
  access: s3.PublicAccess;
  set: (access: s3.PublicAccess) => void;
}

/** The settings as checkboxes; the first turns all of them on or off. */
export function PublicAccessSettings({ access, set }: SettingsProps) {
  const on = SETTINGS.filter(([name]) => access[name]).length;
  return (
    <SpaceBetween size="s">
      <Checkbox
        checked={allOn(access)}
        indeterminate={on > 0 && !allOn(access)}
        onChange={({ detail }) => set(detail.checked ? s3.BLOCKED : s3.OPEN)}
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

/** What must be said before public access is let in. */
export function Warning() {
  return (
    <Alert type="warning">
      A bucket policy can then make the objects of this bucket public: readable by everyone, without
      a key.
    </Alert>
  );
}

/** Who is let in by the bucket's policy. */
function Access({ access, isPublic }: { access: s3.PublicAccess; isPublic: boolean }) {
  if (!isPublic) return <StatusIndicator type="success">Not public</StatusIndicator>;
  if (access.RestrictPublicBuckets) {
    return <StatusIndicator type="info">Only authorized users of this account</StatusIndicator>;
  }
  return <StatusIndicator type="warning">Public</StatusIndicator>;
}

export function BlockPublicAccess({ bucket }: { bucket: s3.Place }) {
  const { done } = useFrame();
  const read = useQuery({
    queryKey: ['public-access', bucket.name],
    queryFn: () => s3.publicAccess(bucket),
  });
  // The policy decides as well, so this is asked again whenever the policy changes.
  const status = useQuery({
    queryKey: ['bucket-policy', bucket.name, 'status'],
    queryFn: () => s3.isPublic(bucket),
  });
  const [wanted, want] = useState<s3.PublicAccess>();
  if (read.error) return <Problem error={read.error} retry={() => changed(['public-access'])} />;
  if (read.isPending) return <Loading />;
  const access = read.data;
  const isOn = (name: keyof s3.PublicAccess) => (
    <StatusIndicator type={access[name] ? 'success' : 'warning'}>
      {access[name] ? 'On' : 'Off'}
    </StatusIndicator>
  );
  const opened = wanted && loosens(access, wanted);
  return (
    <Container
      header={
        <Header variant="h2" actions={<Button onClick={() => want(access)}>Edit settings</Button>}>
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
                { label: 'Access', value: <Access access={access} isPublic={status.data} /> },
                {
                  label: 'Block all public access',
                  value: allOn(access) ? 'On' : 'Off',
                },
              ]),
          ...SETTINGS.map(([name, label]) => ({ label, value: isOn(name) })),
        ]}
      />
      {wanted && (
        <Confirm
          title="Edit Block public access"
          verb="Save changes"
          {...(opened ? { typed: 'confirm' } : {})}
          onDismiss={() => want(undefined)}
          act={() => s3.putPublicAccess(bucket, wanted)}
          done={() => {
            want(undefined);
            changed(['public-access']);
            done('Block public access saved');
          }}
        >
          <PublicAccessSettings access={wanted} set={want} />
          {opened && <Warning />}
        </Confirm>
      )}
    </Container>
  );
}
