// The permissions boundary of a user or role: set, changed and removed.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import { useState } from 'react';

import type * as iam from '../../api/iam';
import { useFrame } from '../../frame/context';
import { ActionDialog } from '../../frame/parts';
import { PolicyPicker } from './permissions';
import { invalidate } from './queries';

interface PermissionsBoundaryProps {
  kind: 'user' | 'role';
  arn: string | undefined;
  put: (arn: string) => Promise<unknown>;
  remove: () => Promise<unknown>;
  onDone: () => void;
  /** AWS services alone change the boundaries of their service-linked roles. */
  isFixed?: boolean;
}

export function PermissionsBoundary(props: PermissionsBoundaryProps) {
  const { kind, arn, put, remove, onDone, isFixed = false } = props;
  const { notifySuccess } = useFrame();
  const [open, setOpen] = useState(false);
  const [[selected], setSelected] = useState<iam.Policy[]>([]);
  return (
    <>
      <ExpandableSection
        variant="container"
        headerText={`Permissions boundary (${arn ? 'set' : 'not set'})`}
        headerActions={
          isFixed ? undefined : (
            <Button
              onClick={() => {
                setSelected([]);
                setOpen(true);
              }}
            >
              {arn ? 'Change boundary' : 'Set boundary'}
            </Button>
          )
        }
      >
        {arn ?? `Set a permissions boundary to control the maximum permissions for this ${kind}.`}
      </ExpandableSection>
      {open && (
        <ActionDialog
          size="large"
          title="Permissions boundary"
          verb="Save"
          onDismiss={() => setOpen(false)}
          action={() => (selected ? put(selected.Arn) : remove())}
          onDone={() => {
            setOpen(false);
            onDone();
            invalidate(['policies']);
            notifySuccess('Permissions boundary saved');
          }}
        >
          <Box>
            Select the policy to use as the permissions boundary. If you select none, the boundary
            is removed.
          </Box>
          <PolicyPicker single selected={selected ? [selected] : []} onSelect={setSelected} />
        </ActionDialog>
      )}
    </>
  );
}
