import { describe, expect, test } from 'vitest';
import { newestSecond, pointAt, slice, withPoints } from '../src/live/history';
import type {
  Alert,
  CentralStatus,
  Delta,
  History,
  Point,
  Service,
  SloStatus,
  Snapshot,
} from '../src/live/protocol';
import { freshness } from '../src/live/freshness';
import { strayStretches, stretchesOf, washes } from '../src/live/stretches';
import { ALERTS_KEPT, applyMessage, axisEnd, concerns, sharedSlos, type Wall } from '../src/live/wall';
import { sloStatus } from './samples';

const point = (s: number, traffic: number | null): Point => ({
  s,
  traffic,
  errors: 0,
  p50_ms: 1,
  p95_ms: 2,
  p99_ms: 3,
  saturation: null,
});

const history = (from_s: number, traffic: (number | null)[]): History => ({
  from_s,
  traffic,
  errors: traffic.map(() => 0),
  p50_ms: traffic.map(() => 1),
  p95_ms: traffic.map(() => 2),
  p99_ms: traffic.map(() => 3),
  saturation: traffic.map(() => null),
});

const service = (name: string, over: Partial<Service> = {}): Service => ({
  id: `shop/prod/${name}`,
  project: 'shop',
  environment: 'prod',
  service: name,
  kind: 'service',
  state: 'ok',
  since_ms: 1000,
  reason: null,
  rules: 1,
  now: point(102, 12),
  data_age_ms: 500,
  hosts: [],
  hosts_total: 0,
  history: history(100, [10, 11, 12]),
  ...over,
});

const slo = (key: string, over: Partial<SloStatus> = {}) => sloStatus({ key, rule: key, ...over });

const alert = (episode: string, over: Partial<Alert> = {}): Alert => ({
  episode,
  fingerprint: '0',
  status: 'firing',
  severity: 'critical',
  labels: { alertname: 'a', project: 'shop', environment: 'prod', service: 'order', signal: 'errors' },
  annotations: {},
  first_breach_s: 100,
  starts_at_ms: 100_000,
  ends_at_ms: null,
  stages: {
    occurred_ms: null,
    flushed_ms: null,
    received_ms: null,
    merged_ms: null,
    evaluated_ms: null,
    dispatched_ms: null,
    delivered_ms: null,
  },
  occurred_is_coarse: false,
  golden_time_ms: null,
  ...over,
});

const central: CentralStatus = {
  version: '0',
  started_ms: 0,
  not_ready: [],
  roles: ['gateway', 'process', 'notify', 'api'],
  missing_roles: [],
  members: [],
  agents: { connected: 1, total: 1 },
  rules: { loaded: 1, error: null },
  channels: [],
  stores: [],
  data_age_ms: 500,
  clients: 1,
};

const snapshot = (over: Partial<Snapshot> = {}): Snapshot => ({
  type: 'snapshot',
  protocol: 1,
  boot: 'b',
  seq: 7,
  at_ms: 103_500,
  percentile_error: 0.005415,
  history_s: 5,
  services: [service('order'), service('search')],
  services_hidden: 0,
  alerts: [],
  slos: [slo('a')],
  central,
  ...over,
});

const delta = (over: Partial<Delta> = {}): Delta => ({
  type: 'delta',
  seq: 8,
  at_ms: 104_500,
  services: [],
  removed: [],
  slos: [],
  slos_removed: [],
  central,
  ...over,
});

function wallOf(over: Partial<Snapshot> = {}): Wall {
  const wall = applyMessage(null, snapshot(over));
  if (wall === null) throw new Error('a snapshot always makes a wall');
  return wall;
}

describe('a history', () => {
  test('grows by seconds, fills the hole between with nulls and drops what is too old', () => {
    const grown = withPoints(history(100, [10, 11, 12]), [point(105, 15)], 5);
    expect(grown.from_s).toBe(101);
    expect(grown.traffic).toEqual([11, 12, null, null, 15]);
    expect(newestSecond(grown)).toBe(105);
  });
  test('takes a second that late records changed, and leaves the old columns as they were', () => {
    const before = history(100, [10, 11, 12]);
    expect(withPoints(before, [point(101, 99)], 5).traffic).toEqual([10, 99, 12]);
    expect(before.traffic).toEqual([10, 11, 12]);
  });
  test('ignores seconds older than it reaches back', () => {
    expect(withPoints(history(100, [10, 11, 12]), [point(50, 1)], 5).traffic).toEqual([10, 11, 12]);
  });
  test('starts anew after a hole longer than itself', () => {
    const grown = withPoints(history(100, [10, 11, 12]), [point(200, 1)], 5);
    expect(grown.from_s).toBe(196);
    expect(grown.traffic).toEqual([null, null, null, null, 1]);
  });
  test('begins with the first point of a service that had none', () => {
    const grown = withPoints(history(0, []), [point(200, 1)], 3);
    expect(grown.traffic).toEqual([null, null, 1]);
    expect(grown.from_s).toBe(198);
  });
  test('is read on an axis that is wider than itself', () => {
    expect(slice(history(100, [10, 11, 12]), 'traffic', 103, 5)).toEqual([null, 10, 11, 12, null]);
    expect(pointAt(history(100, [10, 11, 12]), 101)?.traffic).toBe(11);
    expect(pointAt(history(100, [10, 11, 12]), 99)).toBeNull();
  });
});

describe('a wall', () => {
  test('takes a delta that follows and refuses one that does not', () => {
    const wall = wallOf();
    expect(applyMessage(wall, delta({ seq: 8 }))?.seq).toBe(8);
    expect(applyMessage(wall, delta({ seq: 9 }))).toBeNull();
    expect(applyMessage(wall, delta({ seq: 7 }))).toBeNull();
    expect(applyMessage(null, delta())).toBeNull();
  });
  test('keeps what a change does not name, and the very objects of what did not change', () => {
    const wall = wallOf();
    const next = applyMessage(
      wall,
      delta({
        services: [{ id: 'shop/prod/order', data_age_ms: 600, state: 'critical', points: [point(103, 13)] }],
      }),
    );
    const order = next?.services.get('shop/prod/order');
    expect(order?.state).toBe('critical');
    expect(order?.since_ms).toBe(1000);
    expect(order?.history.traffic).toEqual([10, 11, 12, 13]);
    expect(next?.services.get('shop/prod/search')).toBe(wall.services.get('shop/prod/search'));
    expect(next?.slos).toBe(wall.slos);
  });
  test('can tell that a state ended its since from a change that says nothing of it', () => {
    const next = applyMessage(
      wallOf(),
      delta({ services: [{ id: 'shop/prod/order', data_age_ms: null, since_ms: null, now: null }] }),
    );
    expect(next?.services.get('shop/prod/order')?.since_ms).toBeNull();
    expect(next?.services.get('shop/prod/order')?.now).toBeNull();
  });
  test('follows the order that the server gives, and else keeps its own', () => {
    const wall = wallOf();
    const order = ['shop/prod/search', 'shop/prod/order'];
    expect(applyMessage(wall, delta({ order }))?.order).toEqual(order);
    const next = applyMessage(wall, delta({ removed: ['shop/prod/order'], services: [service('new')] }));
    expect(next?.order).toEqual(['shop/prod/search', 'shop/prod/new']);
    expect(next?.services.has('shop/prod/order')).toBe(false);
  });
  test('ignores a change of a service that it does not know', () => {
    expect(
      applyMessage(wallOf(), delta({ services: [{ id: 'x/y/z', data_age_ms: 1 }] }))?.services.size,
    ).toBe(2);
  });
  test('puts a new alert on top, replaces one that changed in its place, and keeps ten', () => {
    let wall = wallOf({ alerts: Array.from({ length: ALERTS_KEPT }, (_, i) => alert(`e${i}`)) });
    wall = applyMessage(wall, { type: 'alert', seq: 8, at_ms: 1, alert: alert('new') }) ?? wall;
    expect(wall.alerts.map((a) => a.episode).slice(0, 2)).toEqual(['new', 'e0']);
    expect(wall.alerts).toHaveLength(ALERTS_KEPT);
    wall =
      applyMessage(wall, { type: 'alert', seq: 9, at_ms: 1, alert: alert('e0', { status: 'resolved' }) }) ??
      wall;
    expect(wall.alerts[1]?.status).toBe('resolved');
  });
  test('keeps SLOs by service with the worst first', () => {
    const wall = wallOf({ slos: [slo('a'), slo('b', { state: 'unknown' }), slo('c')] });
    const next = applyMessage(wall, delta({ slos: [slo('c', { state: 'firing' })], slos_removed: ['a'] }));
    expect(next?.slos.get('shop/prod/order')?.map((s) => s.key)).toEqual(['c', 'b']);
  });
  test('ends its axis with the newest second, but moves on when nothing comes', () => {
    expect(axisEnd(wallOf())).toBe(102);
    expect(axisEnd(wallOf({ at_ms: 120_000 }))).toBe(117);
  });
});

describe('the age of the data', () => {
  const live = { state: 'live' } as const;
  test('does not flicker between frames that come in time', () => {
    expect(freshness(wallOf(), 1000, 1900, live)).toEqual({ ageMs: 500, stale: false, reason: null });
  });
  test('grows while no frame comes and names the connection', () => {
    const lost = { state: 'reconnecting', sinceMs: 0, attempt: 1, retryAtMs: null } as const;
    expect(freshness(wallOf(), 1000, 5000, lost)).toEqual({ ageMs: 4500, stale: true, reason: 'connection' });
  });
  test('tells agents that are gone from agents that are silent', () => {
    const old = { ...central, data_age_ms: 9000 };
    expect(freshness(wallOf({ central: old }), 0, 0, live).reason).toBe('silent');
    const gone = { ...old, agents: { connected: 0, total: 3 } };
    expect(freshness(wallOf({ central: gone }), 0, 0, live).reason).toBe('no_agents');
    const replaying = { ...old, not_ready: [{ code: 'replaying', detail: '' }] };
    expect(freshness(wallOf({ central: replaying }), 0, 0, live).reason).toBe('not_ready');
  });
  test('is not known before the first record', () => {
    expect(freshness(wallOf({ central: { ...central, data_age_ms: null } }), 0, 0, live).ageMs).toBeNull();
  });
});

test('a signal is shaded while its rule fires and where an ended alert was', () => {
  const wall = wallOf({
    slos: [slo('a', { state: 'firing', since_ms: 101_400 })],
    alerts: [
      alert('old', { status: 'resolved', first_breach_s: 90, ends_at_ms: 95_200 }),
      alert('other', { labels: { service: 'x' }, ends_at_ms: 1 }),
    ],
  });
  const found = stretchesOf(wall, 'shop/prod/order').get('errors');
  expect(found).toEqual([
    { fromS: 101, untilS: null, severity: 'critical' },
    { fromS: 90, untilS: 96, severity: 'critical' },
  ]);
  expect(washes(found, 102, 5)).toEqual([{ from: 3, to: 4, severity: 'critical' }]);
});

describe('seconds that stray', () => {
  test('are written anew with their second and dropped when they are too old', () => {
    const before = {
      ...history(100, [1, 2, 3]),
      strays: [
        { s: 100, errors: 9 },
        { s: 102, errors: 8 },
      ],
    };
    const after = withPoints(before, [point(102, 3), { ...point(103, 4), strays: { traffic: -7 } }], 3);
    expect(after.strays).toEqual([{ s: 103, traffic: -7 }]);
    expect(pointAt(after, 103)?.strays).toMatchObject({ traffic: -7 });
    expect(pointAt(after, 102)?.strays).toBeUndefined();
  });

  test('are a stretch from three in one direction on, a second between them or not', () => {
    const errors = [1, 2, 4, 10, 11].map((s) => ({ s, errors: 7 }));
    expect(strayStretches(errors, 'errors')).toEqual([{ fromS: 1, untilS: 5, severity: 'stray' }]);
    expect(strayStretches(errors, 'traffic')).toEqual([]);
    const traffic = [1, 2, 3, 4].map((s) => ({ s, traffic: s < 3 ? 7 : -7 }));
    expect(strayStretches(traffic, 'traffic')).toEqual([]);
  });
});

describe('a rule over several services', () => {
  const together = slo('together', {
    service: 'shop/prod/slo:buying',
    slo: 'buying',
    services: ['order', 'cart'],
  });
  const all = slo('all', { service: 'shop/prod/slo:all', slo: 'all', services: ['*'], state: 'firing' });
  const wall = wallOf({ slos: [slo('own'), together, all] });

  test('is shown with each of them, the worst first', () => {
    expect(sharedSlos(wall, service('order')).map(({ key }) => key)).toEqual(['all', 'together']);
    expect(sharedSlos(wall, service('search')).map(({ key }) => key)).toEqual(['all']);
    expect(sharedSlos(wall, service('order', { project: 'other' }))).toEqual([]);
    expect(sharedSlos(wall, service('host:web-1', { kind: 'host' }))).toEqual([]);
  });

  test('has alerts that concern each of them', () => {
    const labels = { alertname: 'a', project: 'shop', environment: 'prod', slo: 'buying', signal: 'errors' };
    const [order, search] = [service('order'), service('search')];
    const ofGroup = alert('1', { labels });
    expect(concerns(ofGroup, order, sharedSlos(wall, order))).toBe(true);
    expect(concerns(ofGroup, search, sharedSlos(wall, search))).toBe(false);
    expect(concerns(alert('2'), order, [])).toBe(true);
    expect(concerns(alert('3'), search, [])).toBe(false);
  });
});
