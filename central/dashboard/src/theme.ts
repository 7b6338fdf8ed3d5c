/** Dark or light: the system's preference unless the viewer chose; `?theme=` wins for that link. */

import { useSyncExternalStore } from 'react';
import { parameter, setParameter } from './url';
import { recall, remember } from './remember';

/** What the viewer chose; `system` follows the operating system. */
export type ThemeChoice = 'system' | 'dark' | 'light';

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
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  remember(KEY, next === 'system' ? null : next);
  setParameter('theme', null);
  for (const listener of listeners) listener();
}

function systemTheme(): MediaQueryList {
  return window.matchMedia('(prefers-color-scheme: light)');
}

function subscribe(listener: () => void): () => void {
  const media = systemTheme();
  listeners.add(listener);
  media.addEventListener('change', listener);
  return () => {
    listeners.delete(listener);
    media.removeEventListener('change', listener);
  };
}

/** The choice, and the theme that it comes to now. */
export function useTheme(): { choice: ThemeChoice; effective: 'dark' | 'light' } {
  const chosen = useSyncExternalStore(subscribe, () => choice);
  const light = useSyncExternalStore(subscribe, () => systemTheme().matches);
  return { choice: chosen, effective: chosen === 'system' ? (light ? 'light' : 'dark') : chosen };
}
