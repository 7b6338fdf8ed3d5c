/** What the URL holds, so that a copied link shows the same to a colleague and back works. */

import { useSyncExternalStore } from 'react';

/** Query parameters that the dashboard knows. */
export type Parameter = 'q' | 'lang' | 'theme' | 'at';

/** Where the hash leads. */
export type Route =
  | { page: 'home' }
  | { page: 'service'; id: string }
  /** A set-up link. Its secret stands after the `#`, so no server's log has it. */
  | { page: 'setup'; token: string };

const listeners = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    window.addEventListener('popstate', changed);
    window.addEventListener('hashchange', changed);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.removeEventListener('popstate', changed);
      window.removeEventListener('hashchange', changed);
    }
  };
}

/** The parameter's value now, or null. */
export function parameter(name: Parameter): string | null {
  return new URLSearchParams(window.location.search).get(name);
}

/** Sets or removes a parameter without a new entry in the history. */
export function setParameter(name: Parameter, value: string | null): void {
  const query = new URLSearchParams(window.location.search);
  if (value === null || value === '') query.delete(name);
  else query.set(name, value);
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2F', '/');
  const { pathname, hash } = window.location;
  window.history.replaceState(null, '', `${pathname}${text === '' ? '' : `?${text}`}${hash}`);
  changed();
}

/** The parameter's value, following the URL. */
export function useParameter(name: Parameter): string | null {
  return useSyncExternalStore(subscribe, () => parameter(name));
}

/** Reads a hash such as `#/service/shop/prod/order`; whatever it does not know leads home. */
export function parseRoute(hash: string): Route {
  const setup = '#/setup/';
  if (hash.startsWith(setup)) return { page: 'setup', token: hash.slice(setup.length) };
  const prefix = '#/service/';
  if (!hash.startsWith(prefix)) return { page: 'home' };
  try {
    const id = hash.slice(prefix.length).split('/').map(decodeURIComponent).join('/');
    return id === '' ? { page: 'home' } : { page: 'service', id };
  } catch {
    return { page: 'home' };
  }
}

/** Goes home and leaves no entry in the history: a set-up link that was used is of no more use. */
export function goHome(): void {
  const { pathname, search } = window.location;
  window.history.replaceState(null, '', `${pathname}${search}#/`);
  changed();
}

/** Link to a service's page. */
export function serviceHref(id: string): string {
  return `#/service/${id.split('/').map(encodeURIComponent).join('/')}`;
}

/** The page that the hash leads to, following it. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return parseRoute(hash);
}
