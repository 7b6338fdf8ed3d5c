/** Signing in and out against a stand-in for the central, over real HTTP and sockets. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { Refused } from '../src/access/api';
import { SessionStore } from '../src/access/session';
import { ACCOUNT, SETUP_TOKEN, startFake, type FakeCentral } from '../dev/fake-central.mjs';
import { Feed } from '../src/live/feed';
import { SUBPROTOCOL } from '../src/live/protocol';

let fake: FakeCentral;
let feed: Feed;
let store: SessionStore;

async function until(is: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(is()).toBe(true), { timeout: 5_000, interval: 5 });
}

beforeEach(async () => {
  fake = await startFake({ name: 'calm', tickMs: null, access: 'signed_out' });
  vi.stubGlobal('document', { baseURI: fake.address });
  feed = new Feed(() => new WebSocket(fake.live, SUBPROTOCOL));
  store = new SessionStore(feed);
});

afterEach(async () => {
  feed.connection.stop();
  vi.unstubAllGlobals();
  await fake.stop();
});

test('who is signed out does not connect, and who signs in does', async () => {
  await store.refresh();
  expect(store.session).toEqual({ state: 'signed_out', hasAccounts: true });
  expect(feed.connection.link.state).toBe('stopped');
  await store.signIn(ACCOUNT.name, ACCOUNT.password);
  expect(store.session).toEqual({ state: 'signed_in', name: ACCOUNT.name, role: 'admin' });
  await until(() => feed.state.wall !== null);
});

test('a wrong password is refused by its code and changes nothing', async () => {
  await store.refresh();
  const refused = await store.signIn(ACCOUNT.name, 'wrong horse battery').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Refused);
  expect((refused as Refused).code).toBe('wrong_credentials');
  expect(store.session.state).toBe('signed_out');
});

test('a session that ends elsewhere forgets what was shown', async () => {
  await store.signIn(ACCOUNT.name, ACCOUNT.password);
  await until(() => feed.state.wall !== null);
  fake.endSession();
  await until(() => store.session.state === 'signed_out');
  expect(feed.state.wall).toBeNull();
  expect(feed.connection.link.state).toBe('stopped');
});

test('a set-up link signs in under the chosen name', async () => {
  await store.setUp(SETUP_TOKEN, ' lee ', ACCOUNT.password);
  expect(store.session).toEqual({ state: 'signed_in', name: 'lee', role: 'admin' });
  await store.signOut();
  expect(store.session.state).toBe('signed_out');
});
