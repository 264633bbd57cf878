// CSV, ages, form parameters and XML.
import { describe, expect, it } from 'vitest';

import { decode, type Shape } from '../api/operation';
import { encode } from '../api/query';
import { Xml } from '../api/xml';
import { age, ago, timeUntil, timeAgo, durationText } from './age';
import { csvLine, csvRows } from './csv';
import { generatePassword } from './password';

describe('CSV', () => {
  it.each([
    [['a', 'b'], 'a,b'],
    [['a,b', 'say "x"'], '"a,b","say ""x"""'],
  ])('writes %j', (values, text) => expect(csvLine(values)).toBe(text));
  it('reads what it has written', () => {
    const text = `${csvLine(['user', 'note'])}\n${csvLine(['ann', 'a "b", c'])}\n`;
    expect(csvRows(text)).toEqual([{ user: 'ann', note: 'a "b", c' }]);
  });
});

describe('ages', () => {
  const now = new Date('2026-11-24T12:00:00');
  it.each([
    ['2026-11-24T01:00:00', 'Today', '0 days'],
    ['2026-11-23T23:59:00', 'Yesterday', '1 day'],
    ['2026-11-19T12:00:00', '5 days ago', '5 days'],
  ])('%s', (date, agoText, ageText) => {
    expect(ago(date, now)).toBe(agoText);
    expect(age(date, now)).toBe(ageText);
  });
  it('counts minutes and hours within a day', () => {
    expect(timeAgo('2026-11-24T11:47:00', now)).toBe('13 minutes ago');
    expect(timeAgo('2026-11-24T11:00:00', now)).toBe('1 hour ago');
    expect(timeAgo(undefined, now)).toBe('Never');
  });
  it.each([
    [0, '0 seconds'],
    [1, '1 second'],
    [5_400, '90 minutes'],
    [86_400, '1 day'],
    [604_800, '7 days'],
  ])('%s seconds', (seconds, text) => expect(durationText(seconds)).toBe(text));
  it.each([
    ['2026-11-24T11:00:00', 'shortly'],
    ['2026-11-24T12:00:30', 'in 30 seconds'],
    ['2026-11-24T13:05:00', 'in 1 hour'],
    ['2026-12-01T11:00:00', 'in 7 days'],
  ])('until %s', (date, text) => expect(timeUntil(date, now)).toBe(text));
});

it('lists and structures become awsQuery names', () => {
  const form = encode({ Action: 'TagUser', Tags: [{ Key: 'a', Value: 'ä b' }], Marker: undefined });
  expect(form.toString()).toBe('Action=TagUser&Tags.member.1.Key=a&Tags.member.1.Value=%C3%A4+b');
});

describe('answers', () => {
  const user: Shape = { Tags: [{}], Keys: 'number', Console: 'boolean', Counts: ['map', 'number'] };
  it('become objects by their shape', () => {
    const answer = Xml.parse(
      '<R xmlns="urn:x"><Users><member><Name>1</Name><Keys>2</Keys><Console>true</Console>' +
        '<Tags><member><Key>a</Key><Value>b</Value></member></Tags>' +
        '<Counts><entry><key>x</key><value>3</value></entry></Counts></member></Users>' +
        '<Names><member>a</member></Names><No/></R>',
    );
    expect(decode(answer, { Users: [user], Names: ['string'], No: ['string'] })).toEqual({
      Users: [
        {
          Name: '1',
          Keys: 2,
          Console: true,
          Tags: [{ Key: 'a', Value: 'b' }],
          Counts: { x: 3 },
        },
      ],
      Names: ['a'],
      No: [],
    });
  });
  it('have no member where there is no element', () => {
    expect(decode(Xml.parse('<R><A/></R>'), { Count: 'number' })).toEqual({ A: '' });
  });
});

it('generated passwords have all four kinds of characters', () => {
  for (let run = 0; run < 100; run += 1) {
    const password = generatePassword();
    expect(password).toHaveLength(20);
    for (const characters of [/[A-Z]/, /[a-z]/, /\d/, /[^A-Za-z\d]/])
      expect(password).toMatch(characters);
  }
});
