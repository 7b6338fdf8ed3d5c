/** How numbers are written: three significant digits, the unit apart, so that columns align by the decimal. */

/** A number ready to be set: digits before and after the decimal point, and its unit. */
export interface Figure {
  /** Sign and digits before the point, or `–` where there is no value. */
  whole: string;
  /** The point and what follows, or empty. */
  fraction: string;
  /** Unit, or empty. */
  unit: string;
}

/** What is shown where there is no value. */
export const NOTHING: Figure = { whole: '–', fraction: '', unit: '' };

function figure(text: string, unit: string): Figure {
  const point = text.indexOf('.');
  return point < 0
    ? { whole: text, fraction: '', unit }
    : { whole: text.slice(0, point), fraction: text.slice(point), unit };
}

/** Three significant digits, without exponents: `0.123`, `1.23`, `12.3`, `123`, `1230`. */
export function threeDigits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 0.0005) return value < 0 ? '-0.001' : '<0.001';
  if (size >= 99.95) return Math.round(value).toString();
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.9995) return value.toFixed(2);
  return value.toFixed(3);
}

/** Seconds as `182 ms` or `1.20 s`. */
export function duration(seconds: number | null): Figure {
  if (seconds === null || !Number.isFinite(seconds)) return NOTHING;
  return seconds < 0.9995 ? figure(threeDigits(seconds * 1000), 'ms') : figure(threeDigits(seconds), 's');
}

/** A share from 0 to 1 as a percentage. */
export function percent(share: number | null): Figure {
  if (share === null || !Number.isFinite(share)) return NOTHING;
  return figure(threeDigits(share * 100), '%');
}

/** Events per second: `812 /s`, `1.24 k/s`. */
export function rate(perSecond: number | null): Figure {
  if (perSecond === null || !Number.isFinite(perSecond)) return NOTHING;
  if (perSecond >= 999_500) return figure(threeDigits(perSecond / 1e6), 'M/s');
  if (perSecond >= 999.5) return figure(threeDigits(perSecond / 1e3), 'k/s');
  return figure(threeDigits(perSecond), '/s');
}

/** A figure on an axis: round numbers lose the zeros that only a column of numbers needs. */
export function tick({ whole, fraction, unit }: Figure): string {
  return plain({ whole, fraction: fraction.replace(/\.?0+$/, ''), unit });
}

/** A figure as plain text, for titles and screen readers. */
export function plain({ whole, fraction, unit }: Figure): string {
  return `${whole}${fraction}${unit === '' ? '' : unit === '%' ? '%' : ` ${unit}`}`;
}

/**
 * A compliance as a percentage with one digit more than its objective, cut and not rounded: 99.9996%
 * against 99.99% must not read as 100%.
 */
export function compliance(share: number, objective: number): string {
  const digits = Math.min(decimals(objective * 100) + 1, 5);
  const scale = 10 ** digits;
  const cut = Math.floor(share * 100 * scale + 1e-9) / scale;
  return cut === 100 ? '100' : cut.toFixed(digits);
}

/** An objective as it was written: `99.9`. */
export function objectivePercent(objective: number): string {
  return (objective * 100).toFixed(decimals(objective * 100));
}

function decimals(value: number): number {
  for (let digits = 0; digits < 5; digits += 1) {
    if (Math.abs(value - Number(value.toFixed(digits))) < 1e-9) return digits;
  }
  return 5;
}

/** Milliseconds as the two largest units, each with the word that `units` gives: `3m 20s`, `3분 20초`. */
export function span(ms: number, units: { d: string; h: string; m: string; s: string }): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), units.d],
    [Math.floor(seconds / 3600) % 24, units.h],
    [Math.floor(seconds / 60) % 60, units.m],
    [seconds % 60, units.s],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return `0${units.s}`;
  return parts
    .slice(first, first + 2)
    .filter(([amount], place) => place === 0 || amount > 0)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(' ');
}

/** Time of day in the viewer's zone: `15:41:03`. */
export function timeOfDay(unixMs: number): string {
  const at = new Date(unixMs);
  const two = (n: number) => n.toString().padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/**
 * A rule's or SLO's name beside its service's name: `order-availability` beside `order` says
 * `availability`.
 */
export function besideService(name: string, service: string): string {
  const rest = name.startsWith(service) ? /^[\s\-_:/.]+(.+)$/.exec(name.slice(service.length)) : null;
  return rest?.[1] ?? name;
}

/** The time of day, with the day before it when that is not the day of `nowMs`: `11-21 15:41:03`. */
export function moment(unixMs: number, nowMs: number): string {
  const [at, now] = [new Date(unixMs), new Date(nowMs)];
  if (at.toDateString() === now.toDateString()) return timeOfDay(unixMs);
  const two = (n: number) => n.toString().padStart(2, '0');
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeOfDay(unixMs)}`;
}

/** Milliseconds of an alert's way: `182 ms`, `1.24 s`. */
export function milliseconds(ms: number): string {
  return plain(duration(ms / 1000));
}
