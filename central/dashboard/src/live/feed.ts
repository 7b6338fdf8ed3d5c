/** Puts connection and wall together: one feed a page, read through hooks. */

import { useCallback, useSyncExternalStore } from 'react';
import { Connection, type Link, type Socket } from './connection';
import { LIVE_PATH, PROTOCOL_VERSION, SUBPROTOCOL, type ClientMessage, type ServerMessage } from './protocol';
import { applyMessage, type Wall } from './wall';

/** What a feed knows; a new object at each change. */
export interface FeedState {
  /** The newest state, kept while reconnecting; null before the first snapshot. */
  wall: Wall | null;
  /** The browser's clock when the newest frame came. */
  receivedMs: number;
  /** The central was upgraded and speaks another protocol: only loading the page anew helps. */
  outdated: boolean;
}

/** A live view of the central. */
export class Feed {
  readonly connection: Connection;
  readonly #listeners = new Set<() => void>();
  #state: FeedState = { wall: null, receivedMs: 0, outdated: false };
  /** Whether the wall may be gone on from; not after a frame went missing. */
  #whole = false;

  constructor(open: () => Socket) {
    this.connection = new Connection({
      open,
      greeting: () => this.#greeting(),
      onFrame: (text) => this.#take(text),
    });
  }

  /** The newest state. */
  get state(): FeedState {
    return this.#state;
  }

  /** Calls `listener` at each change of `state`; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets what was shown: whoever sits here next may not be the one who saw it. */
  clear(): void {
    this.#whole = false;
    this.#become({ wall: null, receivedMs: 0, outdated: false });
  }

  #greeting(): ClientMessage {
    const { wall } = this.#state;
    return wall !== null && this.#whole
      ? { type: 'subscribe', view: 'home', resume: { boot: wall.boot, seq: wall.seq } }
      : { type: 'subscribe', view: 'home' };
  }

  #take(text: string): void {
    const message = parse(text);
    if (message?.type === 'snapshot' && (message.protocol as number) !== PROTOCOL_VERSION) {
      this.connection.stop();
      this.#become({ ...this.#state, outdated: true });
      return;
    }
    const known = this.#whole || message?.type === 'snapshot' ? this.#state.wall : null;
    const wall = message === null ? null : applyMessage(known, message);
    if (wall === null) {
      this.#whole = false;
      this.connection.restart();
      return;
    }
    this.#whole = true;
    this.#become({ wall, receivedMs: Date.now(), outdated: false });
  }

  #become(state: FeedState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

function parse(text: string): ServerMessage | null {
  try {
    return JSON.parse(text) as ServerMessage;
  } catch {
    return null;
  }
}

/** The feed of the central that served this page. It connects when it is started, and stays. */
export function openFeed(): Feed {
  const address = new URL(LIVE_PATH, document.baseURI);
  address.search = '';
  address.hash = '';
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const feed = new Feed(() => new WebSocket(address, SUBPROTOCOL));
  // A laptop that wakes or a network that comes back need not wait for the back-off to end.
  window.addEventListener('online', () => feed.connection.retryNow());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') feed.connection.retryNow();
  });
  return feed;
}

/** The newest state of a feed. */
export function useFeed(feed: Feed): FeedState {
  const subscribe = useCallback((listener: () => void) => feed.subscribe(listener), [feed]);
  return useSyncExternalStore(subscribe, () => feed.state);
}

/** Where a feed's connection stands. */
export function useLink(feed: Feed): Link {
  const subscribe = useCallback((listener: () => void) => feed.connection.subscribe(listener), [feed]);
  return useSyncExternalStore(subscribe, () => feed.connection.link);
}
