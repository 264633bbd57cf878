// The frame around every page: the bar at the top, the navigation, the notifications.
import AppLayoutToolbar from '@cloudscape-design/components/app-layout-toolbar';
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group';
import Flashbar, { type FlashbarProps } from '@cloudscape-design/components/flashbar';
import { I18nProvider } from '@cloudscape-design/components/i18n';
import messages from '@cloudscape-design/components/i18n/messages/all.en';
import SideNavigation from '@cloudscape-design/components/side-navigation';
import TopNavigation, {
  type TopNavigationProps,
} from '@cloudscape-design/components/top-navigation';
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { useLocation, useNavigate, useNavigationType } from 'react-router';

import { switchBack } from '../api/role-session';
import {
  endIfSignedOut,
  isRoot,
  isServed,
  queryClient,
  signOut,
  type Capabilities,
  type SignedIn,
} from '../api/session';
import { shortPrincipal } from '../lib/arn';
import { storeRegion, storedRegion, regionName, REGIONS } from '../lib/regions';
import { roleLabel } from '../lib/switch-role';
import { FrameContext, type Frame } from './context';
import { errorText, errorTitle } from './error-alert';
import { useLeave } from './leave-guard';
import { activeHref, breadcrumbs, navigationItems, trailTo } from './navigation';
import { RoleBar } from './role-bar';
import { applyTheme, storedTheme, type Theme } from './theme';

const THEMES: Record<Theme, string> = { system: 'Browser default', light: 'Light', dark: 'Dark' };

/** An account ID in groups of four digits. */
export const groupedAccountId = (accountId: string): string =>
  accountId.replace(/^(\d{4})(\d{4})(\d{4})$/, '$1-$2-$3');

/** Whether navigation and content fit side by side. */
const isWide = (): boolean => window.innerWidth > 900;

export function Shell({
  session,
  user,
  capabilities,
  children,
}: {
  session: SignedIn;
  user: SignedIn;
  capabilities: Capabilities;
  children: ReactNode;
}) {
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const navigationType = useNavigationType();
  const [region, setRegionState] = useState(storedRegion);
  const [theme, setTheme] = useState(storedTheme);
  const [open, setOpen] = useState(isWide);
  /** Whether a click is being handled, also one from the keyboard. */
  const clicked = useRef(false);
  const [notifications, setNotifications] = useState<FlashbarProps.MessageDefinition[]>([]);
  const { leave } = useLeave();
  /** The page that each notification is for, by the notification's ID. */
  const pageOf = useRef(new Map<string, string>());

  const frame = useMemo<Frame>(() => {
    const notify: Frame['notify'] = (notification, id = crypto.randomUUID()) => {
      const onDismiss = (): void => setNotifications((all) => all.filter((one) => one.id !== id));
      // The page is known once the action is over, which may lead to another one.
      setTimeout(() => pageOf.current.set(id, location.pathname));
      const item = { dismissible: true, dismissLabel: 'Dismiss', ...notification, id, onDismiss };
      setNotifications((all) =>
        all.some((one) => one.id === id)
          ? all.map((one) => (one.id === id ? item : one))
          : [item, ...all].slice(0, 5),
      );
    };
    return {
      session,
      user,
      capabilities,
      region,
      setRegion: (code) => {
        storeRegion(code);
        setRegionState(code);
      },
      notify,
      notifySuccess: (content) => notify({ type: 'success', content }),
      notifyError: (error, id) => {
        endIfSignedOut(error);
        notify({ type: 'error', header: errorTitle(error), content: errorText(error) }, id);
      },
    };
  }, [session, user, capabilities, region]);

  // A notification ends when its page is left, except for what is still in progress.
  useEffect(() => {
    setNotifications((all) =>
      all.filter(({ id = '', type }) => {
        const page = pageOf.current.get(id);
        return type === 'in-progress' || page === undefined || page === location.pathname;
      }),
    );
  }, [pathname]);

  // A link leads to the top of a page; Back and Forward to where the browser was on it.
  useEffect(() => {
    if (navigationType === 'PUSH') window.scrollTo(0, 0);
  }, [pathname, navigationType]);

  const trail = trailTo(pathname, new URLSearchParams(search));
  const title = trail.at(-1)?.title ?? 'Page not found';
  useEffect(() => {
    document.title = `${title} – Keywright`;
  }, [title]);

  const follow = (
    event: CustomEvent<{ href?: string | undefined; external?: boolean | undefined }>,
  ): void => {
    const { href, external } = event.detail;
    if (external || !href?.startsWith('/console')) return;
    event.preventDefault();
    void navigate(href.replace(/^\/console/, '') || '/');
    if (window.innerWidth <= 688) setOpen(false);
  };
  const signOutAndLeave = async (): Promise<void> => {
    await signOut();
    queryClient.setQueryData(['session'], { state: 'signed-out' });
    void navigate('/');
  };
  const account = session.accountAlias ?? groupedAccountId(session.accountId);
  const { role } = session;
  const principal = user.userName ?? 'root';
  const identity = role ? roleLabel(role.target) : `${principal} @ ${account}`;
  const leaveAndSwitchBack = (): void => leave(switchBack);
  const isRegional = trail.some(({ page }) => page.section === 'S3');
  const regionText = isRegional ? regionName(region) : 'Global';
  const utilities: TopNavigationProps.Utility[] = [
    {
      type: 'menu-dropdown',
      text: regionText,
      ariaLabel: `Regions: ${regionText}`,
      title: 'Regions',
      description: isRegional
        ? 'New buckets are created in this Region.'
        : 'IAM is global. Region for S3:',
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
            .then(() => frame.notifySuccess(`${region} copied`), frame.notifyError);
      },
    },
    {
      type: 'menu-dropdown',
      text: identity,
      iconName: 'user-profile',
      ariaLabel: `Account: ${identity}`,
      title: role ? shortPrincipal(role.arn) : principal,
      description: `Account ID: ${groupedAccountId(session.accountId)}${
        role ? `. Signed in as ${shortPrincipal(user.arn)}` : ''
      }`,
      items: [
        { id: 'copy-account', text: 'Copy account ID', iconName: 'copy' },
        { id: 'credentials', text: 'Security credentials' },
        // As in AWS's console, the root user is not offered what it cannot do.
        ...(isServed(capabilities, 'AssumeRole') && !isRoot(user)
          ? [{ id: 'switch-role', text: 'Switch role' }]
          : []),
        ...(role ? [{ id: 'switch-back', text: 'Switch back' }] : []),
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
            .then(() => frame.notifySuccess('Account ID copied'), frame.notifyError);
        } else if (id === 'credentials') void navigate('/security-credentials');
        else if (id === 'switch-role') void navigate('/switch-role');
        else if (id === 'switch-back') leaveAndSwitchBack();
        else if (id === 'sign-out') leave(() => void signOutAndLeave().catch(frame.notifyError));
        else {
          const selected = id.replace('theme-', '') as Theme;
          applyTheme(selected);
          setTheme(selected);
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
          {role && <RoleBar role={role} switchBack={leaveAndSwitchBack} />}
        </div>
        <div
          onClickCapture={() => (clicked.current = true)}
          onClick={() => (clicked.current = false)}
        >
          <AppLayoutToolbar
            headerSelector="#top"
            navigationOpen={open}
            onNavigationChange={({ detail }) => {
              // The layout also closes it before it has measured the page.
              if (detail.open || clicked.current || !isWide()) setOpen(detail.open);
            }}
            navigation={
              <SideNavigation
                header={{ text: 'Identity and Access Management (IAM)', href: '/console/iam' }}
                activeHref={activeHref(trail)}
                items={navigationItems(capabilities)}
                onFollow={follow}
              />
            }
            breadcrumbs={
              <BreadcrumbGroup
                items={breadcrumbs(trail)}
                onFollow={follow}
                ariaLabel="Breadcrumbs"
              />
            }
            notifications={<Flashbar items={notifications} stackItems />}
            toolsHide
            content={children}
          />
        </div>
      </FrameContext.Provider>
    </I18nProvider>
  );
}
