// The MFA devices of a user, or of root: list, assign, synchronise, remove.
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
import * as iam from '../../api/iam';
import { Refusal } from '../../api/session';
import { useFrame } from '../../frame/context';
import { List, type Column } from '../../frame/list';
import { Confirm, Hidden, WIZARD } from '../../frame/parts';
import { Problem } from '../../frame/problem';
import { full } from '../../lib/age';
import { credentialsPage, mfaChanged, useDevices } from './queries';

const MOST = 8;

/** Who is meant; IAM calls root so where a user must be named. */
interface Owner {
  /** The user's name; absent for root. */
  name?: string | undefined;
}
const named = ({ name }: Owner): string => name ?? 'root';

const COLUMNS: Column<iam.MfaDevice>[] = [
  { id: 'type', header: 'Type', by: () => 'Virtual', cell: () => 'Virtual' },
  {
    id: 'identifier',
    header: 'Identifier',
    by: ({ SerialNumber }) => SerialNumber,
    cell: ({ SerialNumber }) => SerialNumber,
    isRowHeader: true,
  },
  {
    id: 'created',
    header: 'Created on',
    by: ({ enabled }) => Date.parse(enabled),
    cell: ({ enabled }) => full(enabled),
  },
];

export function MfaDevices({ name }: Owner) {
  const navigate = useNavigate();
  const { session, done } = useFrame();
  const devices = useDevices(name);
  const [selected, select] = useState<iam.MfaDevice[]>([]);
  const [open, setOpen] = useState<'remove' | 'resync'>();
  const [chosen] = selected;
  const count = devices.data?.length ?? 0;
  // The server says no as well; better not to begin.
  const own = session.userName === name && count > 0 && !session.mfa;
  const signInAgain = 'Sign in again with a code of your MFA device to change your own devices.';
  const close = (said?: string) => (): void => {
    setOpen(undefined);
    if (!said) return;
    select([]);
    mfaChanged(name);
    done(said);
  };
  const actions = (
    <>
      <Button
        disabled={!chosen || own}
        {...(own ? { disabledReason: signInAgain } : {})}
        onClick={() => setOpen('remove')}
      >
        Remove
      </Button>
      <Button disabled={!chosen} onClick={() => setOpen('resync')}>
        Resync
      </Button>
      <Button
        disabled={own || count >= MOST}
        disabledReason={own ? signInAgain : 'Eight MFA devices are the most.'}
        onClick={() => void navigate(`${credentialsPage(name)}/mfa/assign`)}
      >
        Assign MFA device
      </Button>
    </>
  );
  return (
    <>
      <List<iam.MfaDevice>
        title="Multi-factor authentication (MFA)"
        description="A code of an MFA device is asked for at every sign-in to the console. Eight devices are the most."
        items={devices.data}
        columns={COLUMNS}
        rowId={({ SerialNumber }) => SerialNumber}
        loading={devices.isPending}
        error={devices.error}
        reload={() => mfaChanged(name)}
        empty="No MFA devices"
        selection="single"
        selected={selected}
        select={select}
        actions={actions}
      />
      {open === 'remove' && chosen && (
        <Confirm
          title="Remove MFA device?"
          verb="Remove"
          onDismiss={close()}
          done={close('MFA device removed')}
          act={async () => {
            const { SerialNumber } = chosen;
            await call('iam', 'DeactivateMFADevice', { UserName: name, SerialNumber });
            await call('iam', 'DeleteVirtualMFADevice', { SerialNumber });
          }}
        >
          <Box>
            {chosen.SerialNumber} is deleted.{' '}
            {count === 1 && 'From then on the password alone is enough to sign in.'}
          </Box>
        </Confirm>
      )}
      {open === 'resync' && chosen && (
        <Resync
          name={name}
          serial={chosen.SerialNumber}
          dismiss={close()}
          done={close('MFA device synchronised')}
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
const complete = ({ first, second }: Codes): boolean =>
  /^\d{6}$/.test(first) && /^\d{6}$/.test(second);

/** Two codes that a device showed one after the other. */
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
      {field('MFA code 1', 'first', 'The six digits that the device shows now.')}
      {field('MFA code 2', 'second', 'Wait for the next six digits, up to 30 seconds.')}
    </SpaceBetween>
  );
}

const inCall = ({ first, second }: Codes) => ({
  AuthenticationCode1: first,
  AuthenticationCode2: second,
});

function Resync({
  name,
  serial,
  dismiss,
  done,
}: Owner & { serial: string; dismiss: () => void; done: () => void }) {
  const [codes, setCodes] = useState(NO_CODES);
  return (
    <Confirm
      title="Resync MFA device"
      verb="Resync"
      disabled={!complete(codes)}
      onDismiss={dismiss}
      done={done}
      act={() =>
        call('iam', 'ResyncMFADevice', {
          UserName: named({ name }),
          SerialNumber: serial,
          ...inCall(codes),
        })
      }
    >
      <Box>For a device whose clock is off by up to ten minutes.</Box>
      <CodeFields codes={codes} set={setCodes} />
    </Confirm>
  );
}

interface Made {
  serial: string;
  secret: string;
  png: string;
}

async function make(VirtualMFADeviceName: string): Promise<Made> {
  const got = await call('iam', 'CreateVirtualMFADevice', { VirtualMFADeviceName });
  const device = got.child('VirtualMFADevice');
  return {
    serial: device?.text('SerialNumber') ?? '',
    secret: atob(device?.text('Base32StringSeed') ?? ''),
    png: device?.text('QRCodePNG') ?? '',
  };
}

export function AssignMfa() {
  const { name } = useParams();
  const navigate = useNavigate();
  const { session, done } = useFrame();
  const [step, setStep] = useState(0);
  const [label, setLabel] = useState('');
  const [made, setMade] = useState<Made>();
  const [codes, setCodes] = useState(NO_CODES);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const leave = (): void =>
    void navigate(`${credentialsPage(name)}${name ? '?tab=credentials' : ''}`);
  const go = async (act: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    await act().catch(setError);
    setBusy(false);
  };
  const create = (): Promise<void> =>
    go(async () => {
      setMade(await make(label));
      setStep(1);
    });
  const replace = (): Promise<void> =>
    go(async () => {
      const SerialNumber = `arn:aws:iam::${session.accountId}:mfa/${label}`;
      await call('iam', 'DeleteVirtualMFADevice', { SerialNumber });
      setMade(await make(label));
      setStep(1);
    });
  const enable = ({ serial: SerialNumber }: Made): Promise<void> =>
    go(async () => {
      await call('iam', 'EnableMFADevice', {
        UserName: named({ name }),
        SerialNumber,
        ...inCall(codes),
      });
      mfaChanged(name);
      done('MFA device assigned');
      leave();
    });
  const cancel = async (): Promise<void> => {
    // A device that nobody has is of no use; without the permission it stays.
    if (made)
      await call('iam', 'DeleteVirtualMFADevice', { SerialNumber: made.serial }).catch(
        () => undefined,
      );
    leave();
  };
  const taken = error instanceof Refusal && error.code === 'EntityAlreadyExists';
  const problem = error !== undefined && <Problem error={error} />;
  return (
    <Wizard
      activeStepIndex={step}
      isLoadingNextStep={busy}
      submitButtonText="Add MFA"
      i18nStrings={WIZARD}
      onCancel={() => void cancel()}
      onNavigate={({ detail }) => {
        setError(undefined);
        if (detail.requestedStepIndex === 0 || made) setStep(detail.requestedStepIndex);
        else void create();
      }}
      onSubmit={() => {
        if (made && complete(codes)) void enable(made);
        else setError(new Error('Enter two codes of six digits.'));
      }}
      steps={[
        {
          title: 'Name the MFA device',
          description: `A virtual device: an authenticator app on a phone or computer of ${named({ name })}.`,
          content: (
            <SpaceBetween size="l">
              <Container>
                <FormField
                  label="Device name"
                  description="It becomes a part of the device's identifier, and cannot be changed."
                  constraintText="Letters, digits and + = , . @ - _"
                >
                  <Input
                    value={label}
                    disabled={made !== undefined}
                    autoComplete={false}
                    onChange={({ detail }) => setLabel(detail.value)}
                  />
                </FormField>
              </Container>
              {taken && (
                <Alert
                  type="info"
                  action={<Button onClick={() => void replace()}>Replace it</Button>}
                >
                  If it was left behind when assigning it was broken off, it can be replaced. A
                  device that is assigned cannot.
                </Alert>
              )}
              {problem}
            </SpaceBetween>
          ),
        },
        {
          title: 'Set up the device',
          content: (
            <SpaceBetween size="l">
              {made && <SetUp made={made} />}
              <Container
                header={<Header variant="h2">Enter two codes, one after the other</Header>}
              >
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

function SetUp({ made }: { made: Made }) {
  const [shown, setShown] = useState(false);
  return (
    <Container header={<Header variant="h2">Add it to the authenticator app</Header>}>
      <ColumnLayout columns={2}>
        <FormField
          label="QR code"
          description="Open the app, and scan the code. Let nobody else see it."
          stretch
        >
          {shown ? (
            <img src={`data:image/png;base64,${made.png}`} alt="QR code for the app" width="250" />
          ) : (
            <Button onClick={() => setShown(true)}>Show QR code</Button>
          )}
        </FormField>
        <FormField label="Secret key" description="Or type it into the app." stretch>
          <Hidden secret={made.secret} label="Secret key" />
        </FormField>
      </ColumnLayout>
    </Container>
  );
}
