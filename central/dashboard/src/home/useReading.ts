/**
 * Which second all rows are read at: the newest, the one under the pointer, or one that was fixed by
 * a click or the arrow keys and then stands in the URL (`?at=`), so that a link shows the same second.
 */

import { useState, type PointerEvent } from 'react';
import { useKeyMap } from '../shell/keys';
import { setParameter, useParameter } from '../url';

/** Seconds on every sparkline of the wall. */
export const AXIS_S = 120;

/** What the table needs to know and do. */
export interface Reading {
  /** The second to read, or null for the newest of each row. */
  second: number | null;
  /** Where the hairline stands, 0 to 1 of a sparkline's width; null when it is off the axis. */
  place: number | null;
  /** Whether the second is fixed by the URL. */
  fixed: boolean;
  onPointerMove: (event: PointerEvent) => void;
  onPointerLeave: () => void;
  /** Fixes the second under the pointer; true when there was one. */
  fix: (event: { target: EventTarget; clientX: number }) => boolean;
  release: () => void;
}

function placeUnder(event: { target: EventTarget; clientX: number }): number | null {
  const spark = event.target instanceof Element ? event.target.closest('.spark-box') : null;
  if (spark === null) return null;
  const box = spark.getBoundingClientRect();
  return Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (AXIS_S - 1));
}

/** See the module. `end` is the second at which the axis ends; `oldest` the first that rows hold. */
export function useReading(end: number, historyS: number): Reading {
  const [hover, setHover] = useState<number | null>(null);
  const asked = Number(useParameter('at') ?? Number.NaN);
  const fixedSecond = Number.isInteger(asked) && asked > end - historyS && asked <= end ? asked : null;
  const start = end - AXIS_S + 1;
  const second = hover !== null ? start + hover : fixedSecond;
  const step = (by: number) => {
    const next = (fixedSecond ?? end) + by;
    if (next >= end && by > 0) setParameter('at', null);
    else setParameter('at', Math.max(start, Math.min(end, next)).toString());
  };
  useKeyMap({
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Escape: () => setParameter('at', null),
  });
  return {
    second,
    place: second === null || second < start ? null : (second - start) / (AXIS_S - 1),
    fixed: fixedSecond !== null && hover === null,
    onPointerMove: (event) => {
      // A finger that scrolls is not reading; a tap fixes the second instead.
      if (event.pointerType === 'mouse') setHover(placeUnder(event));
    },
    onPointerLeave: () => setHover(null),
    fix: (event) => {
      const place = placeUnder(event);
      if (place !== null) setParameter('at', (start + place).toString());
      return place !== null;
    },
    release: () => setParameter('at', null),
  };
}
