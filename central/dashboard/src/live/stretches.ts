/**
 * When a signal of a service was bad or strayed from the usual: the stretches that are shaded behind its
 * line.
 */

import type { History, SloStatus } from './protocol';
import type { Wall } from './wall';

/** A signal by the protocol's name. */
export type Signal = SloStatus['signal'];

/** What a stretch is of: an alert of some severity, or seconds that stray. */
export type StretchKind = 'warning' | 'critical' | 'stray';

/** A stretch of seconds during which a rule over the signal was firing, or the signal strayed. */
export interface Stretch {
  fromS: number;
  /** Null while it lasts. */
  untilS: number | null;
  severity: StretchKind;
}

/** So many seconds of one direction stray before they are shaded: fewer may be chance. */
const STRAY_S_MIN = 3;
/** Seconds that do not stray between those that do, and are shaded with them. */
const STRAY_GAP_S = 1;

/** A stretch as places on an axis; 0 is its first second. */
export interface Wash {
  from: number;
  to: number;
  severity: StretchKind;
}

/** Stretches of a service by signal, from the rules that fire now and the alerts that are known. */
export function stretchesOf(wall: Wall, serviceId: string): Map<Signal, Stretch[]> {
  const found = new Map<Signal, Stretch[]>();
  const add = (signal: Signal, stretch: Stretch) => {
    const known = found.get(signal);
    if (known === undefined) found.set(signal, [stretch]);
    else known.push(stretch);
  };
  for (const slo of wall.slos.get(serviceId) ?? []) {
    if (slo.state !== 'firing') continue;
    add(slo.signal, { fromS: Math.floor(slo.since_ms / 1000), untilS: null, severity: slo.severity });
  }
  for (const alert of wall.alerts) {
    const { project, environment, service, signal } = alert.labels;
    if (`${project}/${environment}/${service}` !== serviceId || alert.ends_at_ms === null) continue;
    if (signal !== 'latency' && signal !== 'errors' && signal !== 'traffic' && signal !== 'saturation')
      continue;
    add(signal, {
      fromS: alert.first_breach_s,
      untilS: Math.ceil(alert.ends_at_ms / 1000),
      severity: alert.severity,
    });
  }
  const history = wall.services.get(serviceId)?.history;
  if (history?.strays !== undefined) {
    for (const signal of SIGNALS) {
      for (const stretch of strayStretches(history.strays, signal)) add(signal, stretch);
    }
  }
  return found;
}

const SIGNALS = ['latency', 'errors', 'traffic', 'saturation'] as const;

/** The stretches in which one signal strays in one direction. */
export function strayStretches(strays: NonNullable<History['strays']>, signal: Signal): Stretch[] {
  const found: { fromS: number; untilS: number; seconds: number; above: boolean }[] = [];
  for (const stray of strays) {
    const score = stray[signal];
    if (score === undefined) continue;
    const last = found.at(-1);
    if (last !== undefined && last.above === score > 0 && stray.s - last.untilS <= STRAY_GAP_S) {
      last.untilS = stray.s + 1;
      last.seconds += 1;
    } else {
      found.push({ fromS: stray.s, untilS: stray.s + 1, seconds: 1, above: score > 0 });
    }
  }
  return found
    .filter(({ seconds }) => seconds >= STRAY_S_MIN)
    .map(({ fromS, untilS }) => ({ fromS, untilS, severity: 'stray' }));
}

/** Stretches as places on the axis of `length` seconds that ends with `end`. */
export function washes(stretches: readonly Stretch[] | undefined, end: number, length: number): Wash[] {
  if (stretches === undefined) return NO_WASHES;
  const start = end - length + 1;
  return stretches
    .map(({ fromS, untilS, severity }) => ({
      from: fromS - start,
      to: (untilS ?? end) - start,
      severity,
    }))
    .filter((wash) => wash.to > 0 && wash.from < length);
}

const NO_WASHES: Wash[] = [];
