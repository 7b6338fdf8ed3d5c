/** The four charts of a service, as data. */

import { duration, percent, rate, tick, type Figure } from '../format';
import type { Texts } from '../i18n/glossary';
import { isFloor } from '../home/reached';
import { slice, type Column } from '../live/history';
import type { Point, Service, SloStatus } from '../live/protocol';
import type { Signal } from '../live/stretches';
import type { Line, Threshold } from './Chart';

/** One chart before it is drawn. */
export interface ChartData {
  signal: Signal;
  title: string;
  lines: Line[];
  thresholds: Threshold[];
  scale: 'zero' | 'log';
  topAtLeast: number;
  format: (value: number) => string;
  /** The numbers in the chart's head, at one second. */
  figures: (point: Point | null) => { label: string; figure: Figure }[];
}

/** Latency is drawn logarithmically when its range is wider than this. */
const LOG_RANGE = 30;

const seconds = (ms: number | null | undefined) => (ms == null ? null : ms / 1000);

function needsLog(values: readonly (number | null)[]): boolean {
  const positive = values.filter((value): value is number => value !== null && value > 0);
  return positive.length > 0 && Math.max(...positive) / Math.min(...positive) > LOG_RANGE;
}

/** See the module. `axis` are the seconds that every chart shows. */
export function chartsOf(
  service: Service,
  slos: readonly SloStatus[],
  axis: readonly number[],
  texts: Texts,
): ChartData[] {
  const end = axis.at(-1) ?? 0;
  const values = (column: Column) => slice(service.history, column, end, axis.length);
  const inSeconds = (column: Column) => values(column).map(seconds);
  const percentiles: Line[] = [
    { label: 'p99', values: inSeconds('p99_ms'), weight: 'light' },
    { label: 'p95', values: inSeconds('p95_ms'), weight: 'strong' },
    { label: 'p50', values: inSeconds('p50_ms'), weight: 'medium' },
  ];
  const log = needsLog(percentiles.flatMap((line) => line.values));
  const one = (column: Column): Line[] => [{ label: '', values: values(column), weight: 'strong' }];
  return [
    {
      signal: 'latency',
      title: texts.service.latency,
      // A logarithmic axis has no place for zero.
      lines: log
        ? percentiles.map((line) => ({ ...line, values: line.values.map((v) => (v === 0 ? null : v)) }))
        : percentiles,
      thresholds: [],
      scale: log ? 'log' : 'zero',
      topAtLeast: 0.001,
      format: (value) => tick(duration(value)),
      figures: (point) => [
        { label: 'p50', figure: duration(seconds(point?.p50_ms)) },
        { label: 'p95', figure: duration(seconds(point?.p95_ms)) },
        { label: 'p99', figure: duration(seconds(point?.p99_ms)) },
      ],
    },
    {
      signal: 'errors',
      title: texts.service.errors,
      lines: one('errors'),
      thresholds: slos
        .filter((slo) => slo.signal === 'errors' && !slo.strays && slo.endpoint === null && slo.host === null)
        .map((slo) => ({ value: 1 - slo.objective, name: slo.rule })),
      scale: 'zero',
      topAtLeast: 0.02,
      format: (value) => tick(percent(value)),
      figures: (point) => [{ label: '', figure: percent(point?.errors ?? null) }],
    },
    {
      signal: 'traffic',
      title: texts.service.traffic,
      lines: one('traffic'),
      thresholds: slos
        .filter((slo) => isFloor(slo) && slo.endpoint === null && slo.host === null)
        .map((slo) => ({ value: slo.objective, name: slo.rule })),
      scale: 'zero',
      topAtLeast: 1,
      format: (value) => tick(rate(value)),
      figures: (point) => [{ label: '', figure: rate(point?.traffic ?? null) }],
    },
    {
      signal: 'saturation',
      title: texts.service.saturation,
      lines: one('saturation'),
      thresholds: [],
      scale: 'zero',
      topAtLeast: 1,
      format: (value) => tick(percent(value)),
      figures: (point) => [{ label: '', figure: percent(point?.saturation ?? null) }],
    },
  ];
}
