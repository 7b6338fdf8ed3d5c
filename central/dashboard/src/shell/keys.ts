/** Keys that work on every page. What a page adds (j, k, arrows) stands with that page. */

import { useEffect, useRef } from 'react';
import { chooseTheme } from '../theme';

/** Whether keys are text now and not commands. */
export function typing(event: KeyboardEvent): boolean {
  const at = event.target;
  return (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)))
  );
}

/** Calls the handler of a pressed key; a handler's key is `KeyboardEvent.key`. */
export function useKeyMap(handlers: Record<string, (event: KeyboardEvent) => void>): void {
  const newest = useRef(handlers);
  useEffect(() => {
    newest.current = handlers;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (typing(event) || document.querySelector('dialog[open]') !== null) return;
      newest.current[event.key]?.(event);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

/** The keys of every page. */
export function useKeys(actions: { filter: () => void; help: () => void }): void {
  useKeyMap({
    '/': (event) => {
      event.preventDefault();
      actions.filter();
    },
    '?': () => actions.help(),
    h: () => {
      window.location.hash = '#/';
    },
    t: () => {
      chooseTheme(document.documentElement.dataset.theme === 'light' ? 'dark' : 'light');
    },
  });
}
