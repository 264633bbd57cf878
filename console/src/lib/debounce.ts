// Values that are passed on only when they have not changed for a moment.
import { useEffect, useState } from 'react';

const DELAY_MS = 300;

export function useDebounced<T>(value: T): T {
  const [debounced, setDebounced] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDebounced(value), DELAY_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return debounced;
}

/** Whether a component has been mounted for a moment, and is not scrolled past. */
export function useIsSettled(): boolean {
  const [isSettled, setIsSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsSettled(true), DELAY_MS);
    return () => clearTimeout(timer);
  }, []);
  return isSettled;
}
