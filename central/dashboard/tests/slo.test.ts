import { describe, expect, it } from 'vitest';
import { ends, reached } from '../src/home/reached';
import type { SloStatus } from '../src/live/protocol';
import { sloStatus } from './samples';

const slo = (change: Partial<SloStatus>) =>
  sloStatus({ sli: { low: 0.957, high: 1 }, objective: 0.95, ...change });

describe('what an SLO reaches', () => {
  it('is what was seen while the last flush is on its way', () => {
    expect(reached(slo({}))).toBe('100%');
    expect(ends(slo({}))).toBe('95.7–100%');
  });

  it('takes missing requests to fail as often as those that came', () => {
    expect(reached(slo({ state: 'firing', sli: { low: 0.45, high: 0.95 } }))).toBe('90.0%');
  });

  it('is both ends when too much is missing to judge', () => {
    expect(reached(slo({ state: 'unknown', sli: { low: 0.4, high: 1 } }))).toBe('40.0–100%');
    expect(reached(slo({ sli: { low: 0, high: 1 } }))).toBe('0.0–100%');
  });

  it('of traffic is a rate', () => {
    expect(reached(slo({ signal: 'traffic', sli: { low: 20, high: 20 } }))).toBe('20.0 /s');
  });
});
