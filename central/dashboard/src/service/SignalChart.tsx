import { percent, plain } from '../format';
import { useTexts } from '../i18n/language';
import type { Point } from '../live/protocol';
import type { Stretch } from '../live/stretches';
import { FigureText } from '../ui/FigureText';
import { Chart } from './Chart';
import type { ChartData } from './charts';

/** A chart with its name and its numbers at the second under the cursor, else the newest. */
export function SignalChart(props: {
  chart: ChartData;
  seconds: readonly number[];
  stretches: readonly Stretch[];
  point: Point | null;
  theme: string;
  percentileError: number;
  onCursor: (index: number | null) => void;
}) {
  const { chart, seconds, stretches, point, theme, percentileError, onCursor } = props;
  const texts = useTexts();
  const figures = chart.figures(point);
  const score = point?.strays?.[chart.signal];
  const strays = score === undefined ? null : texts.strays(score);
  const words = [
    ...figures.map(({ label, figure }) => `${label} ${plain(figure)}`.trim()),
    ...(strays === null ? [] : [strays]),
  ].join(', ');
  return (
    <section className="chart-box" data-testid={`chart-${chart.signal}`}>
      <header>
        <h2>{chart.title}</h2>
        {strays !== null && (
          <span className="chart-stray" title={texts.straysMeaning}>
            {strays}
          </span>
        )}
        <span className="chart-figures">
          {figures.map(({ label, figure }) => (
            <span key={label} className={`chart-figure chart-figure-${label === '' ? 'one' : label}`}>
              {label !== '' && (
                <span className="quiet">
                  <i className="swatch" aria-hidden="true" /> {label}
                </span>
              )}
              <FigureText figure={figure} />
            </span>
          ))}
          {chart.signal === 'latency' && <span className="quiet">±{plain(percent(percentileError))}</span>}
        </span>
      </header>
      <Chart
        seconds={seconds}
        lines={chart.lines}
        stretches={stretches}
        thresholds={chart.thresholds}
        scale={chart.scale}
        topAtLeast={chart.topAtLeast}
        format={chart.format}
        theme={theme}
        onCursor={onCursor}
        label={`${chart.title}: ${words}`}
      />
    </section>
  );
}
