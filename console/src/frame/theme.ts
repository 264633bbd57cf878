// Light or dark mode: the browser's default unless another one is selected.
import { applyMode, Mode } from '@cloudscape-design/global-styles';

const STORAGE_KEY = 'keywright-theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');

export type Theme = 'system' | 'light' | 'dark';

export function storedTheme(): Theme {
  const stored = localStorage.getItem(STORAGE_KEY);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export function applyTheme(theme: Theme = storedTheme()): void {
  localStorage.setItem(STORAGE_KEY, theme);
  const dark = theme === 'dark' || (theme === 'system' && system.matches);
  applyMode(dark ? Mode.Dark : Mode.Light);
}

system.addEventListener('change', () => applyTheme());
