/**
 * A chart over time. All that is particular to uPlot stands in this file: its options, its canvas
 * colours, its cursor, its life cycle. The rest of the program knows only the props below.
 */

import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Stretch } from '../live/stretches';

/** One line of a chart. */
export interface Line {
  label: string;
  values: readonly (number | null)[];
  /** Weight of the line: lines of one chart share a hue and differ by weight. */
  weight: 'strong' | 'medium' | 'light';
}

/** A level that a rule compares with. */
export interface Threshold {
  value: number;
  name: string;
}

/** What a chart shows. */
export interface ChartProps {
  /** Whole seconds since the epoch, rising, as long as each line. */
  seconds: readonly number[];
  lines: readonly Line[];
  /** Stretches to shade. */
  stretches: readonly Stretch[];
  thresholds: readonly Threshold[];
  /** `zero`: from 0 to at least `topAtLeast`; `log`: logarithmic, for values above 0. */
  scale: 'zero' | 'log';
  topAtLeast: number;
  /** Writes a value on the axis. */
  format: (value: number) => string;
  /** The theme; a change redraws with its colours. */
  theme: string;
  /** Index of the second under the cursor, or null; all charts of a page move together. */
  onCursor: (index: number | null) => void;
  /** Says what is shown to those who cannot see it. */
  label: string;
}

const HEIGHT_PX = 180;
/** Upper edge of a stretch that strays, which tells it from an alert's without its colour. */
const EDGE_PX = 2;
const SYNC = uPlot.sync('service');
const WIDTHS: Record<Line['weight'], number> = { strong: 1.75, medium: 1.25, light: 1 };

interface Colours {
  ink: string;
  quiet: string;
  grid: string;
  lines: Record<Line['weight'], string>;
  washes: Record<Stretch['severity'], string>;
  edge: string;
}

function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: of('--ink'),
    quiet: of('--ink-quiet'),
    grid: of('--rule'),
    lines: { strong: of('--line-strong'), medium: of('--line-medium'), light: of('--line-light') },
    washes: {
      critical: of('--wash-critical'),
      warning: of('--wash-warning'),
      stray: of('--wash-stray'),
    },
    edge: of('--critical'),
  };
}

function clock(unixS: number): string {
  const at = new Date(unixS * 1000);
  const parts = [at.getHours(), at.getMinutes(), ...(unixS % 60 === 0 ? [] : [at.getSeconds()])];
  return parts.map((n) => n.toString().padStart(2, '0')).join(':');
}

function drawStretches(plot: uPlot, stretches: readonly Stretch[], colours: Colours): void {
  const { ctx, bbox } = plot;
  for (const { fromS, untilS, severity } of stretches) {
    const from = Math.max(bbox.left, plot.valToPos(fromS, 'x', true));
    const right = bbox.left + bbox.width;
    const to = untilS === null ? right : Math.min(right, plot.valToPos(untilS, 'x', true));
    if (to <= from) continue;
    ctx.fillStyle = colours.washes[severity];
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    if (severity !== 'stray') continue;
    ctx.fillStyle = colours.edge;
    ctx.fillRect(from, bbox.top, to - from, EDGE_PX * uPlot.pxRatio);
  }
}

function drawThresholds(plot: uPlot, thresholds: readonly Threshold[], colours: Colours): void {
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = colours.ink;
  ctx.fillStyle = colours.quiet;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.font = `${11 * ratio}px ${getComputedStyle(plot.root.parentElement ?? plot.root).fontFamily}`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'bottom';
  for (const { value, name } of thresholds) {
    const y = Math.round(plot.valToPos(value, 'y', true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(name, bbox.left + 4 * ratio, y - 2 * ratio);
  }
  ctx.restore();
}

function dataOf(seconds: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...seconds], ...lines.map((line) => [...line.values])];
}

/** See the module. */
export function Chart(props: ChartProps) {
  const { seconds, lines, scale, topAtLeast, theme, label } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  useEffect(() => {
    newest.current = props;
  });
  const shape = lines.map((line) => `${line.label}:${line.weight}`).join();

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const colours = coloursOf(element);
    const font = `11px ${getComputedStyle(element).fontFamily}`;
    const axis: uPlot.Axis = {
      stroke: colours.quiet,
      font,
      grid: { stroke: colours.grid, width: 1 },
      ticks: { show: false },
    };
    const top = (max: number) =>
      Math.max(max, newest.current.topAtLeast, ...newest.current.thresholds.map((t) => t.value)) * 1.06;
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: HEIGHT_PX,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC.key },
        points: { size: 6 },
        drag: { x: false, y: false },
        y: false,
      },
      scales: {
        x: { time: true },
        // uPlot declares the enum of `distr` but does not ship it, so its members cannot be named.
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
        y:
          scale === 'log'
            ? { distr: 3, log: 10 }
            : { range: (_, __, max) => [0, top(Number.isFinite(max) ? max : 0)] },
      },
      axes: [
        { ...axis, size: 24, space: 48, values: (_, ticks) => ticks.map(clock) },
        {
          ...axis,
          size: 60,
          space: 36,
          values: (_, ticks) =>
            ticks.map((tick: number | null) => (tick === null ? '' : newest.current.format(tick))),
        },
      ],
      series: [
        {},
        ...newest.current.lines.map((line): uPlot.Series => ({
          label: line.label,
          stroke: colours.lines[line.weight],
          width: WIDTHS[line.weight],
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: {
        drawClear: [(u) => drawStretches(u, newest.current.stretches, colours)],
        draw: [(u) => drawThresholds(u, newest.current.thresholds, colours)],
        setCursor: [(u) => newest.current.onCursor(u.cursor.idx ?? null)],
      },
    };
    const made = new uPlot(options, dataOf(newest.current.seconds, newest.current.lines), element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: HEIGHT_PX });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current = null;
      made.destroy();
    };
  }, [shape, scale, topAtLeast, theme]);

  useEffect(() => {
    plot.current?.setData(dataOf(seconds, lines));
  }, [seconds, lines]);

  return <div ref={box} className="chart" role="img" aria-label={label} />;
}
