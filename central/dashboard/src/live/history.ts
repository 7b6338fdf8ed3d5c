/** Columns of seconds: how they grow, and how one second is read from them. */

import type { History, Point } from './protocol';

const COLUMNS = ['traffic', 'errors', 'p50_ms', 'p95_ms', 'p99_ms', 'saturation'] as const;

/** Name of a column. */
export type Column = (typeof COLUMNS)[number];

/** The newest second that a history holds, or `-Infinity` for an empty one. */
export function newestSecond(history: History): number {
  const length = history.traffic.length;
  return length === 0 ? -Infinity : history.from_s + length - 1;
}

/** Writes seconds into a history, filling gaps with nulls and dropping what is older than `historyS`. */
export function withPoints(history: History, points: readonly Point[], historyS: number): History {
  const known = newestSecond(history);
  const newest = points.reduce((most, point) => Math.max(most, point.s), known);
  if (newest === -Infinity) return history;
  const oldest = newest - historyS + 1;
  const from = known === -Infinity ? oldest : Math.max(history.from_s, oldest);
  const next = { from_s: from } as History;
  for (const column of COLUMNS) {
    const values = history[column].slice(Math.max(0, from - history.from_s));
    while (values.length < newest - from + 1) values.push(null);
    for (const point of points) {
      if (point.s >= from) values[point.s - from] = point[column];
    }
    next[column] = values;
  }
  const strays = withStrays(history, points, from);
  if (strays.length > 0) next.strays = strays;
  return next;
}

/** The seconds from `from` on that stray, those that were written anew as they are now. */
function withStrays(
  history: History,
  points: readonly Point[],
  from: number,
): NonNullable<History['strays']> {
  const written = new Set(points.map((point) => point.s));
  const kept = (history.strays ?? []).filter(({ s }) => s >= from && !written.has(s));
  for (const { s, strays } of points) {
    if (strays !== undefined && s >= from) kept.push({ ...strays, s });
  }
  return kept.sort((a, b) => a.s - b.s);
}

/** The second `s`, or null when the history does not hold it. */
export function pointAt(history: History, s: number): Point | null {
  const index = s - history.from_s;
  if (index < 0 || index >= history.traffic.length) return null;
  const point = { s } as Point;
  for (const column of COLUMNS) point[column] = history[column][index] ?? null;
  const strays = history.strays?.find((stray) => stray.s === s);
  if (strays !== undefined) point.strays = strays;
  return point;
}

/** Values of `column` in the `length` seconds that end with `end`, null where there is none. */
export function slice(history: History, column: Column, end: number, length: number): (number | null)[] {
  const values: (number | null)[] = [];
  const offset = end - length + 1 - history.from_s;
  for (let i = 0; i < length; i += 1) values.push(history[column][offset + i] ?? null);
  return values;
}
