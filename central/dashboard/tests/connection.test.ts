import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ATTEMPT_LONGEST_MS,
  BACKOFF_LONGEST_MS,
  Connection,
  SILENCE_LONGEST_MS,
  backoffMs,
  type Socket,
} from '../src/live/connection';

class FakeSocket implements Socket {
  onopen: ((event: never) => unknown) | null = null;
  onmessage: ((event: never) => unknown) | null = null;
  onclose: ((event: never) => unknown) | null = null;
  sent: string[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  opens(): void {
    this.onopen?.({} as never);
  }
  says(text: string): void {
    this.onmessage?.({ data: text } as never);
  }
  breaks(): void {
    this.onclose?.({} as never);
  }
}

let sockets: FakeSocket[];
let frames: string[];
let connection: Connection;
const newest = () => {
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error('no socket was opened');
  return socket;
};

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  frames = [];
  connection = new Connection({
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    greeting: () => ({ hello: sockets.length }),
    onFrame: (text) => frames.push(text),
  });
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
});

test('waits double each time up to a limit, and are jittered', () => {
  expect(backoffMs(1, 1)).toBe(250);
  expect(backoffMs(3, 1)).toBe(1000);
  expect(backoffMs(3, 0)).toBe(500);
  expect(backoffMs(40, 1)).toBe(BACKOFF_LONGEST_MS);
});

describe('a connection', () => {
  test('greets once open and is live with the first frame', () => {
    connection.start();
    expect(connection.link.state).toBe('connecting');
    newest().opens();
    expect(newest().sent).toEqual(['{"hello":1}']);
    expect(connection.link.state).toBe('connecting');
    newest().says('a');
    expect(frames).toEqual(['a']);
    expect(connection.link.state).toBe('live');
  });

  test('comes back after a loss, greets anew, and tells since when it was away', () => {
    connection.start();
    newest().opens();
    newest().says('a');
    vi.setSystemTime(50_000);
    newest().breaks();
    expect(connection.link).toMatchObject({ state: 'reconnecting', sinceMs: 50_000, attempt: 1 });
    vi.advanceTimersByTime(250);
    expect(sockets).toHaveLength(2);
    newest().breaks();
    expect(connection.link).toMatchObject({ state: 'reconnecting', sinceMs: 50_000, attempt: 2 });
    vi.advanceTimersByTime(500);
    newest().opens();
    expect(newest().sent).toEqual(['{"hello":3}']);
    newest().says('b');
    expect(connection.link.state).toBe('live');
  });

  test('takes a link that is open and silent for dead', () => {
    connection.start();
    const first = newest();
    first.opens();
    first.says('a');
    vi.advanceTimersByTime(SILENCE_LONGEST_MS - 1);
    expect(connection.link.state).toBe('live');
    vi.advanceTimersByTime(1);
    expect(first.closed).toBe(true);
    expect(connection.link.state).toBe('reconnecting');
  });

  test('gives up an attempt that hangs', () => {
    connection.start();
    vi.advanceTimersByTime(ATTEMPT_LONGEST_MS);
    expect(newest().closed).toBe(true);
    vi.advanceTimersByTime(250);
    expect(sockets).toHaveLength(2);
  });

  test('hears nothing more from a socket that it dropped', () => {
    connection.start();
    const first = newest();
    first.opens();
    first.says('a');
    connection.restart();
    first.says('late');
    first.breaks();
    expect(frames).toEqual(['a']);
    vi.advanceTimersByTime(250);
    expect(sockets).toHaveLength(2);
  });

  test('tries at once when asked to, and only while it waits', () => {
    connection.start();
    connection.retryNow();
    expect(sockets).toHaveLength(1);
    newest().breaks();
    connection.retryNow();
    expect(sockets).toHaveLength(2);
    expect(connection.link).toMatchObject({ state: 'reconnecting', retryAtMs: null });
  });

  test('never comes back once stopped', () => {
    connection.start();
    newest().opens();
    newest().says('a');
    connection.stop();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    expect(connection.link.state).toBe('stopped');
  });

  test('does not fall back to short waits when every restart meets the same nonsense', () => {
    connection = new Connection({
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      greeting: () => ({}),
      onFrame: () => connection.restart(),
    });
    connection.start();
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      newest().opens();
      newest().says('nonsense');
      expect(connection.link).toMatchObject({ state: 'reconnecting', attempt });
      vi.advanceTimersByTime(BACKOFF_LONGEST_MS);
    }
  });
});
