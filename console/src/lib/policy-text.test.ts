// A policy document is counted and cut as the service does it.
import { describe, expect, it } from 'vitest';

import {
  formatted,
  lineAt,
  offsetOf,
  quotaSize,
  NEW_POLICY,
  statementText,
  codeUnitOffset,
} from './policy-text';

describe('quotaSize', () => {
  it.each([
    ['', 0],
    [' {\n\t"a" : "b c" }\r\n', 11],
    ['"say \\" x"', 10],
    ['"\\\\" "x"', 7],
    ['"é😀"', 4],
  ])('of %j is %i', (text, count) => expect(quotaSize(text)).toBe(count));
});

it('character offsets become code-unit offsets', () => {
  const text = 'a😀b';
  expect([0, 1, 2, 3, 9].map((at) => codeUnitOffset(text, at))).toEqual([0, 1, 3, 4, 4]);
});

it('lines and columns start at 1', () => {
  const text = 'ab\n😀c\n';
  expect(offsetOf(text, 1, 1)).toBe(0);
  expect(text.slice(offsetOf(text, 2, 2), offsetOf(text, 2, 3))).toBe('c');
  expect(offsetOf(text, 9, 1)).toBe(text.length);
  expect([0, 3, text.length].map((at) => lineAt(text, at))).toEqual([1, 2, 3]);
});

describe('a matched statement', () => {
  const [one, two] = ['{"Effect":"Allow"}', '{"Effect":"Deny"}'];
  const inLine = `{"Statement":[${one},${two}]}`;
  const lines = '{\n  "Statement": [\n    {\n      "Sid": "a"\n    },\n    {}\n  ]\n}';
  it.each([
    ['first of a list', inLine, [1, 15], [1, 33], one],
    ['second of a list', inLine, [1, 33], [1, 51], two],
    ['alone', `{"Statement":${one}}`, [1, 15], [1, 32], one],
    ['on separate lines', lines, [2, 17], [5, 6], '{\n  "Sid": "a"\n}'],
    ['after another one', lines, [5, 6], [6, 7], '{}'],
  ] as const)('%s', (_, text, [line, column], [endLine, endColumn], expected) =>
    expect(statementText(text, { line, column }, { line: endLine, column: endColumn })).toBe(
      expected,
    ),
  );
});

it('formats only JSON', () => {
  expect(formatted('{"a":[]}')).toBe('{\n    "a": []\n}');
  expect(formatted('{"a"')).toBe('{"a"');
  expect(JSON.parse(NEW_POLICY)).toHaveProperty('Statement.0.Sid', 'Statement1');
});
