/**
 * One WebSocket that stays: it connects, says what it wants, hands frames on, and comes back after
 * every loss with growing, jittered waits. It knows nothing of what the frames mean.
 */

/** Where the connection stands. */
export type Link =
  /** The first attempt is under way. */
  | { state: 'connecting' }
  /** Frames come. */
  | { state: 'live' }
  /** It was lost, or never came up; `retryAtMs` is null while an attempt is under way. */
  | { state: 'reconnecting'; sinceMs: number; attempt: number; retryAtMs: number | null }
  /** `stop` was called. */
  | { state: 'stopped' };

/** The part of a WebSocket that is used here. */
export interface Socket {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** What a connection needs to be told. */
export interface ConnectionOptions {
  /** Makes a socket that is connecting. */
  open: () => Socket;
  /** What to say once connected; asked anew at each connect, so that it can name where to go on. */
  greeting: () => unknown;
  /** Takes each frame's text. Must not throw. */
  onFrame: (text: string) => void;
}

/** First wait after a loss. */
export const BACKOFF_FIRST_MS = 250;
/** Longest wait between attempts: somebody may be looking at the page. */
export const BACKOFF_LONGEST_MS = 8_000;
/** The server sends a frame each second; silence for this long is a dead link, however open it looks. */
export const SILENCE_LONGEST_MS = 10_000;
/** An attempt that neither opens nor fails in this time is given up. */
export const ATTEMPT_LONGEST_MS = 8_000;

/** The wait before attempt number `attempt` (from 1): between half and all of a step that doubles. */
export function backoffMs(attempt: number, random: number): number {
  const step = Math.min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
  return Math.round(step * (0.5 + random / 2));
}

/** See the module. `start` and `stop` may be called in any order and any number of times. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #listeners = new Set<() => void>();
  #link: Link = { state: 'connecting' };
  #socket: Socket | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #attempt = 0;
  #lostAtMs: number | null = null;
  #running = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Where it stands; a new object at each change. */
  get link(): Link {
    return this.#link;
  }

  /** Calls `listener` at each change of `link`; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#become({ state: 'connecting' });
    this.#connect();
  }

  /** Closes for good. */
  stop(): void {
    this.#running = false;
    this.#drop();
    this.#attempt = 0;
    this.#lostAtMs = null;
    this.#become({ state: 'stopped' });
  }

  /** Ends the wait for the next attempt. Does nothing while connected or connecting. */
  retryNow(): void {
    if (this.#running && this.#socket === null) this.#connect();
  }

  /** Drops the socket and connects again: what came over it made no sense. */
  restart(): void {
    this.#lost();
  }

  #connect(): void {
    this.#drop();
    if (this.#lostAtMs !== null) {
      this.#become({
        state: 'reconnecting',
        sinceMs: this.#lostAtMs,
        attempt: this.#attempt,
        retryAtMs: null,
      });
    }
    const socket = this.#options.open();
    this.#socket = socket;
    this.#watch(ATTEMPT_LONGEST_MS);
    socket.onopen = () => {
      socket.send(JSON.stringify(this.#options.greeting()));
      this.#watch(SILENCE_LONGEST_MS);
    };
    socket.onmessage = (event: { data: unknown }) => {
      this.#watch(SILENCE_LONGEST_MS);
      if (typeof event.data === 'string') this.#options.onFrame(event.data);
      // The reader may have found the frame to be nonsense and asked for a restart.
      if (socket !== this.#socket) return;
      this.#attempt = 0;
      this.#lostAtMs = null;
      this.#become({ state: 'live' });
    };
    socket.onclose = () => this.#lost();
  }

  #lost(): void {
    this.#drop();
    if (!this.#running) return;
    this.#lostAtMs ??= Date.now();
    this.#attempt += 1;
    const waitMs = backoffMs(this.#attempt, Math.random());
    this.#timer = setTimeout(() => this.#connect(), waitMs);
    this.#become({
      state: 'reconnecting',
      sinceMs: this.#lostAtMs,
      attempt: this.#attempt,
      retryAtMs: Date.now() + waitMs,
    });
  }

  #watch(limitMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), limitMs);
  }

  /** Lets go of the socket: once its handlers are off, nothing late from it can be heard. */
  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #become(link: Link): void {
    if (this.#link.state === 'live' && link.state === 'live') return;
    this.#link = link;
    for (const listener of this.#listeners) listener();
  }
}
