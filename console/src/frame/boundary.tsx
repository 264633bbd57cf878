// Catches a page that cannot be shown: its code could not be fetched, or it failed.
import { Component, type ReactNode } from 'react';

import { Unreachable } from '../api/session';
import { Problem } from './problem';

/** Holds its children until one fails; another `place` is another try. */
export class Boundary extends Component<
  { place: string; children: ReactNode },
  { error?: unknown; place: string }
> {
  override state: { error?: unknown; place: string } = { place: this.props.place };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  static getDerivedStateFromProps(
    { place }: { place: string },
    state: { error?: unknown; place: string },
  ) {
    return place === state.place ? null : { place, error: undefined };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    // Browsers, and the loader of styles, say it differently; none says that the server is away.
    const unfetched = error instanceof Error && /import|module|preload/i.test(error.message);
    return (
      <Problem error={unfetched ? new Unreachable() : error} retry={() => location.reload()} />
    );
  }
}
