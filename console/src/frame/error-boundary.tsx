// Catches the errors of a page: its code could not be loaded, or it failed.
import { Component, type ReactNode } from 'react';

import { UnreachableError } from '../api/session';
import { ErrorAlert } from './error-alert';

interface ErrorBoundaryProps {
  /** Rendering is tried again when the path changes. */
  path: string;
  children: ReactNode;
}

interface ErrorBoundaryState {
  path: string;
  error?: unknown;
}

export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { path: this.props.path };

  static getDerivedStateFromError(error: unknown): Partial<ErrorBoundaryState> {
    return { error };
  }

  static getDerivedStateFromProps(
    { path }: ErrorBoundaryProps,
    state: ErrorBoundaryState,
  ): ErrorBoundaryState | null {
    return path === state.path ? null : { path, error: undefined };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    // Each browser, and the loader of styles, has its own message; none says that the server is down.
    const isLoadError = error instanceof Error && /import|module|preload/i.test(error.message);
    return (
      <ErrorAlert
        error={isLoadError ? new UnreachableError() : error}
        retry={() => location.reload()}
      />
    );
  }
}
