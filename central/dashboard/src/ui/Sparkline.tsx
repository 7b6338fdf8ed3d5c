/**
 * A line without axes, to be recognised and not read. One unit of the drawing is one second, so that
 * all sparklines of a page share their time axis whatever their width.
 */

import { memo } from 'react';
import type { Wash } from '../live/stretches';

const HEIGHT = 24;
/** Space above and below, so that the line is never cut. */
const MARGIN = 2;

/** A stretch that strays has an edge, so that it is told from an alert's without its colour. */
const EDGE = 1.5;

/** How values become heights. */
export interface Scale {
  /** Smallest value that the top stands for, so that noise near zero does not fill the height. */
  topAtLeast: number;
  /** Logarithmic where the highest value is this many times the lowest; null: always linear from 0. */
  logarithmicFrom: number | null;
}

/** Heights of values from 0 at the bottom to 1 at the top. */
export function heights(values: readonly (number | null)[], scale: Scale): (number | null)[] {
  let low = Infinity;
  let high = scale.topAtLeast;
  for (const value of values) {
    if (value === null) continue;
    high = Math.max(high, value);
    if (value > 0) low = Math.min(low, value);
  }
  if (scale.logarithmicFrom !== null && low < Infinity && high / low > scale.logarithmicFrom) {
    const span = Math.log(high / low);
    return values.map((value) => (value === null ? null : value <= low ? 0 : Math.log(value / low) / span));
  }
  return values.map((value) => (value === null ? null : high === 0 ? 0 : value / high));
}

function line(levels: readonly (number | null)[]): string {
  let path = '';
  let open = false;
  levels.forEach((level, x) => {
    if (level === null) {
      open = false;
      return;
    }
    const y = (HEIGHT - MARGIN - level * (HEIGHT - 2 * MARGIN)).toFixed(1);
    // A lone second between two holes still shows as a dot: the round cap of a line of no length.
    path += open ? `L${x} ${y}` : `M${x} ${y}h0`;
    open = true;
  });
  return path;
}

/** See the module. `values` end with the axis; `washes` are given in places on that axis. */
export const Sparkline = memo(function Sparkline(props: {
  values: readonly (number | null)[];
  scale: Scale;
  washes: readonly Wash[];
}) {
  const { values, scale, washes } = props;
  const last = values.length - 1;
  return (
    <svg className="spark" viewBox={`0 0 ${last} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {washes.map((wash) => {
        const x = Math.max(0, wash.from);
        const width = Math.max(0, Math.min(last, wash.to) - x);
        const key = `${wash.from}-${wash.severity}`;
        return (
          <g key={key} className={`wash-${wash.severity}`}>
            <rect x={x} width={width} y="0" height={HEIGHT} />
            {wash.severity === 'stray' && (
              <rect className="stray-edge" x={x} width={width} y="0" height={EDGE} />
            )}
          </g>
        );
      })}
      <path className="spark-ground" d={`M0 ${HEIGHT - MARGIN}H${last}`} />
      <path className="spark-line" d={line(heights(values, scale))} />
    </svg>
  );
});
