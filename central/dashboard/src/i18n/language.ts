/** The language of the page: `?lang=` of the link, else the viewer's earlier choice, else the browser's. */

import { useSyncExternalStore } from 'react';
import { recall, remember } from '../remember';
import { parameter, setParameter } from '../url';
import { LANGUAGES, type Language, type Texts } from './glossary';

const KEY = 'goldentime.lang';
const listeners = new Set<() => void>();

function isLanguage(code: string | undefined): code is Language {
  return code !== undefined && Object.hasOwn(LANGUAGES, code);
}

function read(): Language {
  for (const asked of [parameter('lang'), recall(KEY), navigator.language]) {
    const code = asked?.slice(0, 2).toLowerCase();
    if (isLanguage(code)) return code;
  }
  return 'en';
}

let language = read();
document.documentElement.lang = language;

/** Changes the language, keeps it for the next visit, and puts it into the link. */
export function chooseLanguage(next: Language): void {
  language = next;
  document.documentElement.lang = next;
  remember(KEY, next);
  setParameter('lang', next);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Code of the language shown. */
export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, () => language);
}

/** The texts to show. */
export function useTexts(): Texts {
  return LANGUAGES[useLanguage()];
}
