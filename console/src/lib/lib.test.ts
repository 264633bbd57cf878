// Reading and writing of what leaves the page: CSV, ages, form parameters, XML.
import { describe, expect, it } from 'vitest';

import { encode } from '../api/query';
import { Xml } from '../api/xml';
import { age, ago, ahead, moment, span } from './age';
import { line, rows } from './csv';
import { generate } from './password';

describe('CSV', () => {
  it.each([
    [['a', 'b'], 'a,b'],
    [['a,b', 'say "x"'], '"a,b","say ""x"""'],
  ])('writes %j', (values, text) => expect(line(values)).toBe(text));
  it('reads what it wrote', () => {
    const text = `${line(['user', 'note'])}\n${line(['ann', 'a "b", c'])}\n`;
    expect(rows(text)).toEqual([{ user: 'ann', note: 'a "b", c' }]);
  });
});

describe('ages', () => {
  const now = new Date('2026-11-24T12:00:00');
  it.each([
    ['2026-11-24T01:00:00', 'Today', '0 days'],
    ['2026-11-23T23:59:00', 'Yesterday', '1 day'],
    ['2026-11-19T12:00:00', '5 days ago', '5 days'],
  ])('%s', (date, said, old) => {
    expect(ago(date, now)).toBe(said);
    expect(age(date, now)).toBe(old);
  });
  it('counts minutes and hours of a day', () => {
    expect(moment('2026-11-24T11:47:00', now)).toBe('13 minutes ago');
    expect(moment('2026-11-24T11:00:00', now)).toBe('1 hour ago');
    expect(moment(undefined, now)).toBe('Never');
  });
  it.each([
    [0, '0 seconds'],
    [1, '1 second'],
    [5_400, '90 minutes'],
    [86_400, '1 day'],
    [604_800, '7 days'],
  ])('%s seconds', (secs, said) => expect(span(secs)).toBe(said));
  it.each([
    ['2026-11-24T11:00:00', 'any moment now'],
    ['2026-11-24T12:00:30', 'in 30 seconds'],
    ['2026-11-24T13:05:00', 'in 1 hour'],
    ['2026-12-01T11:00:00', 'in 7 days'],
  ])('until %s', (date, said) => expect(ahead(date, now)).toBe(said));
});

it('lists and structures become names of awsQuery', () => {
  const form = encode({ Action: 'TagUser', Tags: [{ Key: 'a', Value: 'ä b' }], Marker: undefined });
  expect(form.toString()).toBe('Action=TagUser&Tags.member.1.Key=a&Tags.member.1.Value=%C3%A4+b');
});

describe('XML', () => {
  it('reads members and absent elements', () => {
    const answer = Xml.parse(
      '<R xmlns="urn:x"><Names><member>a</member><member>b</member></Names><No/></R>',
    );
    expect(answer.list('Names').map((name) => name.value)).toEqual(['a', 'b']);
    expect(answer.list('No')).toEqual([]);
    expect(answer.text('Missing')).toBeUndefined();
  });
});

it('made passwords have all four kinds of characters', () => {
  for (let round = 0; round < 100; round += 1) {
    const made = generate();
    expect(made).toHaveLength(20);
    for (const kind of [/[A-Z]/, /[a-z]/, /\d/, /[^A-Za-z\d]/]) expect(made).toMatch(kind);
  }
});
