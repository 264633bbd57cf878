// Light or dark: as the system says, until the person chooses.
import { applyMode, Mode } from '@cloudscape-design/global-styles';

const KEPT = 'keywright-theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');

export type Theme = 'system' | 'light' | 'dark';

export function keptTheme(): Theme {
  const kept = localStorage.getItem(KEPT);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export function applyTheme(theme: Theme = keptTheme()): void {
  localStorage.setItem(KEPT, theme);
  const dark = theme === 'dark' || (theme === 'system' && system.matches);
  applyMode(dark ? Mode.Dark : Mode.Light);
}

system.addEventListener('change', () => applyTheme());
