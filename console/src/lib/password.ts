// Generates passwords for users.

const SETS = [
  'ABCDEFGHJKLMNPQRSTUVWXYZ',
  'abcdefghijkmnopqrstuvwxyz',
  '23456789',
  '!@#$%^&*()_+-=[]{}|',
];

/** A random number below a bound, without bias. */
function below(bound: number): number {
  // Values beyond the last whole multiple would make small numbers likelier.
  const limit = Math.floor(2 ** 32 / bound) * bound;
  for (;;) {
    const value = crypto.getRandomValues(new Uint32Array(1))[0] ?? limit;
    if (value < limit) return value % bound;
  }
}

/** 20 characters, or more if the policy requires it, of all four kinds. */
export function generatePassword(minimum = 0): string {
  const length = Math.max(20, minimum);
  const all = SETS.join('');
  const picked = SETS.map((set) => set.charAt(below(set.length)));
  while (picked.length < length) picked.push(all.charAt(below(all.length)));
  for (let index = picked.length - 1; index > 0; index -= 1) {
    const other = below(index + 1);
    [picked[index], picked[other]] = [picked[other] ?? '', picked[index] ?? ''];
  }
  return picked.join('');
}
