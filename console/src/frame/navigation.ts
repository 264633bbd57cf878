// The navigation, the breadcrumbs and the document title, as the page table has them.
import type { SideNavigationProps } from '@cloudscape-design/components/side-navigation';
import { generatePath, matchRoutes } from 'react-router';

import { isServed, type Capabilities } from '../api/session';
import { PAGES, SECTIONS, type Page, type PageParameters } from '../page-table';

/** Whether the server serves everything that a page needs. */
export const isAvailable = (capabilities: Capabilities, { operations }: Page): boolean =>
  operations.every((operation) => isServed(capabilities, operation));

/** A page, with its title and address. */
interface TrailPage {
  page: Page;
  title: string;
  href: string;
}

const pageAt = (path: string): Page | undefined => PAGES.find((page) => page.path === path);

/** The current page after the pages above it, the top one first; empty for an unknown address. */
export function trailTo(pathname: string, search: URLSearchParams): TrailPage[] {
  const match = matchRoutes(
    PAGES.map(({ path }) => ({ path })),
    pathname,
  )?.at(-1);
  const parameters: PageParameters = { ...Object.fromEntries(search), ...match?.params };
  const trail: TrailPage[] = [];
  let page = pageAt(match?.route.path ?? '');
  while (page) {
    const { title, query } = page;
    const value = query && parameters[query];
    trail.unshift({
      page,
      title: typeof title === 'string' ? title : title(parameters),
      href:
        generatePath(page.path, parameters) +
        (value ? `?${query}=${encodeURIComponent(value)}` : ''),
    });
    page = page.parent === undefined ? undefined : pageAt(page.parent);
  }
  return trail;
}

/**
 * Where an address leads that is only the beginning of a page's: to the page above that one.
 * `/s3/buckets` is such an address, since there is `/s3/buckets/:name`.
 */
export function pageAbove(pathname: string): string | undefined {
  const length = pathname.split('/').filter(Boolean).length;
  for (const { path, parent } of PAGES) {
    const segments = path.split('/').slice(1);
    if (parent === undefined || length === 0 || segments.length <= length) continue;
    const start = { path: `/${segments.slice(0, length).join('/')}` };
    const [match] = matchRoutes([start], pathname) ?? [];
    if (match) return generatePath(parent, match.params);
  }
  return undefined;
}

export const breadcrumbs = (trail: readonly TrailPage[]): { text: string; href: string }[] =>
  trail.map(({ page, title, href }) => ({ text: page.crumb ?? title, href: `/console${href}` }));

/** The entry of the navigation that a page belongs to. */
export function activeHref(trail: readonly TrailPage[]): string {
  const listed = trail.findLast(({ page }) => page.section !== undefined) ?? trail[0];
  return `/console${listed?.href ?? ''}`;
}

export function navigationItems(capabilities: Capabilities): SideNavigationProps.Item[] {
  const link = ({ title, path }: Page) => ({
    type: 'link' as const,
    text: typeof title === 'string' ? title : path,
    href: `/console${path}`,
  });
  const available = PAGES.filter((page) => isAvailable(capabilities, page));
  const items: SideNavigationProps.Item[] = available
    .filter(({ path }) => path === '/iam')
    .map(link);
  for (const section of SECTIONS) {
    const links = available.filter((page) => page.section === section).map(link);
    if (links.length === 0) continue;
    if (section === 'S3') items.push({ type: 'divider' });
    items.push({ type: 'section', text: section, items: links });
  }
  return items;
}
