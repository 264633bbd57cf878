// A policy's text is counted and cut as the service does it.
import { describe, expect, it } from 'vitest';

import { formatted, lineOf, place, size, SKELETON, statement, unit } from './policy-text';

describe('size', () => {
  it.each([
    ['', 0],
    [' {\n\t"a" : "b c" }\r\n', 11],
    ['"say \\" x"', 10],
    ['"\\\\" "x"', 7],
    ['"é😀"', 4],
  ])('of %j is %i', (text, count) => expect(size(text)).toBe(count));
});

it('offsets in characters become those of strings', () => {
  const text = 'a😀b';
  expect([0, 1, 2, 3, 9].map((at) => unit(text, at))).toEqual([0, 1, 3, 4, 4]);
});

it('lines and columns count from 1', () => {
  const text = 'ab\n😀c\n';
  expect(place(text, 1, 1)).toBe(0);
  expect(text.slice(place(text, 2, 2), place(text, 2, 3))).toBe('c');
  expect(place(text, 9, 1)).toBe(text.length);
  expect([0, 3, text.length].map((at) => lineOf(text, at))).toEqual([1, 2, 3]);
});

describe('a matched statement', () => {
  const [one, two] = ['{"Effect":"Allow"}', '{"Effect":"Deny"}'];
  const inLine = `{"Statement":[${one},${two}]}`;
  const lines = '{\n  "Statement": [\n    {\n      "Sid": "a"\n    },\n    {}\n  ]\n}';
  it.each([
    ['first of a list', inLine, [1, 15], [1, 33], one],
    ['second of a list', inLine, [1, 33], [1, 51], two],
    ['alone', `{"Statement":${one}}`, [1, 15], [1, 32], one],
    ['on lines of its own', lines, [2, 17], [5, 6], '{\n  "Sid": "a"\n}'],
    ['after another one', lines, [5, 6], [6, 7], '{}'],
  ] as const)('%s', (_, text, [line, column], [endLine, endColumn], wanted) =>
    expect(statement(text, { line, column }, { line: endLine, column: endColumn })).toBe(wanted),
  );
});

it('only JSON is formatted', () => {
  expect(formatted('{"a":[]}')).toBe('{\n    "a": []\n}');
  expect(formatted('{"a"')).toBe('{"a"');
  expect(JSON.parse(SKELETON)).toHaveProperty('Statement.0.Sid', 'Statement1');
});
