/** How each golden signal is read from a second, written, and drawn. */

import { duration, percent, rate, type Figure } from '../format';
import type { Column } from '../live/history';
import type { Point } from '../live/protocol';
import type { Signal } from '../live/stretches';
import type { Scale } from '../ui/Sparkline';

/** One signal's way onto the wall. */
export interface SignalView {
  signal: Signal;
  /** Column that is drawn, and whose newest value is the number. */
  column: Column;
  figure: (point: Point | null) => Figure;
  scale: Scale;
}

/** In the order of the columns. */
export const SIGNALS: readonly SignalView[] = [
  {
    signal: 'latency',
    column: 'p95_ms',
    figure: (point) => duration(point?.p95_ms == null ? null : point.p95_ms / 1000),
    scale: { topAtLeast: 0, logarithmicFrom: 20 },
  },
  {
    signal: 'errors',
    column: 'errors',
    figure: (point) => percent(point?.errors ?? null),
    // A top of at least 2% keeps one error among thousands from looking like an outage.
    scale: { topAtLeast: 0.02, logarithmicFrom: null },
  },
  {
    signal: 'traffic',
    column: 'traffic',
    figure: (point) => rate(point?.traffic ?? null),
    scale: { topAtLeast: 1, logarithmicFrom: null },
  },
  {
    signal: 'saturation',
    column: 'saturation',
    figure: (point) => percent(point?.saturation ?? null),
    scale: { topAtLeast: 1, logarithmicFrom: null },
  },
];
