// What the development server tells: made-up services whose numbers are a function of the second and
// the name alone, so that a screenshot taken twice shows the same.

const HISTORY_S = 300;

/** A number from 0 to 1 that depends on its inputs alone. */
function noise(name, second) {
  let hash = 2166136261 ^ second;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4294967296;
}

const SERVICES = [
  { name: 'gateway', p50: 18, rate: 842, hosts: 3, saturation: 0.41 },
  { name: 'order', p50: 42, rate: 318, hosts: 4, saturation: 0.58 },
  { name: 'payment', p50: 64, rate: 96.4, hosts: 2, saturation: 0.36 },
  { name: 'inventory', p50: 7.2, rate: 511, hosts: 2, saturation: 0.27 },
  { name: 'notification', p50: 3.1, rate: 41.7, hosts: 1, saturation: 0.12 },
  { name: 'search', p50: 88, rate: 1240, hosts: 6, saturation: 0.66 },
  { name: 'catalog', p50: 11.4, rate: 2380, hosts: 6, saturation: 0.49 },
  { name: 'recommend', p50: 130, rate: 74.9, hosts: 2, saturation: 0.71 },
  { name: 'review', p50: 21, rate: 12.6, hosts: 1, saturation: 0.18 },
];

function point(service, second, fault) {
  const bad = fault !== undefined && second >= fault.from && second < (fault.until ?? Infinity);
  const wave = 1 + 0.12 * Math.sin(second / 37 + service.p50) + 0.1 * (noise(service.name, second) - 0.5);
  const slow = bad && fault.signal === 'latency' ? 6 + 3 * noise(service.name, second + 7) : 1;
  const p50 = service.p50 * wave * (slow > 1 ? 1.8 : 1);
  const errors =
    bad && fault.signal === 'errors'
      ? 0.07 + 0.05 * noise(service.name, second + 3)
      : noise(service.name, second + 5) > 0.93
        ? 0.004
        : 0;
  return {
    s: second,
    traffic: Math.round(service.rate * wave * 10) / 10,
    errors,
    p50_ms: p50,
    p95_ms: p50 * 2.4 * (slow > 1 ? slow / 1.8 : 1) * (0.95 + 0.1 * noise(service.name, second + 1)),
    p99_ms: p50 * 4.1 * (slow > 1 ? slow / 1.4 : 1) * (0.9 + 0.3 * noise(service.name, second + 2)),
    saturation: Math.min(0.99, service.saturation * (0.94 + 0.12 * noise(service.name, second + 4))),
    ...(bad ? { strays: { [fault.signal]: Math.round(80 + 60 * noise(service.name, second)) / 10 } } : {}),
  };
}

const EMPTY = { traffic: null, errors: null, p50_ms: null, p95_ms: null, p99_ms: null, saturation: null };

function historyOf(service, end, fault, silentSince) {
  const columns = {
    from_s: end - HISTORY_S + 1,
    traffic: [],
    errors: [],
    p50_ms: [],
    p95_ms: [],
    p99_ms: [],
    saturation: [],
    strays: [],
  };
  for (let s = columns.from_s; s <= end; s += 1) {
    const at = silentSince !== undefined && s >= silentSince ? EMPTY : point(service, s, fault);
    for (const name of Object.keys(EMPTY)) columns[name].push(at[name]);
    if (at.strays !== undefined) columns.strays.push({ s, ...at.strays });
  }
  return columns;
}

function hostsOf(service, second, fault) {
  const now = point(service, second, fault);
  return Array.from({ length: service.hosts }, (_, i) => ({
    host: `${service.name}-${i + 1}`,
    traffic: now.traffic / service.hosts,
    errors:
      fault?.signal === 'errors' && i > 0
        ? 0.001
        : now.errors * (fault?.signal === 'errors' ? service.hosts : 1),
    p95_ms: now.p95_ms * (0.9 + 0.2 * noise(service.name, i)),
    saturation: now.saturation * (1 - i * 0.04),
    saturation_of: ['cpu', 'memory', 'disk'][i % 3],
  }));
}

function slosOf(service, id, state, second, since) {
  const base = {
    service: id,
    endpoint: null,
    method: null,
    host: null,
    window_s: 300,
    strays: false,
    watermark_s: second,
  };
  const bad = state === 'warning' || state === 'pending';
  const rows = [
    {
      ...base,
      key: `availability/${id}`,
      rule: `${service.name} availability`,
      slo: `${service.name}-availability`,
      signal: 'errors',
      severity: 'critical',
      state:
        state === 'critical'
          ? 'firing'
          : state === 'unknown'
            ? 'unknown'
            : state === 'no_data'
              ? 'no_data'
              : 'ok',
      since_ms: since,
      sli:
        state === 'no_data'
          ? null
          : state === 'critical'
            ? { low: 0.9124, high: 0.9124 }
            : state === 'unknown'
              ? { low: 0.9712, high: 0.9994 }
              : { low: 0.99974, high: 0.99974 },
      objective: 0.999,
      budget_left:
        state === 'no_data' ? null : state === 'critical' ? -86.6 : state === 'unknown' ? -27.8 : 0.74,
    },
    {
      ...base,
      key: `latency/${id}`,
      rule: `${service.name} p95 under ${Math.round(service.p50 * 5)} ms`,
      slo: `${service.name}-latency`,
      signal: 'latency',
      severity: 'warning',
      state:
        state === 'warning'
          ? 'firing'
          : state === 'pending'
            ? 'pending'
            : state === 'no_data'
              ? 'no_data'
              : 'ok',
      since_ms: state === 'critical' ? since - 5_000_000 : since,
      sli: state === 'no_data' ? null : bad ? { low: 0.8731, high: 0.8733 } : { low: 0.9921, high: 0.9922 },
      objective: 0.95,
      budget_left: state === 'no_data' ? null : bad ? -1.54 : 0.84,
    },
  ];
  return rows;
}

function alert({
  n,
  service,
  second,
  status,
  severity,
  signal,
  name,
  summary,
  korean,
  total,
  coarse = false,
  endpoint = null,
  host = null,
  lasted = null,
}) {
  const at = second * 1000 + 412.7;
  const steps = [0, 0.06, 0.16, 0.27, 0.33, 0.42, 1].map((share) => at + share * total);
  return {
    episode: `episode-${n}`,
    fingerprint: n.toString(16).padStart(16, '0'),
    status,
    severity,
    labels: {
      alertname: name,
      project: 'shop',
      environment: 'prod',
      service,
      signal,
      severity,
      ...(endpoint ? { endpoint, method: 'POST' } : {}),
      ...(host ? { host } : {}),
    },
    annotations: { summary, summary_ko: korean, runbook_url: 'https://runbooks.example/' + service },
    first_breach_s: second,
    starts_at_ms: steps[4],
    ends_at_ms: lasted === null ? null : steps[4] + lasted * 1000,
    stages: {
      occurred_ms: steps[0],
      flushed_ms: steps[1],
      received_ms: steps[2],
      merged_ms: steps[3],
      evaluated_ms: steps[4],
      dispatched_ms: steps[5],
      delivered_ms: steps[6],
    },
    occurred_is_coarse: coarse,
    golden_time_ms: total,
  };
}

/** Which service is in which state, by scenario; a number is how many seconds ago it began. */
const SCENARIOS = {
  calm: {},
  critical: {
    order: { state: 'critical', ago: 48, signal: 'errors', reason: 'order availability' },
    search: { state: 'warning', ago: 95, signal: 'latency', reason: 'search p95 under 440 ms' },
    recommend: { state: 'pending', ago: 4, reason: 'recommend p95 under 650 ms' },
  },
  unknown: {
    payment: { state: 'unknown', ago: 21, reason: 'payment availability', silent: 9 },
    review: { state: 'no_data', ago: 190, silent: 190 },
  },
  stale: {},
  degraded: { search: { state: 'warning', ago: 95, signal: 'latency', reason: 'search p95 under 440 ms' } },
  'first-run': {},
};

/** Names of all scenarios. */
export const SCENARIO_NAMES = Object.keys(SCENARIOS);

const RANK = ['critical', 'warning', 'unknown', 'pending', 'no_data', 'ok'];

/**
 * A scenario that began at `began` (whole seconds): `snapshot(second)` and `delta(second)` without
 * their numbers, and `fired()`, an alert to send at once.
 */
export function scenario(name, began) {
  const plan = SCENARIOS[name];
  if (plan === undefined) throw new Error(`no scenario ${name}; there are ${SCENARIO_NAMES.join(', ')}`);
  const empty = name === 'first-run';
  const services = empty ? [] : SERVICES;
  const caseOf = (service) => plan[service.name];
  const faultOf = (service) => {
    const found = caseOf(service);
    return found?.signal === undefined ? undefined : { signal: found.signal, from: began - found.ago };
  };
  const idOf = (service) => `shop/prod/${service.name}`;
  const stateOf = (service) => caseOf(service)?.state ?? 'ok';
  const sinceOf = (service) => (began - (caseOf(service)?.ago ?? 5400)) * 1000;
  const silentOf = (service) =>
    caseOf(service)?.silent === undefined ? undefined : began - caseOf(service).silent;
  const newestOf = (service, second) =>
    Math.min(second, silentOf(service) === undefined ? second : silentOf(service) - 1);

  const central = (second) => ({
    version: '0.1.0',
    started_ms: (began - 7200) * 1000,
    not_ready:
      name === 'degraded'
        ? [
            {
              code: 'log_full',
              detail:
                'The disk under /var/lib/goldentime-central is full. Agents keep what they have in their spools and send it again; free some space.',
            },
          ]
        : [],
    roles: ['gateway', 'process', 'notify', 'api'],
    missing_roles: [],
    members: [],
    agents: empty
      ? { connected: 0, total: 0 }
      : { connected: name === 'stale' ? 0 : name === 'unknown' ? 25 : 27, total: 27 },
    rules: { loaded: empty ? 0 : 22, error: null },
    channels: [
      {
        name: 'ops-slack',
        type: 'slack',
        state: name === 'degraded' ? 'failing' : 'ok',
        queued: name === 'degraded' ? 2 : 0,
        delivered: 41,
        failed: 3,
        dead_letters: 0,
        last_error: name === 'degraded' ? 'hooks.slack.example: connection refused' : null,
        last_delivered_ms: second * 1000,
      },
      {
        name: 'pager',
        type: 'webhook',
        state: 'ok',
        queued: 0,
        delivered: 41,
        failed: 0,
        dead_letters: 0,
        last_error: null,
        last_delivered_ms: second * 1000,
      },
    ],
    data_age_ms: empty ? null : name === 'stale' ? (second - began + 14) * 1000 : 640,
    clients: 1,
  });

  const whole = (service, second) => {
    const newest = newestOf(service, name === 'stale' ? began - 14 : second);
    const hosts = hostsOf(service, newest, faultOf(service));
    const state = stateOf(service);
    return {
      id: idOf(service),
      project: 'shop',
      environment: 'prod',
      service: service.name,
      kind: 'service',
      state,
      since_ms: sinceOf(service),
      reason: caseOf(service)?.reason ?? null,
      rules: 2,
      now: state === 'no_data' ? null : point(service, newest, faultOf(service)),
      data_age_ms: (second - newest) * 1000 + 640,
      hosts: state === 'no_data' ? [] : hosts,
      hosts_total: state === 'no_data' ? 0 : hosts.length,
      history: historyOf(service, newest, faultOf(service)),
    };
  };
  const sorted = [...services].sort(
    (a, b) => RANK.indexOf(stateOf(a)) - RANK.indexOf(stateOf(b)) || (a.name < b.name ? -1 : 1),
  );

  const alerts = () => {
    if (empty || name === 'calm') return [];
    return [
      ...(name === 'critical'
        ? [
            alert({
              n: 9,
              service: 'order',
              second: began - 48,
              status: 'firing',
              severity: 'critical',
              signal: 'errors',
              name: 'order availability',
              summary: '8.8% of requests fail; order-1 alone serves the errors',
              korean: '요청의 8.8%가 실패, 오류는 모두 order-1에서 발생',
              total: 131,
              endpoint: '/orders/{id}/pay',
              host: 'order-1',
            }),
          ]
        : []),
      ...(name === 'critical' || name === 'degraded'
        ? [
            alert({
              n: 8,
              service: 'search',
              second: began - 95,
              status: 'firing',
              severity: 'warning',
              signal: 'latency',
              name: 'search p95 under 440 ms',
              summary: 'p95 is 1.38 s over the last 10 s',
              korean: '최근 10초 p95가 1.38초',
              total: 182,
            }),
          ]
        : []),
      alert({
        n: 7,
        service: 'catalog',
        second: began - 260,
        status: 'resolved',
        severity: 'critical',
        signal: 'errors',
        name: 'catalog availability',
        summary: '6.1% of requests failed',
        korean: '요청의 6.1%가 실패',
        total: 96,
        lasted: 74,
      }),
      alert({
        n: 6,
        service: 'gateway',
        second: began - 1930,
        status: 'resolved',
        severity: 'warning',
        signal: 'traffic',
        name: 'gateway traffic floor',
        summary: 'Traffic fell to 212 /s, floor 400 /s',
        korean: '처리량이 초당 212건으로 감소, 하한 400건',
        total: 744,
        coarse: true,
        lasted: 32,
      }),
      alert({
        n: 5,
        service: 'inventory',
        second: began - 4211,
        status: 'resolved',
        severity: 'warning',
        signal: 'saturation',
        name: 'inventory disk filling',
        summary: 'Disk of inventory-2 over 90%',
        korean: 'inventory-2의 디스크 사용률 90% 초과',
        total: 158,
        host: 'inventory-2',
        lasted: 640,
      }),
    ];
  };

  return {
    snapshot: (second) => ({
      type: 'snapshot',
      protocol: 1,
      at_ms: second * 1000 + 1640,
      percentile_error: 0.005415,
      history_s: HISTORY_S,
      services: sorted.map((service) => whole(service, second)),
      services_hidden: 0,
      alerts: alerts(),
      slos: sorted.flatMap((service) =>
        slosOf(service, idOf(service), stateOf(service), second, sinceOf(service)),
      ),
      central: central(second),
    }),
    delta: (second) => ({
      type: 'delta',
      at_ms: second * 1000 + 1640,
      services: sorted.map((service) => {
        const { id, data_age_ms, now, hosts } = whole(service, second);
        const fresh = now !== null && now.s === second;
        return { id, data_age_ms, ...(fresh ? { now, hosts, points: [now] } : {}) };
      }),
      removed: [],
      slos: [],
      slos_removed: [],
      central: central(second),
    }),
    fired: (second) => ({
      type: 'alert',
      at_ms: second * 1000 + 1000,
      alert: alert({
        n: 1000 + second,
        service: 'payment',
        second,
        status: 'firing',
        severity: 'critical',
        signal: 'latency',
        name: 'payment p95 under 320 ms',
        summary: 'p95 is 1.12 s over the last 10 s',
        korean: '최근 10초 p95가 1.12초',
        total: 143,
      }),
    }),
  };
}
