/** The feed against a server that speaks the protocol over real sockets. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { startFake, type FakeCentral } from '../dev/fake-central.mjs';
import { Feed } from '../src/live/feed';
import { SUBPROTOCOL } from '../src/live/protocol';

let fake: FakeCentral;
let feed: Feed;
const seq = () => feed.state.wall?.seq ?? 0;
const until = (condition: () => boolean) =>
  vi.waitFor(
    () => {
      if (!condition()) throw new Error('not yet');
    },
    { timeout: 5000, interval: 5 },
  );

beforeEach(async () => {
  fake = await startFake({ name: 'critical', tickMs: null });
  feed = new Feed(() => new WebSocket(fake.live, SUBPROTOCOL));
  feed.connection.start();
  await until(() => feed.state.wall !== null);
});

afterEach(async () => {
  feed.connection.stop();
  await fake.stop();
});

test('a snapshot and then deltas make the wall, and an alert comes between them', async () => {
  const before = feed.state.wall;
  fake.tick();
  fake.fire();
  await until(() => seq() === (before?.seq ?? 0) + 2);
  const after = feed.state.wall;
  expect(after?.alerts[0]?.labels.service).toBe('payment');
  const newest = (wall: typeof after) => wall?.services.get('shop/prod/order')?.now?.s ?? 0;
  expect(newest(after)).toBe(newest(before) + 1);
});

test('after a cut it resumes where it was and misses nothing', async () => {
  fake.tick();
  await until(() => seq() === 2);
  fake.cut();
  await until(() => feed.connection.link.state === 'reconnecting');
  fake.tick();
  fake.fire();
  await until(() => seq() === 4);
  expect(fake.greetings.at(-1)?.resume).toEqual({ boot: 'boot-1', seq: 2 });
  expect(feed.state.wall?.alerts[0]?.labels.service).toBe('payment');
  expect(feed.connection.link.state).toBe('live');
});

test('the wall stays to be read while the connection is away', async () => {
  fake.cut();
  await until(() => feed.connection.link.state === 'reconnecting');
  expect(feed.state.wall?.services.size).toBe(9);
});

test('a lost frame makes it ask for everything anew and not resume', async () => {
  fake.lose();
  fake.tick();
  await until(() => fake.greetings.length === 2 && seq() === 3);
  expect(fake.greetings.at(-1)).toEqual({ type: 'subscribe', view: 'home' });
  fake.tick();
  await until(() => seq() === 4);
});

test('what is no frame is survived by connecting anew', async () => {
  fake.babble();
  await until(() => fake.greetings.length === 2 && feed.connection.link.state === 'live');
  expect(feed.state.wall?.services.size).toBe(9);
});

test('a central that speaks another protocol ends the trying and says so', async () => {
  feed.connection.stop();
  const text = JSON.stringify({ type: 'snapshot', protocol: 2 });
  const other = new Feed(() => {
    const socket = {
      onopen: null,
      onmessage: null,
      onclose: null,
      send: () => undefined,
      close: () => undefined,
    };
    queueMicrotask(() => (socket.onmessage as ((event: { data: string }) => void) | null)?.({ data: text }));
    return socket;
  });
  other.connection.start();
  await until(() => other.state.outdated);
  expect(other.connection.link.state).toBe('stopped');
});
