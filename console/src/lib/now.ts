// The current time, for texts such as "5 minutes ago" that become untrue while a page is open.
import { useEffect, useState } from 'react';

const TICK_MS = 5_000;

export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
