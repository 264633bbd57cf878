// A few requests at a time, and none after a failure.
import { expect, it } from 'vitest';

import { mapConcurrently } from './concurrent';

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

it('returns the results in order and runs no more at a time than allowed', async () => {
  let running = 0;
  let most = 0;
  const results = await mapConcurrently([5, 4, 3, 2, 1], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await later();
    running -= 1;
    return item * 10;
  });
  expect(results).toEqual([50, 40, 30, 20, 10]);
  expect(most).toBe(2);
});

it('begins nothing after a failure', async () => {
  const begun: number[] = [];
  const denied = mapConcurrently([1, 2, 3, 4], 1, async (item) => {
    begun.push(item);
    await later();
    if (item === 2) throw new Error('denied');
  });
  await expect(denied).rejects.toThrow('denied');
  expect(begun).toEqual([1, 2]);
});

it('does nothing with nothing', async () => {
  expect(await mapConcurrently([], 3, later)).toEqual([]);
});
