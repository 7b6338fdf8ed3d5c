/** What an SLO reaches, as text. */

import { compliance, plain, rate } from '../format';
import type { SloStatus } from '../live/protocol';

/**
 * What was seen, or both ends where so much is missing that it cannot be
 * judged. The newest flush is always on its way, so the ends alone would never meet.
 */
export function reached(slo: SloStatus): string {
  if (slo.sli === null) return '–';
  const { low, high } = slo.sli;
  const seen = 1 - (high - low);
  if (!isFloor(slo) && slo.state !== 'unknown' && seen > 0)
    return `${compliance(Math.max(0, 1 - (1 - high) / seen), slo.objective)}%`;
  return ends(slo);
}

/** Whether the SLO is a rate that must be reached, and not a share. */
export function isFloor(slo: SloStatus): boolean {
  return slo.signal === 'traffic' && !slo.strays;
}

/** Both ends of what an SLO may reach, with all that is missing bad and with all of it good. */
export function ends(slo: SloStatus): string {
  if (slo.sli === null) return '–';
  const { low, high } = slo.sli;
  if (isFloor(slo)) {
    const [a, b] = [plain(rate(low)), plain(rate(high))];
    return a === b ? a : `${a} – ${b}`;
  }
  const [a, b] = [compliance(low, slo.objective), compliance(high, slo.objective)];
  return a === b ? `${a}%` : `${a}–${b}%`;
}
