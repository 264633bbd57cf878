// A password for a new user, and what AWS's default rule asks of one.

const SETS = [
  'ABCDEFGHJKLMNPQRSTUVWXYZ',
  'abcdefghijkmnopqrstuvwxyz',
  '23456789',
  '!@#$%^&*()_+-=[]{}|',
];

function below(bound: number): number {
  // Values beyond the last whole multiple would make small numbers likelier.
  const limit = Math.floor(2 ** 32 / bound) * bound;
  for (;;) {
    const value = crypto.getRandomValues(new Uint32Array(1))[0] ?? limit;
    if (value < limit) return value % bound;
  }
}

/** Twenty characters, or as many as the policy asks, of all four kinds. */
export function generate(least = 0): string {
  const length = Math.max(20, least);
  const all = SETS.join('');
  const picked = SETS.map((set) => set.charAt(below(set.length)));
  while (picked.length < length) picked.push(all.charAt(below(all.length)));
  for (let at = picked.length - 1; at > 0; at -= 1) {
    const other = below(at + 1);
    [picked[at], picked[other]] = [picked[other] ?? '', picked[at] ?? ''];
  }
  return picked.join('');
}
