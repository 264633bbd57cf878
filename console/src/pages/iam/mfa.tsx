// The MFA devices of a user, or of root: list, assign, resync, remove.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ColumnLayout from '@cloudscape-design/components/column-layout';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';

import { call } from '../../api/client';
import {
  CreateVirtualMFADevice,
  DeactivateMFADevice,
  DeleteVirtualMFADevice,
  EnableMFADevice,
  ResyncMFADevice,
} from '../../api/generated/iam';
import * as iam from '../../api/iam';
import { ServiceError } from '../../api/session';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { ActionDialog, SecretText, WIZARD } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';
import { fullDate } from '../../lib/age';
import { credentialsPage, invalidateMfa, useDevices } from './queries';

const DEVICES_MAX = 8;

interface MfaOwner {
  /** The user's name; absent for root. */
  name?: string | undefined;
}

/** The name of the owner where IAM requires one: root's is `root`. */
const ownerName = ({ name }: MfaOwner): string => name ?? 'root';

const COLUMNS: Column<iam.MFADevice>[] = [
  { id: 'type', header: 'Type', value: () => 'Virtual', cell: () => 'Virtual' },
  {
    id: 'identifier',
    header: 'Identifier',
    value: ({ SerialNumber }) => SerialNumber,
    cell: ({ SerialNumber }) => SerialNumber,
    isRowHeader: true,
  },
  {
    id: 'created',
    header: 'Created on',
    value: ({ EnableDate }) => Date.parse(EnableDate),
    cell: ({ EnableDate }) => fullDate(EnableDate),
  },
];

export function MfaDevices({ name }: MfaOwner) {
  const navigate = useNavigate();
  const { session, notifySuccess } = useFrame();
  const devices = useDevices(name);
  const [selected, setSelected] = useState<iam.MFADevice[]>([]);
  const [open, setOpen] = useState<'remove' | 'resync'>();
  const [device] = selected;
  const count = devices.data?.length ?? 0;
  // The server denies it as well; this avoids a failing request.
  const lacksOwnMfa = session.userName === name && count > 0 && !session.mfa;
  const signInAgain = 'To change your own MFA devices, sign in with MFA.';
  const close = (message?: string) => (): void => {
    setOpen(undefined);
    if (message === undefined) return;
    setSelected([]);
    invalidateMfa(name);
    notifySuccess(message);
  };
  const actions = (
    <>
      <Button
        disabled={!device || lacksOwnMfa}
        {...(lacksOwnMfa ? { disabledReason: signInAgain } : {})}
        onClick={() => setOpen('remove')}
      >
        Remove
      </Button>
      <Button disabled={!device} onClick={() => setOpen('resync')}>
        Resync
      </Button>
      <Button
        disabled={lacksOwnMfa || count >= DEVICES_MAX}
        disabledReason={lacksOwnMfa ? signInAgain : 'Limit reached: 8 MFA devices.'}
        onClick={() => void navigate(`${credentialsPage(name)}/mfa/assign`)}
      >
        Assign MFA device
      </Button>
    </>
  );
  return (
    <>
      <List<iam.MFADevice>
        title="Multi-factor authentication (MFA)"
        description="Use MFA to increase the security of your account. You can assign up to 8 MFA devices."
        items={devices.data}
        columns={COLUMNS}
        rowId={({ SerialNumber }) => SerialNumber}
        loading={devices.isPending}
        error={devices.error}
        reload={() => invalidateMfa(name)}
        empty="No MFA devices"
        selection="single"
        selected={selected}
        onSelect={setSelected}
        actions={actions}
      />
      {open === 'remove' && device && (
        <ActionDialog
          title="Remove MFA device?"
          verb="Remove"
          onDismiss={close()}
          onDone={close('MFA device removed')}
          action={async () => {
            const { SerialNumber } = device;
            await call(DeactivateMFADevice, { UserName: name, SerialNumber });
            await call(DeleteVirtualMFADevice, { SerialNumber });
          }}
        >
          <Box>
            {device.SerialNumber} will be deleted.{' '}
            {count === 1 && 'After that, the password alone is sufficient to sign in.'}
          </Box>
        </ActionDialog>
      )}
      {open === 'resync' && device && (
        <ResyncDialog
          name={name}
          serial={device.SerialNumber}
          onDismiss={close()}
          onDone={close('MFA device resynced')}
        />
      )}
    </>
  );
}

interface Codes {
  first: string;
  second: string;
}
const NO_CODES: Codes = { first: '', second: '' };
const areComplete = ({ first, second }: Codes): boolean =>
  /^\d{6}$/.test(first) && /^\d{6}$/.test(second);

/** Two consecutive codes of a device. */
function CodeFields({ codes, set }: { codes: Codes; set: (codes: Codes) => void }) {
  const field = (label: string, key: keyof Codes, description?: string) => (
    <FormField label={label} description={description}>
      <Input
        value={codes[key]}
        inputMode="numeric"
        autoComplete={false}
        onChange={({ detail }) => set({ ...codes, [key]: detail.value.replace(/\s/g, '') })}
      />
    </FormField>
  );
  return (
    <SpaceBetween size="m">
      {field('MFA code 1', 'first', 'Enter a 6-digit code from your authenticator app.')}
      {field('MFA code 2', 'second', 'Wait up to 30 seconds for the next code.')}
    </SpaceBetween>
  );
}

const codesInput = ({ first, second }: Codes) => ({
  AuthenticationCode1: first,
  AuthenticationCode2: second,
});

function ResyncDialog({
  name,
  serial,
  onDismiss,
  onDone,
}: MfaOwner & { serial: string; onDismiss: () => void; onDone: () => void }) {
  const [codes, setCodes] = useState(NO_CODES);
  return (
    <ActionDialog
      title="Resync MFA device"
      verb="Resync"
      disabled={!areComplete(codes)}
      onDismiss={onDismiss}
      onDone={onDone}
      action={() =>
        call(ResyncMFADevice, {
          UserName: ownerName({ name }),
          SerialNumber: serial,
          ...codesInput(codes),
        })
      }
    >
      <Box>Resync a device if its clock is off by up to 10 minutes.</Box>
      <CodeFields codes={codes} set={setCodes} />
    </ActionDialog>
  );
}

interface NewDevice {
  serial: string;
  secret: string;
  png: string;
}

async function createDevice(VirtualMFADeviceName: string): Promise<NewDevice> {
  const { VirtualMFADevice: device } = await call(CreateVirtualMFADevice, {
    VirtualMFADeviceName,
  });
  const { SerialNumber, Base32StringSeed = '', QRCodePNG = '' } = device;
  return { serial: SerialNumber, secret: atob(Base32StringSeed), png: QRCodePNG };
}

export function AssignMfaPage() {
  const { name } = useParams();
  const navigate = useNavigate();
  const { session, notifySuccess } = useFrame();
  const [step, setStep] = useState(0);
  const [label, setLabel] = useState('');
  const [device, setDevice] = useState<NewDevice>();
  const [codes, setCodes] = useState(NO_CODES);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const leave = (): void =>
    void navigate(`${credentialsPage(name)}${name ? '?tab=credentials' : ''}`);
  const run = async (action: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    await action().catch(setError);
    setBusy(false);
  };
  const create = (): Promise<void> =>
    run(async () => {
      setDevice(await createDevice(label));
      setStep(1);
    });
  const replace = (): Promise<void> =>
    run(async () => {
      const SerialNumber = `arn:aws:iam::${session.accountId}:mfa/${label}`;
      await call(DeleteVirtualMFADevice, { SerialNumber });
      setDevice(await createDevice(label));
      setStep(1);
    });
  const enable = ({ serial: SerialNumber }: NewDevice): Promise<void> =>
    run(async () => {
      await call(EnableMFADevice, {
        UserName: ownerName({ name }),
        SerialNumber,
        ...codesInput(codes),
      });
      invalidateMfa(name);
      notifySuccess('MFA device assigned');
      leave();
    });
  const cancel = async (): Promise<void> => {
    // An unassigned device is of no use; without permission to delete it, it stays.
    if (device)
      await call(DeleteVirtualMFADevice, { SerialNumber: device.serial }).catch(() => undefined);
    leave();
  };
  const isTaken = error instanceof ServiceError && error.code === 'EntityAlreadyExists';
  const problem = error !== undefined && <ErrorAlert error={error} />;
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Add MFA"
      i18nStrings={WIZARD}
      onCancel={() => void cancel()}
      onNavigate={({ detail }) => {
        setError(undefined);
        if (detail.requestedStepIndex === 0 || device) setStep(detail.requestedStepIndex);
        else void create();
      }}
      onSubmit={() => {
        if (device && areComplete(codes)) void enable(device);
        else setError(new Error('Enter two consecutive 6-digit codes.'));
      }}
      steps={[
        {
          title: 'Specify MFA device',
          description: 'Authenticator app on a mobile device or computer.',
          content: (
            <SpaceBetween size="l">
              <Container>
                <FormField
                  label="Device name"
                  description="Used in the device ARN. It can't be changed later."
                  constraintText="Use alphanumeric and + = , . @ - _ characters."
                >
                  <Input
                    value={label}
                    disabled={device !== undefined}
                    autoComplete={false}
                    onChange={({ detail }) => setLabel(detail.value)}
                  />
                </FormField>
              </Container>
              {isTaken && (
                <Alert
                  type="info"
                  action={<Button onClick={() => void replace()}>Replace device</Button>}
                >
                  A device left over from an interrupted setup can be replaced. An assigned device
                  cannot.
                </Alert>
              )}
              {problem}
            </SpaceBetween>
          ),
        },
        {
          title: 'Set up device',
          content: (
            <SpaceBetween size="l">
              {device && <SetUpDevice device={device} />}
              <Container header={<Header variant="h2">Enter two consecutive MFA codes</Header>}>
                <CodeFields codes={codes} set={setCodes} />
              </Container>
              {problem}
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}

function SetUpDevice({ device }: { device: NewDevice }) {
  const [visible, setVisible] = useState(false);
  return (
    <Container header={<Header variant="h2">Set up your authenticator app</Header>}>
      <ColumnLayout columns={2}>
        <FormField
          label="QR code"
          description="Open the app and scan the QR code. Don't share this code."
          stretch
        >
          {visible ? (
            <img
              src={`data:image/png;base64,${device.png}`}
              alt="QR code for the authenticator app"
              width="250"
            />
          ) : (
            <Button onClick={() => setVisible(true)}>Show QR code</Button>
          )}
        </FormField>
        <FormField
          label="Secret key"
          description="Alternatively, enter the secret key in the app."
          stretch
        >
          <SecretText secret={device.secret} label="Secret key" />
        </FormField>
      </ColumnLayout>
    </Container>
  );
}
