// Displays an error: the service's code and message, the request's ID, and what to do.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import { useEffect } from 'react';
import { useNavigate } from 'react-router';

import { endIfSignedOut, isDenied, ServiceError } from '../api/session';

/** The missing action, as the service's message names it. */
export function missingAction(message: string): string | undefined {
  return /not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)/.exec(message)?.[1];
}

/** Whether the bucket's settings denied the request, and no policy. */
const isPublicAccessBlocked = (error: ServiceError): boolean =>
  error.message.includes('S3 Block Public Access');

export function errorTitle(error: unknown): string {
  if (!(error instanceof ServiceError)) return 'Something went wrong';
  if (!isDenied(error)) return error.code;
  if (isPublicAccessBlocked(error)) return 'Block public access prevents this policy';
  const action = missingAction(error.message);
  return action ? `You don't have permission to perform ${action}` : "You don't have permission";
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error in the place of the content. */
export function ErrorAlert({ error, retry }: { error: unknown; retry?: () => void }) {
  const navigate = useNavigate();
  useEffect(() => endIfSignedOut(error), [error]);
  const serviceError = error instanceof ServiceError ? error : undefined;
  const requestId = serviceError?.requestId ?? '';
  const isExplained =
    serviceError !== undefined &&
    requestId !== '' &&
    isDenied(serviceError) &&
    !isPublicAccessBlocked(serviceError);
  const action = isExplained ? (
    <Button onClick={() => void navigate(`/denied/${requestId}`)}>Why was this denied?</Button>
  ) : (
    retry && <Button onClick={retry}>Retry</Button>
  );
  return (
    <Alert type="error" header={errorTitle(error)} action={action}>
      {errorText(error)}
      {requestId && (
        <Box color="text-body-secondary" fontSize="body-s">
          Request ID: {requestId}
        </Box>
      )}
    </Alert>
  );
}
