// One rotation, step by step, with the evidence: what it waits for, and what a person can do.
//
// The page keeps nothing that matters: everything is read from the server again and again, so it
// can be left and come back to.
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
import { useState } from 'react';
import { useParams, useSearchParams } from 'react-router';

import * as api from '../../api/rotation';
import { queries } from '../../api/session';
import { useFrame } from '../../frame/context';
import { Confirm, Copy, Link, Loading } from '../../frame/parts';
import { missingAction, Problem } from '../../frame/problem';
import { ahead, full, span } from '../../lib/age';
import { Evidence, History } from './evidence';
import { HandOver } from './hand-over';
import {
  advice,
  awaitsPerson,
  isBack,
  placeName,
  principal,
  stage,
  steps,
  words,
  type Step,
  type StepState,
} from './phases';
import { rotationChanged, useRotation } from './queries';

const ICONS: Record<StepState, StatusIndicatorProps.Type> = {
  done: 'success',
  moving: 'loading',
  waiting: 'info',
  trouble: 'warning',
  held: 'error',
  skipped: 'stopped',
  ahead: 'pending',
};
const STATES: Record<StepState, string> = {
  done: 'done',
  moving: 'now',
  waiting: 'waiting',
  trouble: 'trouble',
  held: 'held',
  skipped: 'skipped',
  ahead: 'not yet',
};

const isNow = (state: StepState): boolean =>
  state === 'moving' || state === 'waiting' || state === 'trouble' || state === 'held';

export function RotationPage() {
  const { name = '' } = useParams();
  const [search] = useSearchParams();
  const id = search.get('id') ?? undefined;
  const read = useRotation(name, id);
  const rotation = read.data;
  if (!rotation) {
    if (!read.error) return <Loading />;
    return <Problem error={read.error} retry={() => void read.refetch()} />;
  }
  const changed = (now: api.Rotation): void => {
    queries.setQueryData(['rotation', name, id ?? 'newest'], now);
    rotationChanged(name);
  };
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={
            rotation.over ? '' : 'It goes on by itself, whether this page is open or not.'
          }
          actions={<Actions rotation={rotation} changed={changed} />}
        >
          Rotation of {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <LiveRegion hidden>{words(rotation.phase)}</LiveRegion>
        {read.error && <Problem error={read.error} retry={() => void read.refetch()} />}
        <Notice rotation={rotation} changed={changed} />
        {(awaitsPerson(rotation) ? !rotation.held : rotation.canRetrieve) && (
          <HandOver rotation={rotation} changed={changed} />
        )}
        <Container header={<Header variant="h2">Progress</Header>}>
          <Steps
            ariaLabel="Progress"
            steps={steps(rotation).map((step) => ({
              status: ICONS[step.state],
              statusIconAriaLabel: STATES[step.state],
              header: isNow(step.state) ? (
                <b>{`${step.title} – ${STATES[step.state]}`}</b>
              ) : (
                step.title
              ),
              details: <StepDetails step={step} rotation={rotation} />,
            }))}
          />
        </Container>
        <Evidence rotation={rotation} />
        <Details rotation={rotation} />
        <History rotation={rotation} />
      </SpaceBetween>
    </ContentLayout>
  );
}

/** What a step says, and for the one that it is at: what is waited for, and each place. */
function StepDetails({ step: { id, state, text }, rotation }: StepDetailsProps) {
  const { waitingFor, waitingUntil, deliveries } = rotation;
  return (
    <SpaceBetween size="xxs">
      <Box color="text-body-secondary">{text}</Box>
      {(id === 'deliver' || id === 'restore') && state !== 'ahead' && (
        <ul>
          {deliveries.map((delivery) => (
            <li key={delivery.place}>
              <Delivered delivery={delivery} />
            </li>
          ))}
        </ul>
      )}
      {isNow(state) && state !== 'held' && waitingFor && !awaitsPerson(rotation) && (
        <Box>
          <b>Waiting:</b> {waitingFor}
          {waitingUntil && ` (until ${full(waitingUntil)}, ${ahead(waitingUntil)})`}
        </Box>
      )}
    </SpaceBetween>
  );
}

interface StepDetailsProps {
  step: Step;
  rotation: api.Rotation;
}

function Delivered({ delivery }: { delivery: api.Delivery }) {
  const { place, failures, trouble } = delivery;
  const failed = trouble !== undefined && place !== api.PERSON;
  return (
    <>
      {placeName(place)}: {stage(delivery)}
      {failed && (
        <Box>
          <StatusIndicator type="warning">
            {failures > 1 ? `Failed ${String(failures)} times: ` : ''}
            {trouble}
          </StatusIndicator>
        </Box>
      )}
    </>
  );
}

interface ActsProps {
  rotation: api.Rotation;
  changed: (now: api.Rotation) => void;
}

/** What stands in the way, or how it ended. */
function Notice({ rotation, changed }: ActsProps) {
  const { held, trouble, phase, oldKey, newKey, userName, endedBecause } = rotation;
  if (held !== undefined) {
    const { title, todo } = advice(held);
    const action = missingAction(held.text);
    return (
      <Alert
        type="error"
        header={action ? `The permission ${action} is missing` : title}
        action={
          <Act rotation={rotation} ask={api.releaseRotation} said="Released" changed={changed}>
            Release
          </Act>
        }
      >
        <Box variant="p">It is {held.code === 'Asked' ? held.text : `held: ${held.text}`}.</Box>
        <Box variant="p">{todo}</Box>
        <Link to={`/iam/users/${encodeURIComponent(userName)}?tab=credentials`}>
          Access keys of {userName}
        </Link>
      </Alert>
    );
  }
  if (trouble !== undefined) {
    const action = missingAction(trouble);
    return (
      <Alert
        type="warning"
        header={action ? `The permission ${action} is missing` : 'It cannot go on yet'}
      >
        <Box variant="p">{trouble}</Box>
        <Box variant="p">
          {action
            ? `It acts for ${rotation.startedBy}. Allow it there, and the rotation goes on.`
            : 'It is tried again by itself. Nothing is lost meanwhile.'}
        </Box>
      </Alert>
    );
  }
  if (phase === 'Done') {
    return (
      <Alert type="success" header="The key is rotated">
        {newKey} has replaced {oldKey}, which is deleted.
      </Alert>
    );
  }
  if (phase === 'RolledBack') {
    return (
      <Alert type="info" header="Everything is as it was">
        {oldKey} is in use as before. {newKey ? `${newKey} is deleted.` : 'No new key was made.'}
      </Alert>
    );
  }
  if (phase === 'Abandoned') {
    return (
      <Alert type="info" header="The rotation has ended as it was">
        {endedBecause ?? 'No reason was given.'}
      </Alert>
    );
  }
  if (phase === 'UserGone') {
    return (
      <Alert type="info" header="The user is not there any more">
        Its keys went with it, so the rotation has ended. Places may still hold {newKey ?? oldKey},
        which nobody accepts.
      </Alert>
    );
  }
  return null;
}

interface ActProps extends ActsProps {
  ask: (userName: string) => Promise<api.Rotation>;
  said: string;
  children: string;
}

/** A button that asks the server for something at once. */
function Act({ rotation, ask, said, changed, children }: ActProps) {
  const { done, failed } = useFrame();
  const [busy, setBusy] = useState(false);
  const go = (): void => {
    setBusy(true);
    ask(rotation.userName)
      .then((now) => {
        changed(now);
        done(said);
      }, failed)
      .finally(() => setBusy(false));
  };
  return (
    <Button loading={busy} onClick={go}>
      {children}
    </Button>
  );
}

function Actions({ rotation, changed }: ActsProps) {
  const [asking, setAsking] = useState<'hold' | 'back' | 'end' | 'hurry' | 'unused'>();
  if (rotation.over) return null;
  const held = rotation.held !== undefined;
  const dismiss = (): void => setAsking(undefined);
  return (
    <SpaceBetween direction="horizontal" size="xs">
      {!held && (
        <Act rotation={rotation} ask={api.resumeRotation} said="Looked again" changed={changed}>
          Look again
        </Act>
      )}
      {!held && <Button onClick={() => setAsking('hold')}>Hold</Button>}
      <Button
        disabled={!rotation.canRollBack}
        disabledReason={
          isBack(rotation)
            ? 'It is being rolled back.'
            : 'The old key is being deleted: it is too late to put anything back.'
        }
        onClick={() => setAsking('back')}
      >
        Roll back
      </Button>
      {rotation.phase === 'Observing' && rotation.observeSecs > 0 && (
        <Button onClick={() => setAsking('hurry')}>Deactivate now</Button>
      )}
      {rotation.phase === 'Dwelling' && rotation.unused && (
        <Button onClick={() => setAsking('unused')}>Do not wait for a use</Button>
      )}
      <Button onClick={() => setAsking('end')}>End as it is</Button>
      {asking === 'end' && (
        <WithReason
          title="End this rotation as it is?"
          verb="End"
          ask={(why) => api.abandonRotation(rotation.userName, why)}
          changed={changed}
          dismiss={dismiss}
        >
          Keys and places stay as they are now; only a new key that nobody can have is deleted. The
          history says what is left.
        </WithReason>
      )}
      {asking === 'hurry' && (
        <WithReason
          title="Deactivate the old key now?"
          verb="Deactivate now"
          ask={(why) => api.hurryRotation(rotation.userName, why)}
          changed={changed}
          dismiss={dismiss}
        >
          For a key that has leaked. Whoever still uses {rotation.oldKey} is refused.
        </WithReason>
      )}
      {asking === 'unused' && (
        <WithReason
          title="Delete the old key although no program uses the new one?"
          verb="Do not wait"
          ask={(why) => api.overrideUnused(rotation.userName, why)}
          changed={changed}
          dismiss={dismiss}
        >
          After the dwell {rotation.oldKey} is deleted, and the new key cannot be retrieved any
          more.
        </WithReason>
      )}
      {asking === 'hold' && (
        <WithReason
          title="Hold this rotation?"
          verb="Hold"
          ask={(why) => api.holdRotation(rotation.userName, why)}
          changed={changed}
          dismiss={dismiss}
        >
          Nothing more happens until somebody releases it. The keys stay as they are now.
        </WithReason>
      )}
      {asking === 'back' && (
        <WithReason
          title="Roll back this rotation?"
          verb="Roll back"
          ask={(why) => api.rollBackRotation(rotation.userName, why)}
          changed={changed}
          dismiss={dismiss}
        >
          <RollBackMeans rotation={rotation} />
        </WithReason>
      )}
    </SpaceBetween>
  );
}

function RollBackMeans({ rotation: { oldKey, newKey, deliveries } }: { rotation: api.Rotation }) {
  const byHand = deliveries.some(({ place }) => place === api.PERSON);
  return (
    <ul>
      <li>{oldKey} is made active again, if it is not.</li>
      <li>Every place gets back what it had.</li>
      {byHand && <li>Where the new key was put by hand, you put the old one back by hand.</li>}
      <li>{newKey ?? 'The new key'} is deactivated, and deleted in the end.</li>
    </ul>
  );
}

const REASON_MAX = 256;

interface WithReasonProps {
  title: string;
  verb: string;
  ask: (why: string) => Promise<api.Rotation>;
  changed: (now: api.Rotation) => void;
  dismiss: () => void;
  children: React.ReactNode;
}

/** A dialog that asks why; the reason goes into the history. */
function WithReason({ title, verb, ask, changed, dismiss, children }: WithReasonProps) {
  const [why, setWhy] = useState('');
  const text = why.trim();
  return (
    <Confirm
      title={title}
      verb={verb}
      disabled={text === '' || text.length > REASON_MAX}
      onDismiss={dismiss}
      act={async () => changed(await ask(text))}
      done={dismiss}
    >
      {children}
      <FormField
        label="Reason"
        description="For the history."
        errorText={text.length > REASON_MAX ? `Up to ${String(REASON_MAX)} characters` : ''}
      >
        <Input value={why} onChange={({ detail }) => setWhy(detail.value)} />
      </FormField>
    </Confirm>
  );
}

function Details({ rotation }: { rotation: api.Rotation }) {
  const { id, userName, started, startedBy, policy, observeSecs, dwellSecs, since } = rotation;
  return (
    <Container header={<Header variant="h2">Details</Header>}>
      <KeyValuePairs
        columns={3}
        items={[
          {
            label: 'User',
            value: <Link to={`/iam/users/${encodeURIComponent(userName)}`}>{userName}</Link>,
          },
          { label: 'Started', value: `${full(started)} by ${principal(startedBy)}` },
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
          { label: 'Phase', value: `${words(rotation.phase)} since ${full(since)}` },
          {
            label: 'Pace',
            value: [
              observeSecs === 0 ? 'No watch' : `Watch ${span(observeSecs)}`,
              dwellSecs === 0 ? 'no dwell' : `dwell ${span(dwellSecs)}`,
            ].join(', '),
          },
          { label: 'Rotation ID', value: <Copy text={id} label="Rotation ID" /> },
        ]}
      />
    </Container>
  );
}
