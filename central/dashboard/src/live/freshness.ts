/** How old the newest data is, and why it is old. */

import type { Link } from './connection';
import type { Wall } from './wall';

/** Data older than this is dimmed, with the reason said. */
export const STALE_AFTER_MS = 3_000;
/** Frames come each second; the age counts on only once one is this late, so that it does not flicker. */
const FRAME_LATE_MS = 1_500;

/** Why data is old. */
export type StaleReason = 'connection' | 'not_ready' | 'no_agents' | 'silent';

/** What the corner of the page shows. */
export interface Freshness {
  /** Age of the newest data of any service; null before the first record. */
  ageMs: number | null;
  stale: boolean;
  /** Null while it is not stale. */
  reason: StaleReason | null;
}

/** The age at the browser's instant `nowMs`, and its reason once it is too high. */
export function freshness(wall: Wall | null, receivedMs: number, nowMs: number, link: Link): Freshness {
  if (wall?.central.data_age_ms == null) return { ageMs: null, stale: false, reason: null };
  const waited = Math.max(0, nowMs - receivedMs);
  const ageMs = wall.central.data_age_ms + (waited > FRAME_LATE_MS ? waited : 0);
  const stale = ageMs > STALE_AFTER_MS;
  return { ageMs, stale, reason: stale ? reasonFor(wall, link) : null };
}

function reasonFor(wall: Wall, link: Link): StaleReason {
  if (link.state !== 'live') return 'connection';
  if (wall.central.not_ready.length > 0) return 'not_ready';
  return wall.central.agents.connected === 0 ? 'no_agents' : 'silent';
}
