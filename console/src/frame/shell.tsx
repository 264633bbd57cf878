// The frame around every page: the bar at the top, the navigation, the notices.
//
// The navigation is derived from what the server serves.
import AppLayoutToolbar from '@cloudscape-design/components/app-layout-toolbar';
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group';
import Flashbar, { type FlashbarProps } from '@cloudscape-design/components/flashbar';
import { I18nProvider } from '@cloudscape-design/components/i18n';
import messages from '@cloudscape-design/components/i18n/messages/all.en';
import SideNavigation, {
  type SideNavigationProps,
} from '@cloudscape-design/components/side-navigation';
import TopNavigation, {
  type TopNavigationProps,
} from '@cloudscape-design/components/top-navigation';
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { useLocation, useNavigate } from 'react-router';

import { endIfSignedOut, queries, signOut, type Capabilities, type SignedIn } from '../api/session';
import { keepRegion, keptRegion, regionName, REGIONS } from '../lib/regions';
import { FrameContext, type Frame } from './context';
import { text, title } from './problem';
import { applyTheme, keptTheme, type Theme } from './theme';

const THEMES: Record<Theme, string> = { system: 'As the system', light: 'Light', dark: 'Dark' };

/** The account's number in groups of four. */
export const grouped = (account: string): string =>
  account.replace(/^(\d{4})(\d{4})(\d{4})$/, '$1-$2-$3');

/** Whether navigation and content fit side by side. */
const isWide = (): boolean => window.innerWidth > 900;

interface Entry {
  text: string;
  to: string;
  needs: string;
}
const IAM: readonly (readonly [section: string, entries: readonly Entry[]])[] = [
  [
    'Access management',
    [
      { text: 'IAM users', to: '/iam/users', needs: 'ListUsers' },
      { text: 'IAM user groups', to: '/iam/groups', needs: 'ListGroups' },
      { text: 'Policies', to: '/iam/policies', needs: 'ListPolicies' },
      { text: 'Account settings', to: '/iam/account', needs: 'GetAccountPasswordPolicy' },
    ],
  ],
  [
    'Key rotation',
    [
      { text: 'Rotations', to: '/rotations', needs: 'ListRotations' },
      { text: 'Rotation policies', to: '/rotation-policies', needs: 'ListRotationPolicies' },
    ],
  ],
  [
    'Access reports',
    [
      { text: 'Credential report', to: '/iam/report', needs: 'GetCredentialReport' },
      { text: 'Why was this denied?', to: '/denied', needs: 'ListDeniedRequests' },
      { text: 'Policy simulator', to: '/iam/simulator', needs: 'SimulateCustomPolicy' },
    ],
  ],
];

function navigation(served: Capabilities): SideNavigationProps.Item[] {
  const can = (operation: string): boolean =>
    served.iam.includes(operation) ||
    served.keywright.includes(operation) ||
    served.s3.includes(operation);
  const items: SideNavigationProps.Item[] = [
    { type: 'link', text: 'Dashboard', href: '/console/iam' },
  ];
  for (const [section, entries] of IAM) {
    const links = entries
      .filter(({ needs }) => can(needs))
      .map(({ text, to }) => ({ type: 'link' as const, text, href: `/console${to}` }));
    if (links.length > 0) items.push({ type: 'section', text: section, items: links });
  }
  if (can('ListBuckets')) {
    items.push(
      { type: 'divider' },
      {
        type: 'section',
        text: 'S3',
        items: [{ type: 'link', text: 'Buckets', href: '/console/s3' }],
      },
    );
  }
  return items;
}

/** The navigation's entry that a page belongs to. */
function activeHref(pathname: string): string {
  if (pathname.startsWith('/s3')) return '/console/s3';
  if (pathname.startsWith('/denied')) return '/console/denied';
  if (pathname.startsWith('/rotations')) return '/console/rotations';
  if (pathname.startsWith('/rotation-polic')) return '/console/rotation-policies';
  if (pathname.startsWith('/iam/polic')) return '/console/iam/policies';
  const [, first, second] = pathname.split('/');
  return second ? `/console/${first ?? ''}/${second}` : `/console/${first ?? ''}`;
}

const NAMES: Record<string, string> = {
  iam: 'IAM',
  users: 'Users',
  groups: 'User groups',
  policies: 'Policies',
  policy: 'Policy',
  create: 'Create',
  edit: 'Edit',
  inline: 'Inline policy',
  keys: 'Access keys',
  assign: 'Assign MFA device',
  account: 'Account settings',
  report: 'Credential report',
  rotate: 'Rotate',
  rotations: 'Rotations',
  'rotation-policies': 'Rotation policies',
  simulator: 'Policy simulator',
  denied: 'Why was this denied?',
  s3: 'S3',
  buckets: 'Buckets',
  'security-credentials': 'My security credentials',
};

/** Where a page lies; parts that are no page of their own are no links. */
function crumbs(pathname: string): { text: string; href: string }[] {
  const parts = pathname.split('/').filter(Boolean);
  const all = parts.map((part, at) => ({
    text: NAMES[part] ?? decodeURIComponent(part),
    href: `/console/${parts.slice(0, at + 1).join('/')}`,
  }));
  return all
    .filter(({ href }) => !/\/(keys|mfa)$/.test(href))
    .flatMap((crumb) => {
      if (crumb.href === '/console/s3/buckets') return { ...crumb, href: '/console/s3' };
      // A policy is named behind the path, so that its own page is no link.
      if (crumb.href === '/console/iam/policy') {
        const all = { text: 'Policies', href: '/console/iam/policies' };
        return parts.at(-1) === 'policy' ? [all, crumb] : all;
      }
      return crumb;
    });
}

export function Shell({
  session,
  served,
  children,
}: {
  session: SignedIn;
  served: Capabilities;
  children: ReactNode;
}) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [region, setRegionState] = useState(keptRegion);
  const [theme, setTheme] = useState(keptTheme);
  const [open, setOpen] = useState(isWide);
  /** Whether somebody is clicking right now, be it with the keyboard. */
  const clicked = useRef(false);
  const [notices, setNotices] = useState<FlashbarProps.MessageDefinition[]>([]);

  const frame = useMemo<Frame>(() => {
    const notify: Frame['notify'] = (notice, id = crypto.randomUUID()) => {
      const onDismiss = (): void => setNotices((all) => all.filter((one) => one.id !== id));
      const shown = { dismissible: true, dismissLabel: 'Dismiss', ...notice, id, onDismiss };
      setNotices((all) =>
        all.some((one) => one.id === id)
          ? all.map((one) => (one.id === id ? shown : one))
          : [shown, ...all].slice(0, 5),
      );
    };
    return {
      session,
      served,
      region,
      setRegion: (code) => {
        keepRegion(code);
        setRegionState(code);
      },
      notify,
      done: (content) => notify({ type: 'success', content }),
      failed: (error, id) => {
        endIfSignedOut(error);
        notify({ type: 'error', header: title(error), content: text(error) }, id);
      },
    };
  }, [session, served, region]);

  const path = crumbs(pathname);
  const name = path.map(({ text }) => text).at(-1) ?? 'Keywright';
  useEffect(() => {
    document.title = `${name} – Keywright`;
  }, [name]);

  const follow = (
    event: CustomEvent<{ href?: string | undefined; external?: boolean | undefined }>,
  ): void => {
    const { href, external } = event.detail;
    if (external || !href?.startsWith('/console')) return;
    event.preventDefault();
    void navigate(href.replace(/^\/console/, '') || '/');
    if (window.innerWidth <= 688) setOpen(false);
  };
  const leave = async (): Promise<void> => {
    await signOut();
    queries.setQueryData(['session'], { state: 'signed-out' });
    void navigate('/');
  };
  const account = session.accountAlias ?? grouped(session.accountId);
  const who = session.userName ?? 'root';
  const place = pathname.startsWith('/s3') ? regionName(region) : 'Global';
  const utilities: TopNavigationProps.Utility[] = [
    {
      type: 'menu-dropdown',
      text: place,
      ariaLabel: `Regions: ${place}`,
      title: 'Regions',
      description: pathname.startsWith('/s3')
        ? 'New buckets are made here.'
        : 'IAM does not need a region. Your region for S3:',
      items: [
        { id: 'copy', text: `Copy ${region}`, iconName: 'copy' },
        {
          text: 'Regions',
          items: REGIONS.map(([code, label]) => ({
            id: code,
            text: label,
            secondaryText: code,
            ...(code === region ? { iconName: 'check' as const } : {}),
          })),
        },
      ],
      onItemClick: ({ detail }) => {
        if (detail.id !== 'copy') frame.setRegion(detail.id);
        else
          navigator.clipboard
            .writeText(region)
            .then(() => frame.done(`${region} copied`), frame.failed);
      },
    },
    {
      type: 'menu-dropdown',
      text: `${who} @ ${account}`,
      iconName: 'user-profile',
      ariaLabel: `Account: ${who} @ ${account}`,
      title: who,
      description: `Account ID: ${grouped(session.accountId)}`,
      items: [
        { id: 'copy-account', text: 'Copy account ID', iconName: 'copy' },
        { id: 'credentials', text: 'Security credentials' },
        {
          id: 'theme',
          text: 'Appearance',
          items: Object.entries(THEMES).map(([id, label]) => ({
            id: `theme-${id}`,
            text: label,
            ...(id === theme ? { iconName: 'check' as const } : {}),
          })),
        },
        { id: 'sign-out', text: 'Sign out' },
      ],
      onItemClick: ({ detail: { id } }) => {
        if (id === 'copy-account') {
          navigator.clipboard
            .writeText(session.accountId)
            .then(() => frame.done('Account ID copied'), frame.failed);
        } else if (id === 'credentials') void navigate('/security-credentials');
        else if (id === 'sign-out') leave().catch(frame.failed);
        else {
          const chosen = id.replace('theme-', '') as Theme;
          applyTheme(chosen);
          setTheme(chosen);
        }
      },
    },
  ];

  return (
    <I18nProvider locale="en" messages={[messages]}>
      <FrameContext.Provider value={frame}>
        <div id="top">
          <TopNavigation
            identity={{
              href: '/console/iam',
              title: 'Keywright',
              onFollow: (event) => {
                event.preventDefault();
                void navigate('/iam');
              },
            }}
            utilities={utilities}
            i18nStrings={{
              overflowMenuTriggerText: 'More',
              overflowMenuTitleText: 'All',
              overflowMenuBackIconAriaLabel: 'Back',
              overflowMenuDismissIconAriaLabel: 'Close',
            }}
          />
        </div>
        <div
          onClickCapture={() => (clicked.current = true)}
          onClick={() => (clicked.current = false)}
        >
          <AppLayoutToolbar
            headerSelector="#top"
            navigationOpen={open}
            onNavigationChange={({ detail }) => {
              // The layout closes it by itself, too, when it has not measured the page yet.
              if (detail.open || clicked.current || !isWide()) setOpen(detail.open);
            }}
            navigation={
              <SideNavigation
                header={{ text: 'Identity and Access Management (IAM)', href: '/console/iam' }}
                activeHref={activeHref(pathname)}
                items={navigation(served)}
                onFollow={follow}
              />
            }
            breadcrumbs={
              <BreadcrumbGroup items={path} onFollow={follow} ariaLabel="Where this page lies" />
            }
            notifications={<Flashbar items={notices} stackItems />}
            toolsHide
            content={children}
          />
        </div>
      </FrameContext.Provider>
    </I18nProvider>
  );
}
