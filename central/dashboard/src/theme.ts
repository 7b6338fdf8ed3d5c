/** Dark or light: the system's preference unless the viewer chose; `?theme=` wins for that link. */

import { useSyncExternalStore } from 'react';
import { parameter, setParameter } from './url';
import { recall, remember } from './remember';

/** What is shown. */
export type Theme = 'dark' | 'light';

/** What the viewer chose; `system` follows the operating system. */
export type ThemeChoice = 'system' | Theme;

const KEY = 'goldentime.theme';
const listeners = new Set<() => void>();
let choice: ThemeChoice = read();

function read(): ThemeChoice {
  const asked = parameter('theme') ?? recall(KEY);
  return asked === 'dark' || asked === 'light' ? asked : 'system';
}

/** Chooses a theme, keeps it for the next visit and takes it out of the link, which it now overrides. */
export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  remember(KEY, next === 'system' ? null : next);
  setParameter('theme', null);
  apply();
}

/** Keeps the page in the system's theme while the viewer has not chosen one. */
export function followSystemTheme(): void {
  systemTheme().addEventListener('change', apply);
}

function apply(): void {
  document.documentElement.dataset.theme = effective();
  for (const listener of listeners) listener();
}

function effective(): Theme {
  if (choice !== 'system') return choice;
  return systemTheme().matches ? 'light' : 'dark';
}

function systemTheme(): MediaQueryList {
  return window.matchMedia('(prefers-color-scheme: light)');
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The choice, and the theme that it comes to now. */
export function useTheme(): { choice: ThemeChoice; effective: Theme } {
  return {
    choice: useSyncExternalStore(subscribe, () => choice),
    effective: useSyncExternalStore(subscribe, effective),
  };
}
