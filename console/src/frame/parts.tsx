// Small parts that many pages share.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Modal, { type ModalProps } from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import type { WizardProps } from '@cloudscape-design/components/wizard';
import { useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import CloudscapeLink, { type LinkProps } from '@cloudscape-design/components/link';

import { fullDate, timeAgo } from '../lib/age';
import { useNow } from '../lib/now';
import { ErrorAlert } from './error-alert';

/** The texts of every wizard. */
export const WIZARD: WizardProps.I18nStrings = {
  stepNumberLabel: (step) => `Step ${String(step)}`,
  collapsedStepsLabel: (step, count) => `Step ${String(step)} of ${String(count)}`,
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

/** How long ago something happened, and the date on hover. */
export function TimeAgo({ date }: { date: string }) {
  const now = useNow();
  return (
    <time dateTime={date} title={fullDate(date)}>
      {timeAgo(date, now)}
    </time>
  );
}

/** The placeholder of a page that is loading. */
export const Loading = () => (
  <Box textAlign="center" padding="xxl">
    <StatusIndicator type="loading">Loading</StatusIndicator>
  </Box>
);

/** A text with a copy button, or the button alone. */
export function CopyText({
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

interface SecretTextProps {
  secret: string;
  label: string;
  onCopy?: () => void;
}

/** A secret that is masked until Show is chosen, and can be copied without showing it. */
export function SecretText({ secret, label, onCopy }: SecretTextProps) {
  const [visible, setVisible] = useState(false);
  return (
    <SpaceBetween direction="horizontal" size="xs" alignItems="center">
      <CopyToClipboard
        variant="icon"
        textToCopy={secret}
        copyButtonAriaLabel={`Copy ${label}`}
        copySuccessText={`${label} copied`}
        copyErrorText={`${label} could not be copied`}
        onCopySuccess={() => onCopy?.()}
      />
      <Box variant="span">
        <span data-secret={label}>{visible ? secret : '•'.repeat(16)}</span>
      </Box>
      <Button
        variant="inline-link"
        ariaLabel={`${visible ? 'Hide' : 'Show'} ${label}`}
        onClick={() => setVisible(!visible)}
      >
        {visible ? 'Hide' : 'Show'}
      </Button>
    </SpaceBetween>
  );
}

interface ActionDialogProps {
  title: string;
  verb: string;
  children: ReactNode;
  /** Text that must be entered before the button is enabled. */
  confirmText?: string;
  disabled?: boolean;
  size?: ModalProps.Size;
  onDismiss: () => void;
  action: () => Promise<unknown>;
  onDone: () => void;
}

/** A dialog with one action; it stays open and shows the error if the action fails. */
export function ActionDialog(props: ActionDialogProps) {
  const { title, verb, children, confirmText, disabled = false, onDismiss } = props;
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = (): void => {
    setBusy(true);
    setError(undefined);
    props
      .action()
      .then(props.onDone, setError)
      .finally(() => setBusy(false));
  };
  const isConfirmed = confirmText === undefined || text === confirmText;
  return (
    <Modal
      visible
      size={props.size ?? 'medium'}
      header={title}
      onDismiss={onDismiss}
      closeAriaLabel="Close"
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onDismiss}>
              Cancel
            </Button>
            <Button
              variant="primary"
              disabled={disabled || !isConfirmed}
              loading={busy}
              onClick={run}
            >
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {children}
        {confirmText !== undefined && (
          <FormField label={`To confirm, enter ${confirmText} in the text input field.`}>
            <Input
              value={text}
              placeholder={confirmText}
              ariaLabel={`Enter ${confirmText} to confirm`}
              autoComplete={false}
              onChange={({ detail }) => setText(detail.value)}
              onKeyDown={({ detail }) => {
                if (detail.key === 'Enter' && isConfirmed && !disabled && !busy) run();
              }}
            />
          </FormField>
        )}
        {error !== undefined && <ErrorAlert error={error} />}
      </SpaceBetween>
    </Modal>
  );
}
