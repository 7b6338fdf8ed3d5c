import type { SloStatus } from '../src/live/protocol';

/** An SLO's status as the central tells it while all is well, with what a test wants otherwise. */
export function sloStatus(over: Partial<SloStatus> = {}): SloStatus {
  return {
    key: 'errors:1',
    rule: 'errors',
    slo: null,
    service: 'shop/prod/order',
    endpoint: null,
    method: null,
    host: null,
    signal: 'errors',
    state: 'ok',
    severity: 'critical',
    since_ms: 1000,
    sli: { low: 1, high: 1 },
    objective: 0.999,
    window_s: 60,
    strays: false,
    budget_left: 1,
    watermark_s: 102,
    ...over,
  };
}
