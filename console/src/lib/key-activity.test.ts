// What is said of a key's use and of the attempts with it: unknown is not never.
import { expect, it } from 'vitest';

import type { KeyAttempts, KeyUse } from '../api/key-activity';
import { attemptsText, lastUseText } from './key-activity';

const NOW = new Date('2026-11-24T12:00:00Z');
const AT = '2026-11-24T11:58:00Z';
const WHERE = { service: 's3', region: 'us-east-1' };

it.each<[KeyUse | undefined, string]>([
  [undefined, 'Unknown'],
  [{ isExact: true }, 'Never'],
  [{ date: AT, ...WHERE, isExact: true }, '2 minutes ago (s3, us-east-1)'],
  [{ date: AT, ...WHERE, isExact: false }, '2 minutes ago (s3, us-east-1, 15-minute resolution)'],
  [{ date: '2026-11-24T11:59:20Z', ...WHERE, isExact: true }, '40 seconds ago (s3, us-east-1)'],
])('the use %j', (use, text) => expect(lastUseText(use, NOW)).toBe(text));

const attempt = {
  SourceAddress: '192.0.2.7',
  Action: 's3:ListBuckets',
  LastAttempt: AT,
  Count: 3,
};

it.each<[KeyAttempts | null, string]>([
  [null, 'Unknown'],
  [{ total: 0, attempts: [] }, 'None'],
  [
    { total: 3, attempts: [attempt] },
    '3 rejected, last 2 minutes ago from 192.0.2.7 (s3:ListBuckets)',
  ],
])('the attempts %j', (attempts, text) => expect(attemptsText(attempts, NOW)).toBe(text));
