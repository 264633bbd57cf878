// How a failure is shown: the service's code, its words, the request's id, and what to do.
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import { useEffect } from 'react';
import { useNavigate } from 'react-router';

import { endIfSignedOut, Refusal } from '../api/session';

const DENIED = new Set(['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation']);

/** The action that was missing, as the service's message names it. */
export function missingAction(message: string): string | undefined {
  return /not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)/.exec(message)?.[1];
}

/** Whether a setting of the bucket refused it, and no policy. */
const isBlocked = (error: Refusal): boolean => error.message.includes('S3 Block Public Access');

export function title(error: unknown): string {
  if (!(error instanceof Refusal)) return 'It did not work';
  if (!DENIED.has(error.code)) return error.code;
  if (isBlocked(error)) return 'Block public access does not let this policy in';
  const action = missingAction(error.message);
  return action ? `You don't have the permission ${action}` : "You don't have permission";
}

export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A failure in the place where content would be. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const navigate = useNavigate();
  useEffect(() => endIfSignedOut(error), [error]);
  const refused = error instanceof Refusal ? error : undefined;
  const explain = refused?.requestId && DENIED.has(refused.code) && !isBlocked(refused);
  const id = refused?.requestId ?? '';
  const action = explain ? (
    <Button onClick={() => void navigate(`/denied/${id}`)}>Why was this denied?</Button>
  ) : (
    retry && <Button onClick={retry}>Try again</Button>
  );
  return (
    <Alert type="error" header={title(error)} action={action}>
      {text(error)}
      {id && (
        <Box color="text-body-secondary" fontSize="body-s">
          Request ID: {id}
        </Box>
      )}
    </Alert>
  );
}
