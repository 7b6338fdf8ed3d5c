/** When a signal of a service was bad: the stretches that are shaded behind its line. */

import type { SloStatus } from './protocol';
import type { Wall } from './wall';

/** A signal by the protocol's name. */
export type Signal = SloStatus['signal'];

/** A stretch of seconds during which a rule over the signal was firing. */
export interface Stretch {
  fromS: number;
  /** Null while it lasts. */
  untilS: number | null;
  severity: 'warning' | 'critical';
}

/** A stretch as places on an axis; 0 is its first second. */
export interface Wash {
  from: number;
  to: number;
  severity: 'warning' | 'critical';
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
  return found;
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
