/**
 * Who looks at this page. Asked once at the start, and again whenever the live connection is lost: a
 * browser does not tell why a WebSocket was refused.
 */

import { useCallback, useSyncExternalStore } from 'react';
import type { Connection } from '../live/connection';
import { askSession, askSetUp, askSignIn, askSignOut, Refused, type Role, type SessionAnswer } from './api';

/** Where it stands. */
export type Session =
  /** Not known yet. */
  | { state: 'asking' }
  /** There are no accounts, and somebody at the central's own machine looks. */
  | { state: 'open' }
  | { state: 'signed_in'; name: string; role: Role }
  | { state: 'signed_out'; hasAccounts: boolean };

/** The part of a live view that a session starts and ends. */
export interface Live {
  readonly connection: Pick<Connection, 'link' | 'start' | 'stop' | 'subscribe'>;
  /** Forgets what was shown. */
  clear(): void;
}

/** See the module. The live view runs while somebody may see it. */
export class SessionStore {
  readonly #live: Live;
  readonly #listeners = new Set<() => void>();
  #session: Session = { state: 'asking' };

  constructor(live: Live) {
    this.#live = live;
    live.connection.subscribe(() => {
      const { link } = live.connection;
      if (link.state === 'reconnecting' && link.retryAtMs !== null) void this.refresh();
    });
  }

  /** Where it stands; a new object at each change. */
  get session(): Session {
    return this.#session;
  }

  /** Calls `listener` at each change of `session`; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks who looks. While the central does not answer, the live connection says so and tries again. */
  async refresh(): Promise<void> {
    try {
      this.#become(await askSession());
    } catch {
      this.#live.connection.start();
    }
  }

  /** Signs in, or throws what was refused. */
  async signIn(name: string, password: string): Promise<void> {
    this.#become(await askSignIn(name, password));
  }

  /** Sets up an account by a link and signs in, or throws what was refused. */
  async setUp(token: string, name: string, password: string): Promise<void> {
    this.#become(await askSetUp(token, name, password));
  }

  /** Signs out. A session that has ended already is no error. */
  async signOut(): Promise<void> {
    try {
      await askSignOut();
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'sign_in_required') throw error;
    }
    this.#become({ state: 'signed_out', has_accounts: true });
  }

  #become(answer: SessionAnswer): void {
    const session = read(answer);
    if (session.state === 'signed_out') {
      this.#live.connection.stop();
      this.#live.clear();
    } else {
      this.#live.connection.start();
    }
    if (JSON.stringify(session) === JSON.stringify(this.#session)) return;
    this.#session = session;
    for (const listener of this.#listeners) listener();
  }
}

function read({ state, name, role, has_accounts }: SessionAnswer): Session {
  if (state === 'signed_in') return { state, name: name ?? '', role: role ?? 'viewer' };
  return state === 'open' ? { state } : { state, hasAccounts: has_accounts };
}

/** Who looks now. */
export function useSession(store: SessionStore): Session {
  const subscribe = useCallback((listener: () => void) => store.subscribe(listener), [store]);
  return useSyncExternalStore(subscribe, () => store.session);
}
