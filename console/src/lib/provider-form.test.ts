// The rules for the fields of identity providers.
import { describe, expect, it } from 'vitest';

import {
  audienceProblem,
  normalThumbprint,
  providerUrlProblem,
  samlNameProblem,
  thumbprintProblem,
} from './provider-form';

const long = (count: number): string => 'a'.repeat(count);

describe.each<[string, (value: string) => string, string[], string[]]>([
  [
    'URLs',
    providerUrlProblem,
    ['https://gitlab.example.com', 'https://k8s.example.com:6443/a', `https://${long(247)}`],
    [
      '',
      'https://',
      'http://gitlab.example.com',
      'gitlab.example.com',
      'https://a.example/?b=1',
      'https://a.example/#b',
      'https://a b',
      `https://${long(248)}`,
    ],
  ],
  ['audiences', audienceProblem, ['sts.amazonaws.com', long(255)], ['', long(256)]],
  ['names', samlNameProblem, ['Corp-1.a_b', long(128)], ['', 'a b', 'a+b', long(129)]],
  [
    'thumbprints',
    thumbprintProblem,
    ['990f4193972f2becf12ddeda5237f9c952f20d9e', 'AA:'.repeat(19) + 'AA'],
    ['', long(39), long(41), 'g'.repeat(40)],
  ],
])('%s', (_, problem, good, bad) => {
  it.each(good)('%s is valid', (value) => expect(problem(value)).toBe(''));
  it.each(bad)('%j is not', (value) => expect(problem(value)).not.toBe(''));
});

it('registers thumbprints as openssl prints them', () => {
  expect(normalThumbprint(' 99:0F:41\n')).toBe('990f41');
});
