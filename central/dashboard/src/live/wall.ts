/** The state of the wall: a snapshot, then deltas. Pure functions; nothing here knows of sockets. */

import { newestSecond, withPoints } from './history';
import type {
  Alert,
  CentralStatus,
  Delta,
  ServerMessage,
  Service,
  ServiceChange,
  SloStatus,
  Snapshot,
} from './protocol';

/** All that the pages show. Never changed in place: what did not change stays the same object. */
export interface Wall {
  boot: string;
  seq: number;
  /** The central's clock when the newest frame was built. */
  atMs: number;
  /** Share of its value to within which a percentile is right. */
  percentileError: number;
  historyS: number;
  /** Ids in the order to show them, worst first. */
  order: readonly string[];
  services: ReadonlyMap<string, Service>;
  servicesHidden: number;
  /** Newest first, at most `ALERTS_KEPT`. */
  alerts: readonly Alert[];
  /** By service id, the worst first. */
  slos: ReadonlyMap<string, readonly SloStatus[]>;
  central: CentralStatus;
}

/** Alerts that stand on the page. */
export const ALERTS_KEPT = 10;

/**
 * The wall after a message, or null when the message does not follow the wall: then the connection
 * has to be made anew, because applying it would show numbers that never were.
 */
export function applyMessage(wall: Wall | null, message: ServerMessage): Wall | null {
  if (message.type === 'snapshot') return fromSnapshot(message);
  if (wall === null || message.seq !== wall.seq + 1) return null;
  if (message.type === 'delta') return applyDelta(wall, message);
  const alerts = withAlert(wall.alerts, message.alert);
  return { ...wall, seq: message.seq, atMs: message.at_ms, alerts };
}

function fromSnapshot(snapshot: Snapshot): Wall {
  return {
    boot: snapshot.boot,
    seq: snapshot.seq,
    atMs: snapshot.at_ms,
    percentileError: snapshot.percentile_error,
    historyS: snapshot.history_s,
    order: snapshot.services.map((service) => service.id),
    services: new Map(snapshot.services.map((service) => [service.id, service])),
    servicesHidden: snapshot.services_hidden,
    alerts: snapshot.alerts.slice(0, ALERTS_KEPT),
    slos: withSlos(new Map(), snapshot.slos, []),
    central: snapshot.central,
  };
}

function applyDelta(wall: Wall, delta: Delta): Wall {
  const services = new Map(wall.services);
  const appeared: string[] = [];
  for (const id of delta.removed) services.delete(id);
  for (const change of delta.services) {
    const known = services.get(change.id);
    if ('history' in change) {
      services.set(change.id, change);
      if (known === undefined) appeared.push(change.id);
    } else if (known !== undefined) {
      services.set(change.id, withChange(known, change, wall.historyS));
    }
  }
  return {
    ...wall,
    seq: delta.seq,
    atMs: delta.at_ms,
    order: delta.order ?? orderAfter(wall.order, delta.removed, appeared),
    services,
    servicesHidden: delta.services_hidden ?? wall.servicesHidden,
    slos: withSlos(wall.slos, delta.slos, delta.slos_removed),
    central: delta.central,
  };
}

function orderAfter(order: readonly string[], removed: string[], appeared: string[]): readonly string[] {
  if (removed.length === 0 && appeared.length === 0) return order;
  return [...order.filter((id) => !removed.includes(id)), ...appeared];
}

function withChange(service: Service, change: ServiceChange, historyS: number): Service {
  const { points, ...fields } = change;
  const history = points === undefined ? service.history : withPoints(service.history, points, historyS);
  return { ...service, ...fields, history };
}

function withAlert(alerts: readonly Alert[], alert: Alert): readonly Alert[] {
  const place = alerts.findIndex((known) => known.episode === alert.episode);
  if (place < 0) return [alert, ...alerts].slice(0, ALERTS_KEPT);
  return alerts.map((known, index) => (index === place ? alert : known));
}

const SLO_RANK = { firing: 0, unknown: 1, pending: 2, no_data: 3, ok: 4 } as const;

function worstFirst(a: SloStatus, b: SloStatus): number {
  const severity = (slo: SloStatus) => (slo.severity === 'critical' ? 0 : 1);
  return SLO_RANK[a.state] - SLO_RANK[b.state] || severity(a) - severity(b) || (a.key < b.key ? -1 : 1);
}

function withSlos(
  slos: Wall['slos'],
  changed: readonly SloStatus[],
  removed: readonly string[],
): Wall['slos'] {
  if (changed.length === 0 && removed.length === 0) return slos;
  const replaced = new Set([...removed, ...changed.map((slo) => slo.key)]);
  const next = new Map<string, SloStatus[]>();
  for (const [service, group] of slos) {
    const kept = group.filter((slo) => !replaced.has(slo.key));
    if (kept.length > 0) next.set(service, kept);
  }
  for (const slo of changed) {
    const group = next.get(slo.service);
    if (group === undefined) next.set(slo.service, [slo]);
    else group.push(slo);
  }
  for (const group of next.values()) group.sort(worstFirst);
  return next;
}

/** The rules over several services that count this one, the worst first. */
export function sharedSlos(wall: Wall, service: Service): readonly SloStatus[] {
  const ofGroup = `${service.project}/${service.environment}/slo:`;
  const counts = (slo: SloStatus) =>
    slo.service.startsWith(ofGroup) &&
    (slo.services ?? []).some(
      (name) => name === service.service || (name === '*' && service.kind === 'service'),
    );
  return [...wall.slos.values()].flat().filter(counts).sort(worstFirst);
}

/** Whether an alert is about this service, alone or among several. */
export function concerns(alert: Alert, service: Service, shared: readonly SloStatus[]): boolean {
  const { project, environment, service: name, slo } = alert.labels;
  if (project !== service.project || environment !== service.environment) return false;
  return name === undefined ? shared.some((status) => status.slo === slo) : name === service.service;
}

/** Seconds that an axis waits for the newest data before it moves on and shows the hole. */
const AXIS_PATIENCE_S = 3;

/** The second at which every sparkline ends: the newest known, but never far behind the clock. */
export function axisEnd(wall: Wall): number {
  let newest = Math.floor(wall.atMs / 1000) - AXIS_PATIENCE_S;
  for (const service of wall.services.values()) {
    newest = Math.max(newest, newestSecond(service.history));
  }
  return newest;
}
