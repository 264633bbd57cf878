// What every page may use: the session, what the server serves, the Region, notifications.
import type { FlashbarProps } from '@cloudscape-design/components/flashbar';
import { createContext, useContext } from 'react';

import type { OperationName } from '../api/operation-name';
import { isServed, type Capabilities, type SignedIn } from '../api/session';

type Notification = Omit<FlashbarProps.MessageDefinition, 'id' | 'onDismiss'>;

export interface Frame {
  /** Whom requests are made as: the user who is signed in, or the role that the tab acts in. */
  session: SignedIn;
  /** Who is signed in. */
  user: SignedIn;
  capabilities: Capabilities;
  region: string;
  setRegion: (code: string) => void;
  /** Shows a notification until it is dismissed; it replaces the one with the same ID. */
  notify: (notification: Notification, id?: string) => void;
  notifySuccess: (text: string) => void;
  notifyError: (error: unknown, id?: string) => void;
}

export const FrameContext = createContext<Frame | null>(null);

export function useFrame(): Frame {
  const frame = useContext(FrameContext);
  if (!frame) throw new Error('A page must be rendered inside of the shell.');
  return frame;
}

/** Whether the server serves an operation. */
export function useIsServed(): (operation: OperationName) => boolean {
  const { capabilities } = useFrame();
  return (operation) => isServed(capabilities, operation);
}
