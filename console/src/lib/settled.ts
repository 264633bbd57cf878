// A value that follows another one when it has not changed for a moment.
import { useEffect, useState } from 'react';

const MILLIS = 300;

export function useSettled<T>(value: T): T {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), MILLIS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** Whether something has been on the page for a moment: not while rows rush by. */
export function useStays(): boolean {
  const [stays, stay] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => stay(true), MILLIS);
    return () => clearTimeout(timer);
  }, []);
  return stays;
}
