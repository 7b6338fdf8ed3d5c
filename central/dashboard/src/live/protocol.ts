/**
 * The live WebSocket's messages, exactly as docs/websocket.md has them. Durations are milliseconds,
 * ratios 0 to 1, instants `*_ms` milliseconds since the Unix epoch, seconds `*_s` and `s` whole
 * seconds since the epoch. `null` is "not known" or "nothing there", never zero.
 */

/** Path of the socket, below the page's own address. */
export const LIVE_PATH = 'api/v1/live';
/** The subprotocol that both sides speak. */
export const SUBPROTOCOL = 'goldentime.live.v1';
/** The only protocol version that this client understands. */
export const PROTOCOL_VERSION = 1;

export type ClientMessage = Subscribe;

export interface Subscribe {
  type: 'subscribe';
  view: 'home';
  /** Go on after this frame if the server still can (30 s, same `boot`). */
  resume?: { boot: string; seq: number };
}
export type ServerMessage = Snapshot | Delta | AlertMessage;

export interface Snapshot {
  type: 'snapshot';
  protocol: 1;
  /** Changes at each start of the central; numbers of different boots do not compare. */
  boot: string;
  seq: number;
  /** The central's clock when the frame was built. */
  at_ms: number;
  /** Percentiles are right to within this share of their value (0.005415 = 0.5415%). */
  percentile_error: number;
  /** Length of every column in `Service.history`, in seconds. */
  history_s: number; // 300
  /** Worst first, of equals services before hosts, then by id; at most 500. */
  services: Service[];
  /** Services beyond those 500, all of them less urgent than the last one shown. */
  services_hidden: number;
  /** Newest first, at most 10. */
  alerts: Alert[];
  /** At most 2000, those of `services` only; worst first. */
  slos: SloStatus[];
  central: CentralStatus;
}

export interface Delta {
  type: 'delta';
  seq: number;
  at_ms: number;
  /** Ids of all services shown, in the order to show them; absent when it is as before. */
  order?: string[];
  services_hidden?: number;
  /** Services that changed. One not known yet comes whole, as in a snapshot. */
  services: (ServiceChange | Service)[];
  /** Ids that are shown no more. */
  removed: string[];
  /** SLO statuses that are new or changed; replace by `key`. */
  slos: SloStatus[];
  /** Keys of SLO statuses that are gone. */
  slos_removed: string[];
  /** Always present: it carries the age of the data. */
  central: CentralStatus;
}

/** An alert began, changed or ended. Replace by `episode`; a new one goes on top, ten are kept. */
export interface AlertMessage {
  type: 'alert';
  seq: number;
  at_ms: number;
  alert: Alert;
}

/** critical > warning > unknown > pending > no_data > ok, which is also 'worst first'. */
export type State = 'critical' | 'warning' | 'unknown' | 'pending' | 'no_data' | 'ok';

export interface Service {
  /** `project/environment/service` */
  id: string;
  project: string;
  environment: string;
  service: string;
  /** A `host` row is a host's own saturation; it has no requests. */
  kind: 'service' | 'host';
  state: State;
  /** Since when it is in that state; null when no rule judges it. */
  since_ms: number | null;
  /** Name of the rule that gives it its state; null when ok or not judged. */
  reason: string | null;
  /** Number of rule instances over it. 0: nothing judges it, and 'ok' means no more than that. */
  rules: number;
  /** The newest complete second; null when there is none in the last 300 s. */
  now: Point | null;
  /** Age of `now`: from the end of its second to `at_ms`. */
  data_age_ms: number | null;
  /** Hosts that served it in the last 10 s: worst error ratio first, at most 20. A host's own row: itself. */
  hosts: Host[];
  hosts_total: number;
  /** Live from 300 s ago to the newest complete second. */
  history: History;
}

/** One second of one service. */
export interface Point {
  /** The second. */
  s: number;
  /** Requests per second. 0 is 'none came though data flows', null is 'not known'. */
  traffic: number | null;
  /** Share of requests that ended as server_error or timeout; null without requests. */
  errors: number | null;
  /** null without durations. */
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  /** Highest utilisation of CPU, memory or a disk among its hosts, 0 to 1. */
  saturation: number | null;
  /** Absent where no signal strays. */
  strays?: Strays;
}

/**
 * Signals of a second that stray from the ten minutes before it, each with its score: how many widths of
 * what is usual it lies above (negative: below), more than 6 and at most 99. Only traffic strays
 * downwards. A score may still change while its second is revised.
 */
export interface Strays {
  /** Of the p95. */
  latency?: number;
  errors?: number;
  traffic?: number;
  saturation?: number;
}

/** Columns of equal length; index i is the second `from_s + i`. */
export interface History {
  from_s: number;
  traffic: (number | null)[];
  errors: (number | null)[];
  p50_ms: (number | null)[];
  p95_ms: (number | null)[];
  p99_ms: (number | null)[];
  saturation: (number | null)[];
  /** The seconds that stray, in their order; absent when there are none. */
  strays?: (Strays & { s: number })[];
}

export interface Host {
  host: string;
  /** Requests per second, mean over the last 10 s. */
  traffic: number;
  errors: number | null;
  p95_ms: number | null;
  saturation: number | null;
  /** What is fullest: 'cpu', 'memory', 'disk', 'files', 'tasks'. */
  saturation_of: string | null;
}

/**
 * What changed of a known service. Absent fields are as before. `points` are seconds to write into
 * `history` (new ones, and recent ones that late records changed); drop what is older than
 * `history_s` before the newest. `now` stands in it as a point of its own.
 */
export interface ServiceChange {
  id: string;
  state?: State;
  since_ms?: number | null;
  reason?: string | null;
  rules?: number;
  now?: Point | null;
  /** Always present. */
  data_age_ms: number | null;
  hosts?: Host[];
  hosts_total?: number;
  points?: Point[];
}

// A ServiceChange has no `history`; that is how it is told from a whole Service.

export interface SloStatus {
  /** Identity: rule and labels. */
  key: string;
  rule: string;
  slo: string | null;
  /** Id of the service; of a rule over several `project/environment/slo:<name>`. */
  service: string;
  /** Of a rule over several services their names, or `['*']`. */
  services?: string[];
  endpoint: string | null;
  method: string | null;
  host: string | null;
  signal: 'latency' | 'errors' | 'traffic' | 'saturation';
  state: 'ok' | 'pending' | 'firing' | 'unknown' | 'no_data';
  severity: 'warning' | 'critical';
  since_ms: number;
  /** Share of good events over the window (traffic: requests per second), with what is missing
      taken at its worst (`low`) and at its best (`high`); equal when nothing is missing. */
  sli: { low: number; high: number } | null;
  /** Below this the rule is true. */
  objective: number;
  window_s: number;
  /** The events are seconds, bad where they stray from what is usual: `sli` and `objective` are shares of
      seconds, of `traffic` too. */
  strays: boolean;
  /** Share of the window's error budget that is left, by the events that were seen; may be negative,
      null for floors of traffic and when nothing was seen. */
  budget_left: number | null;
  /** Newest second judged. */
  watermark_s: number;
}

export interface Alert {
  episode: string;
  fingerprint: string;
  status: 'firing' | 'resolved';
  severity: 'warning' | 'critical';
  /** `labels.alertname`, `labels.service`, … */
  labels: Record<string, string>;
  /** `summary`, `summary_ko`, `description`, `runbook_url`, values. */
  annotations: Record<string, string>;
  first_breach_s: number;
  starts_at_ms: number;
  ends_at_ms: number | null;
  stages: Stages;
  /** `occurred` comes from a stamp of whole seconds: right to within one second. */
  occurred_is_coarse: boolean;
  /** From the request to the first delivery, once both are known. */
  golden_time_ms: number | null;
}

/** In this order; instants with microseconds as fraction, all on the central's clock. */
export interface Stages {
  occurred_ms: number | null;
  flushed_ms: number | null;
  received_ms: number | null;
  merged_ms: number | null;
  evaluated_ms: number | null;
  dispatched_ms: number | null;
  delivered_ms: number | null;
}

export interface CentralStatus {
  version: string;
  started_ms: number;
  /** What keeps it from being ready, in English, for people; empty when ready. */
  not_ready: NotReady[];
  /** What this central does, and what no central of its cluster does. */
  roles: Role[];
  missing_roles: MissingRole[];
  agents: { connected: number; total: number };
  /** Rules in force, and what is wrong with the files when the newest were refused. */
  rules: { loaded: number; error: string | null };
  channels: Channel[];
  /** Databases that follow the log: history. */
  stores: Store[];
  /** Age of the newest data of any service; null before the first record. */
  data_age_ms: number | null;
  /** Clients of this WebSocket. */
  clients: number;
}

export type Role = 'gateway' | 'process' | 'notify' | 'api';

export interface MissingRole {
  role: Role;
  /** What that means, in English, for people. */
  detail: string;
}

export interface NotReady {
  /** Stable: 'replaying', 'log_full', 'rules_bad', … */
  code: string;
  detail: string;
}

export interface Channel {
  name: string;
  type: 'webhook' | 'slack' | 'email' | 'pagerduty' | 'http';
  /** `failing`: the last attempt failed and is retried. */
  state: 'idle' | 'ok' | 'failing';
  queued: number;
  delivered: number;
  failed: number;
  dead_letters: number;
  last_error: string | null;
  last_delivered_ms: number | null;
}

export interface Store {
  /** 'series' or 'logs' */
  name: string;
  /** `waiting`: it takes nothing at present; `last_error` says why, the log holds what it lacks. */
  state: 'ok' | 'waiting';
  behind_records: number;
  behind_s: number | null;
  rows: number;
  lost: number;
  failures: number;
  last_error: string | null;
  bytes: number;
  bytes_max: number;
  series: number;
  oldest_10s_s: number | null;
  oldest_1m_s: number | null;
  oldest_1h_s: number | null;
  lines: number;
  oldest_line_ms: number | null;
}
