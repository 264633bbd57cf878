// What every page may use: who is signed in, what the server can do, the region, notices.
import type { FlashbarProps } from '@cloudscape-design/components/flashbar';
import { createContext, useContext } from 'react';

import type { Capabilities, SignedIn } from '../api/session';

export interface Frame {
  session: SignedIn;
  served: Capabilities;
  region: string;
  setRegion: (code: string) => void;
  /** Shows a notice at the top until it is dismissed, in the place of the one with this id. */
  notify: (notice: Omit<FlashbarProps.MessageDefinition, 'id' | 'onDismiss'>, id?: string) => void;
  done: (text: string) => void;
  failed: (error: unknown, id?: string) => void;
}

export const FrameContext = createContext<Frame | null>(null);

export function useFrame(): Frame {
  const frame = useContext(FrameContext);
  if (!frame) throw new Error('A page stands outside of the frame.');
  return frame;
}

/** Whether the server serves an operation of IAM. */
export function useServed(): (operation: string) => boolean {
  const { served } = useFrame();
  return (operation) => served.iam.includes(operation) || served.keywright.includes(operation);
}
