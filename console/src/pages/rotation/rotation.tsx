// One rotation step by step, with the key usage: what it waits for, and what a person can do.
//
// The page holds no state that matters: everything is read from the server repeatedly, so that it
// can be left and opened again.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import LiveRegion from '@cloudscape-design/components/live-region';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, {
  type StatusIndicatorProps,
} from '@cloudscape-design/components/status-indicator';
import Steps from '@cloudscape-design/components/steps';
import { useState, type ReactNode } from 'react';
import { useParams, useSearchParams } from 'react-router';

import * as api from '../../api/rotation';
import type { Rotation, RotationDelivery } from '../../api/rotation';
import { queryClient } from '../../api/session';
import { useFrame } from '../../frame/context';
import { ErrorAlert, missingAction } from '../../frame/error-alert';
import { ActionDialog, CopyText, Link, Loading } from '../../frame/parts';
import { timeUntil, fullDate, durationText } from '../../lib/age';
import { shortPrincipal } from '../../lib/arn';
import { History, KeyUsage } from './key-usage';
import { ManualDelivery } from './manual-delivery';
import {
  awaitsFirstUse,
  awaitsManualDelivery,
  destinationName,
  holdAdvice,
  isRolledBack,
  phaseText,
  stageText,
  steps,
  type Step,
  type StepState,
} from './phases';
import { invalidateRotation, useRotation } from './queries';

const ICONS: Record<StepState, StatusIndicatorProps.Type> = {
  done: 'success',
  running: 'loading',
  waiting: 'info',
  failing: 'warning',
  paused: 'error',
  skipped: 'stopped',
  pending: 'pending',
};
const STATES: Record<StepState, string> = {
  done: 'done',
  running: 'in progress',
  waiting: 'waiting',
  failing: 'failing',
  paused: 'paused',
  skipped: 'skipped',
  pending: 'pending',
};

const isCurrent = (state: StepState): boolean =>
  state === 'running' || state === 'waiting' || state === 'failing' || state === 'paused';

export function RotationPage() {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const id = search.get('id') ?? undefined;
  const read = useRotation(name, id);
  const rotation = read.data;
  if (!rotation) {
    if (!read.error) return <Loading />;
    return <ErrorAlert error={read.error} retry={() => void read.refetch()} />;
  }
  const update = (latest: Rotation): void => {
    queryClient.setQueryData(['rotation', name, id ?? 'newest'], latest);
    invalidateRotation(name);
  };
  const isPaused = rotation.HeldReason !== undefined;
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={rotation.IsOver ? '' : 'The rotation continues in the background.'}
          actions={<Actions rotation={rotation} update={update} />}
        >
          Rotation of {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <LiveRegion hidden>{phaseText(rotation.Phase)}</LiveRegion>
        {read.error && <ErrorAlert error={read.error} retry={() => void read.refetch()} />}
        <RotationAlert rotation={rotation} update={update} />
        {(awaitsManualDelivery(rotation) ? !isPaused : rotation.CanRetrieveKey) && (
          <ManualDelivery rotation={rotation} update={update} />
        )}
        <Container header={<Header variant="h2">Progress</Header>}>
          <Steps
            ariaLabel="Progress"
            steps={steps(rotation).map((step) => ({
              status: ICONS[step.state],
              statusIconAriaLabel: STATES[step.state],
              header: isCurrent(step.state) ? (
                <b>{`${step.title} – ${STATES[step.state]}`}</b>
              ) : (
                step.title
              ),
              details: <StepDetails step={step} rotation={rotation} />,
            }))}
          />
        </Container>
        <KeyUsage rotation={rotation} />
        <Details rotation={rotation} />
        <History rotation={rotation} />
      </SpaceBetween>
    </ContentLayout>
  );
}

interface StepDetailsProps {
  step: Step;
  rotation: Rotation;
}

/** A step's text, and for the current step what it waits for and its destinations. */
function StepDetails({ step: { id, state, text }, rotation }: StepDetailsProps) {
  const { WaitingFor, WaitingUntil, Deliveries } = rotation;
  return (
    <SpaceBetween size="xxs">
      <Box color="text-body-secondary">{text}</Box>
      {(id === 'deliver' || id === 'restore') && state !== 'pending' && (
        <ul>
          {Deliveries.map((delivery) => (
            <li key={delivery.Place}>
              <DeliveryStatus delivery={delivery} />
            </li>
          ))}
        </ul>
      )}
      {isCurrent(state) &&
        state !== 'paused' &&
        WaitingFor !== undefined &&
        !awaitsManualDelivery(rotation) && (
          <Box>
            <b>Waiting for</b> {WaitingFor}
            {WaitingUntil && ` (until ${fullDate(WaitingUntil)}, ${timeUntil(WaitingUntil)})`}
          </Box>
        )}
    </SpaceBetween>
  );
}

function DeliveryStatus({ delivery }: { delivery: RotationDelivery }) {
  const { Place, Failures, Trouble } = delivery;
  const hasFailed = Trouble !== undefined && Place !== api.MANUAL_DELIVERY;
  return (
    <>
      {destinationName(Place)}: {stageText(delivery)}
      {hasFailed && (
        <Box>
          <StatusIndicator type="warning">
            {Failures > 1 ? `Failed ${String(Failures)} times: ` : ''}
            {Trouble}
          </StatusIndicator>
        </Box>
      )}
    </>
  );
}

interface RotationProps {
  rotation: Rotation;
  update: (latest: Rotation) => void;
}

/** Why it does not proceed, or how it ended. */
function RotationAlert({ rotation, update }: RotationProps) {
  const { HeldReason, Trouble, Phase } = rotation;
  const { OldAccessKeyId: oldKey, NewAccessKeyId: newKey } = rotation;
  if (HeldReason !== undefined) return <PausedAlert rotation={rotation} update={update} />;
  if (Trouble !== undefined) {
    const action = missingAction(Trouble);
    return (
      <Alert type="warning" header={action ? `Missing permission: ${action}` : 'Retrying'}>
        <Box variant="p">{Trouble}</Box>
        <Box variant="p">
          {action
            ? `The rotation runs as ${rotation.StartedBy}. Grant the permission there, and the rotation continues.`
            : 'The step is retried automatically. Both keys are unchanged meanwhile.'}
        </Box>
      </Alert>
    );
  }
  if (Phase === 'Done') {
    return (
      <Alert type="success" header="Rotation complete">
        {newKey} replaced {oldKey}, which was deleted.
      </Alert>
    );
  }
  if (Phase === 'RolledBack') {
    return (
      <Alert type="info" header="Rolled back">
        {oldKey} is active again. {newKey ? `${newKey} was deleted.` : 'No new key was created.'}
      </Alert>
    );
  }
  if (Phase === 'Abandoned') {
    return (
      <Alert type="info" header="Rotation ended early">
        {rotation.EndedBecause ?? 'No reason was given.'}
      </Alert>
    );
  }
  if (Phase === 'UserGone') {
    return (
      <Alert type="info" header="The user was deleted">
        The user&apos;s access keys were deleted with it, so the rotation has ended. Destinations
        may still contain {newKey ?? oldKey}, which no longer works.
      </Alert>
    );
  }
  return null;
}

function PausedAlert({ rotation, update }: RotationProps) {
  const { HeldReason = '', HeldCode, UserName } = rotation;
  const { title, todo } = holdAdvice(HeldCode);
  const action = missingAction(HeldReason);
  return (
    <Alert
      type="error"
      header={action ? `Missing permission: ${action}` : title}
      action={
        <OperationButton
          rotation={rotation}
          operation={api.releaseRotation}
          message="Rotation resumed"
          update={update}
        >
          Resume
        </OperationButton>
      }
    >
      <Box variant="p">Reason: {HeldReason.replace(/^held: /, '')}</Box>
      <Box variant="p">{todo}</Box>
      <Link to={`/iam/users/${encodeURIComponent(UserName)}?tab=credentials`}>
        Access keys of {UserName}
      </Link>
    </Alert>
  );
}

interface OperationButtonProps extends RotationProps {
  operation: (userName: string) => Promise<Rotation>;
  /** The notification of success. */
  message: string;
  children: string;
}

function OperationButton(props: OperationButtonProps) {
  const { rotation, operation, message, update, children } = props;
  const { notifySuccess, notifyError } = useFrame();
  const [busy, setBusy] = useState(false);
  const run = (): void => {
    setBusy(true);
    operation(rotation.UserName)
      .then((latest) => {
        update(latest);
        notifySuccess(message);
      }, notifyError)
      .finally(() => setBusy(false));
  };
  return (
    <Button loading={busy} onClick={run}>
      {children}
    </Button>
  );
}

type Dialog = 'pause' | 'roll-back' | 'end' | 'deactivate' | 'skip-usage-check';

function Actions({ rotation, update }: RotationProps) {
  const [open, setOpen] = useState<Dialog>();
  if (rotation.IsOver) return null;
  const isPaused = rotation.HeldReason !== undefined;
  return (
    <SpaceBetween direction="horizontal" size="xs">
      {!isPaused && (
        <OperationButton
          rotation={rotation}
          operation={api.resumeRotation}
          message="Refreshed"
          update={update}
        >
          Refresh
        </OperationButton>
      )}
      {!isPaused && <Button onClick={() => setOpen('pause')}>Pause</Button>}
      <Button
        disabled={!rotation.CanRollBack}
        disabledReason={
          isRolledBack(rotation)
            ? 'The rotation is being rolled back.'
            : "The old key is being deleted. You can't roll back."
        }
        onClick={() => setOpen('roll-back')}
      >
        Roll back
      </Button>
      {rotation.Phase === 'Observing' && rotation.ObserveSeconds > 0 && (
        <Button onClick={() => setOpen('deactivate')}>Deactivate now</Button>
      )}
      {rotation.Phase === 'Dwelling' && awaitsFirstUse(rotation) && (
        <Button onClick={() => setOpen('skip-usage-check')}>Skip usage check</Button>
      )}
      <Button onClick={() => setOpen('end')}>End rotation</Button>
      {open && (
        <ReasonDialog
          {...dialogs(rotation)[open]}
          userName={rotation.UserName}
          update={update}
          onDismiss={() => setOpen(undefined)}
        />
      )}
    </SpaceBetween>
  );
}

interface DialogText {
  title: string;
  verb: string;
  operation: (userName: string, reason: string) => Promise<Rotation>;
  content: ReactNode;
}

const dialogs = (rotation: Rotation): Record<Dialog, DialogText> => ({
  pause: {
    title: 'Pause rotation?',
    verb: 'Pause',
    operation: api.holdRotation,
    content: 'It stays paused until someone resumes it. The access keys stay as they are.',
  },
  'roll-back': {
    title: 'Roll back rotation?',
    verb: 'Roll back',
    operation: api.rollBackRotation,
    content: <RollBackEffects rotation={rotation} />,
  },
  end: {
    title: 'End rotation?',
    verb: 'End rotation',
    operation: api.abandonRotation,
    content:
      'Access keys and destinations stay as they are; only a new key that was never delivered is deleted. The history lists what remains.',
  },
  deactivate: {
    title: 'Deactivate the old key now?',
    verb: 'Deactivate now',
    operation: api.skipObservation,
    content: `Use this for a leaked key. Clients that still use ${rotation.OldAccessKeyId} are rejected.`,
  },
  'skip-usage-check': {
    title: 'Delete the old key although the new key is unused?',
    verb: 'Skip usage check',
    operation: api.overrideUnused,
    content: `After the grace period, ${rotation.OldAccessKeyId} is deleted, and the new key can no longer be retrieved.`,
  },
});

function RollBackEffects({ rotation }: { rotation: Rotation }) {
  const { OldAccessKeyId, NewAccessKeyId, Deliveries } = rotation;
  const isManual = Deliveries.some(({ Place }) => Place === api.MANUAL_DELIVERY);
  return (
    <ul>
      <li>{OldAccessKeyId} is activated again, if it is inactive.</li>
      <li>Destinations are restored.{isManual && ' Restore manual deliveries yourself.'}</li>
      <li>{NewAccessKeyId ?? 'The new key'} is deactivated, and deleted later.</li>
    </ul>
  );
}

const REASON_MAX = 256;

interface ReasonDialogProps extends DialogText {
  userName: string;
  update: (latest: Rotation) => void;
  onDismiss: () => void;
}

/** A dialog that asks for a reason, which is recorded in the history. */
function ReasonDialog(props: ReasonDialogProps) {
  const { title, verb, operation, content, userName, update, onDismiss } = props;
  const [reason, setReason] = useState('');
  const text = reason.trim();
  return (
    <ActionDialog
      title={title}
      verb={verb}
      disabled={text === '' || text.length > REASON_MAX}
      onDismiss={onDismiss}
      action={async () => update(await operation(userName, text))}
      onDone={onDismiss}
    >
      {content}
      <FormField
        label="Reason"
        description="Required. Recorded in the rotation history."
        errorText={text.length > REASON_MAX ? `Maximum ${String(REASON_MAX)} characters.` : ''}
      >
        <Input value={reason} onChange={({ detail }) => setReason(detail.value)} />
      </FormField>
    </ActionDialog>
  );
}

function Details({ rotation }: { rotation: Rotation }) {
  const { UserName, RotationPolicyName: policy, ObserveSeconds, DwellSeconds } = rotation;
  return (
    <Container header={<Header variant="h2">Details</Header>}>
      <KeyValuePairs
        columns={3}
        items={[
          {
            label: 'User',
            value: <Link to={`/iam/users/${encodeURIComponent(UserName)}`}>{UserName}</Link>,
          },
          {
            label: 'Started',
            value: `${fullDate(rotation.StartDate)} by ${shortPrincipal(rotation.StartedBy)}`,
          },
          {
            label: 'Rotation policy',
            value: policy ? (
              <Link to={`/rotation-policies/edit?name=${encodeURIComponent(policy)}`}>
                {policy}
              </Link>
            ) : (
              '–'
            ),
          },
          {
            label: 'Phase',
            value: `${phaseText(rotation.Phase)} since ${fullDate(rotation.PhaseSince)}`,
          },
          {
            label: 'Periods',
            value: [
              ObserveSeconds === 0
                ? 'No observation'
                : `Observation ${durationText(ObserveSeconds)}`,
              DwellSeconds === 0 ? 'no grace period' : `grace period ${durationText(DwellSeconds)}`,
            ].join(', '),
          },
          {
            label: 'Rotation ID',
            value: <CopyText text={rotation.RotationId} label="Rotation ID" />,
          },
        ]}
      />
    </Container>
  );
}
