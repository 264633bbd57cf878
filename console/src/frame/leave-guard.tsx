// Asks before a page is left whose secret has been neither copied nor downloaded: by a link, Back,
// a reload, closing the tab or a dialog, or by signing out.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { useBlocker } from 'react-router';

import { UnsavedSecrets } from '../lib/unsaved-secrets';

const unsaved = new UnsavedSecrets();

interface LeaveContextValue {
  /** Runs an action that removes secrets from the screen, after asking if one is not saved. */
  leave: (action: () => void) => void;
  /** Whether the question is on the screen; another dialog must not cover it. */
  isAsking: boolean;
}

const LeaveContext = createContext<LeaveContextValue>({
  leave: (action) => action(),
  isAsking: false,
});

export const useLeave = (): LeaveContextValue => useContext(LeaveContext);

/** Guards a secret that the server returns only once, until the result is called. */
export function useOneTimeSecret(label: string): () => void {
  const [isSaved, setIsSaved] = useState(false);
  useEffect(() => (isSaved ? undefined : unsaved.add(label)), [isSaved, label]);
  return () => setIsSaved(true);
}

export function LeaveGuard({ children }: { children: ReactNode }) {
  const blocker = useBlocker(() => !unsaved.isEmpty);
  const [pending, setPending] = useState<() => void>();
  useEffect(() => {
    addEventListener('beforeunload', unsaved.onBeforeUnload);
    return () => removeEventListener('beforeunload', unsaved.onBeforeUnload);
  }, []);
  const isAsking = pending !== undefined || blocker.state === 'blocked';
  const context = useMemo<LeaveContextValue>(
    () => ({
      leave: (action) => {
        if (unsaved.isEmpty) action();
        else setPending(() => action);
      },
      isAsking,
    }),
    [isAsking],
  );
  const stay = (): void => {
    setPending(undefined);
    blocker.reset?.();
  };
  const goAhead = (): void => {
    unsaved.clear();
    setPending(undefined);
    if (pending) pending();
    else blocker.proceed?.();
  };
  return (
    <LeaveContext.Provider value={context}>
      {children}
      {isAsking && (
        <Modal
          visible
          header="Continue without downloading?"
          closeAriaLabel="Close"
          onDismiss={stay}
          footer={
            <Box float="right">
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={stay}>Go back</Button>
                <Button variant="primary" onClick={goAhead}>
                  Continue
                </Button>
              </SpaceBetween>
            </Box>
          }
        >
          You won&apos;t be able to view the {unsaved.text} again.
        </Modal>
      )}
    </LeaveContext.Provider>
  );
}
