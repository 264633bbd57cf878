// Small parts that many pages share.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import type { WizardProps } from '@cloudscape-design/components/wizard';
import { useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import CloudscapeLink, { type LinkProps } from '@cloudscape-design/components/link';

import { Problem } from './problem';

/** The words of every wizard. */
export const WIZARD: WizardProps.I18nStrings = {
  stepNumberLabel: (at) => `Step ${String(at)}`,
  collapsedStepsLabel: (at, count) => `Step ${String(at)} of ${String(count)}`,
  cancelButton: 'Cancel',
  previousButton: 'Previous',
  nextButton: 'Next',
};

/** A link to another page of the console. */
export function Link({ to, onFollow, ...rest }: LinkProps & { to: string }) {
  const navigate = useNavigate();
  return (
    <CloudscapeLink
      {...rest}
      href={`/console${to}`}
      onFollow={(event) => {
        if (event.detail.external) return;
        event.preventDefault();
        onFollow?.(event);
        void navigate(to);
      }}
    />
  );
}

/** Stands where a page will be. */
export const Loading = () => (
  <Box textAlign="center" padding="xxl">
    <StatusIndicator type="loading">Loading</StatusIndicator>
  </Box>
);

/** A text with a button that copies it, or the button alone. */
export function Copy({
  text,
  label,
  iconOnly = false,
}: {
  text: string;
  label: string;
  iconOnly?: boolean;
}) {
  return (
    <CopyToClipboard
      variant={iconOnly ? 'icon' : 'inline'}
      textToCopy={text}
      copyButtonAriaLabel={`Copy ${label}`}
      copySuccessText={`${label} copied`}
      copyErrorText={`${label} could not be copied`}
    />
  );
}

/** A secret that is shown on demand, and can be copied without being shown. */
export function Hidden({ secret, label }: { secret: string; label: string }) {
  const [shown, setShown] = useState(false);
  return (
    <SpaceBetween direction="horizontal" size="xs" alignItems="center">
      <CopyToClipboard
        variant="icon"
        textToCopy={secret}
        copyButtonAriaLabel={`Copy ${label}`}
        copySuccessText={`${label} copied`}
        copyErrorText={`${label} could not be copied`}
      />
      <Box variant="span">
        <span data-secret={label}>{shown ? secret : '•'.repeat(16)}</span>
      </Box>
      <Button
        variant="inline-link"
        ariaLabel={`${shown ? 'Hide' : 'Show'} ${label}`}
        onClick={() => setShown(!shown)}
      >
        {shown ? 'Hide' : 'Show'}
      </Button>
    </SpaceBetween>
  );
}

export interface ConfirmProps {
  title: string;
  verb: string;
  children: ReactNode;
  /** What must be typed before the button works. */
  typed?: string;
  disabled?: boolean;
  onDismiss: () => void;
  act: () => Promise<unknown>;
  done: () => void;
}

/** A dialog that does something after a yes; what fails is shown in it. */
export function Confirm({
  title,
  verb,
  children,
  typed,
  disabled,
  onDismiss,
  act,
  done,
}: ConfirmProps) {
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const go = (): void => {
    setBusy(true);
    setError(undefined);
    act()
      .then(done, setError)
      .finally(() => setBusy(false));
  };
  const ready = !disabled && (typed === undefined || text === typed);
  return (
    <Modal
      visible
      header={title}
      onDismiss={onDismiss}
      closeAriaLabel="Close"
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onDismiss}>
              Cancel
            </Button>
            <Button variant="primary" disabled={!ready} loading={busy} onClick={go}>
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {children}
        {typed !== undefined && (
          <FormField label={`To confirm, type ${typed}`}>
            <Input
              value={text}
              placeholder={typed}
              ariaLabel={`Type ${typed}`}
              autoComplete={false}
              onChange={({ detail }) => setText(detail.value)}
            />
          </FormField>
        )}
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Modal>
  );
}

interface PickProps {
  title: string;
  verb: string;
  disabled?: boolean;
  dismiss: () => void;
  act: () => Promise<unknown>;
  done: () => void;
  children: ReactNode;
}

/** A wide dialog in which something is chosen. */
export function Pick({ title, verb, disabled = false, dismiss, act, done, children }: PickProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <Modal
      visible
      size="large"
      header={title}
      closeAriaLabel="Close"
      onDismiss={dismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={dismiss}>
              Cancel
            </Button>
            <Button
              variant="primary"
              disabled={disabled}
              loading={busy}
              onClick={() => {
                setBusy(true);
                setError(undefined);
                act()
                  .then(done, setError)
                  .finally(() => setBusy(false));
              }}
            >
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {children}
        {error !== undefined && <Problem error={error} />}
      </SpaceBetween>
    </Modal>
  );
}
