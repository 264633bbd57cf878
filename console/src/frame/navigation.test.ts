// The page table is whole, and what is derived from it.
import { describe, expect, it } from 'vitest';

import type { Capabilities } from '../api/session';
import { PAGES } from '../page-table';
import { activeHref, breadcrumbs, navigationItems, pageAbove, trailTo } from './navigation';

const trail = (address: string) => {
  const url = new URL(address, 'http://console.test');
  return trailTo(url.pathname, url.searchParams);
};

describe('the page table', () => {
  it('has each path once', () => {
    const paths = PAGES.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });
  it.each(PAGES.map((page) => [page.path, page] as const))('%s has its parent', (_, page) => {
    if (page.parent !== undefined) expect(PAGES.map(({ path }) => path)).toContain(page.parent);
    // The parameters of the parent's path are those of the page's own.
    for (const parameter of page.parent?.match(/:\w+/g) ?? [])
      expect(page.path).toContain(parameter);
  });
});

describe('breadcrumbs', () => {
  it.each([
    ['/iam', ['IAM /iam']],
    ['/iam/users/create', ['IAM /iam', 'IAM users /iam/users', 'Create user /iam/users/create']],
    [
      '/iam/users/a%2Bb/keys/rotate?key=AKIA',
      [
        'IAM /iam',
        'IAM users /iam/users',
        'a+b /iam/users/a%2Bb',
        'Rotate access key /iam/users/a%2Bb/keys/rotate',
      ],
    ],
    [
      '/iam/policy/edit?arn=arn:aws:iam::1:policy/p',
      [
        'IAM /iam',
        'Policies /iam/policies',
        'p /iam/policy?arn=arn%3Aaws%3Aiam%3A%3A1%3Apolicy%2Fp',
        'Edit policy /iam/policy/edit?arn=arn%3Aaws%3Aiam%3A%3A1%3Apolicy%2Fp',
      ],
    ],
    ['/s3/buckets/photos', ['Buckets /s3', 'photos /s3/buckets/photos']],
    ['/iam/nothing', []],
  ])('of %s', (address, expected) => {
    const crumbs = breadcrumbs(trail(address));
    expect(crumbs.map(({ text, href }) => `${text} ${href.replace('/console', '')}`)).toEqual(
      expected,
    );
  });
});

it.each([
  ['/iam', '/iam'],
  ['/iam/users/ann', '/iam/users'],
  ['/iam/policy?arn=a', '/iam/policies'],
  ['/denied/1', '/denied'],
  ['/s3/create', '/s3'],
])('the active entry of %s is %s', (address, entry) => {
  expect(activeHref(trail(address))).toBe(`/console${entry}`);
});

it.each([
  ['/s3/buckets', '/s3'],
  ['/s3/buckets/', '/s3'],
  ['/iam/users/a%2Bb/keys', '/iam/users/a%2Bb'],
  ['/iam/users/ann/mfa', '/iam/users/ann'],
  ['/security-credentials/keys', '/security-credentials'],
  ['/nothing', undefined],
  ['/', undefined],
  ['/s3/nothing/else', undefined],
])('%s leads to %s', (address, href) => {
  expect(pageAbove(address)).toBe(href);
});

it('lists only the pages of which every operation is served', () => {
  const capabilities: Capabilities = {
    iam: ['ListUsers'],
    sts: [],
    keywright: ['ListRotations'],
    s3: [],
    actions: [],
  };
  const texts = navigationItems(capabilities).map((item) =>
    item.type === 'section'
      ? `${item.text}: ${item.items.map((link) => ('text' in link ? link.text : '')).join()}`
      : 'text' in item
        ? item.text
        : item.type,
  );
  expect(texts).toEqual(['Dashboard', 'Access management: IAM users', 'Key rotation: Rotations']);
});
