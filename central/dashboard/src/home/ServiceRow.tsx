/** One service on the wall. */

import { besideService, duration, percent, plain, span } from '../format';
import { useTexts } from '../i18n/language';
import { STALE_AFTER_MS } from '../live/freshness';
import { pointAt, slice } from '../live/history';
import type { Host, Point, Service, SloStatus } from '../live/protocol';
import { washes, type Signal, type Stretch } from '../live/stretches';
import { FigureText } from '../ui/FigureText';
import { Sparkline } from '../ui/Sparkline';
import { StateMark } from '../ui/StateMark';
import { serviceHref } from '../url';
import { SIGNALS, type SignalView } from './signals';
import { SloCell } from './SloCell';
import { nameOf } from './subject';
import { AXIS_S, type Reading } from './useReading';

/** See the module. `end` is the axis' last second, `atMs` the central's clock. */
export function ServiceRow(props: {
  service: Service;
  slos: readonly SloStatus[];
  stretches: ReadonlyMap<Signal, readonly Stretch[]>;
  end: number;
  atMs: number;
  percentileError: number;
  reading: Reading;
}) {
  const { service, slos, stretches, end, atMs, reading } = props;
  const texts = useTexts();
  const point = reading.second === null ? service.now : pointAt(service.history, reading.second);
  const stale = service.data_age_ms !== null && service.data_age_ms > STALE_AFTER_MS;
  const href = serviceHref(service.id);

  const onClick = (event: React.MouseEvent) => {
    if (event.target instanceof Element && event.target.closest('a, button') !== null) return;
    if (!reading.fix(event)) window.location.hash = href;
  };

  return (
    <div
      role="row"
      className="wall-row service-row"
      data-glide={service.id}
      data-state={service.state}
      data-stale={stale ? '' : undefined}
      onClick={onClick}
    >
      <div role="rowheader" className="cell-service">
        <a className="row-link" href={href}>
          {nameOf(service)}
        </a>
        <span className="quiet cell-env">
          {service.kind === 'host' ? `${texts.hostRow} · ${service.environment}` : service.environment}
        </span>
        <div className="cell-state">
          <StateMark state={service.state} />
          <span className={`tone-${service.state}`} title={texts.stateMeaning[service.state]}>
            {texts.state[service.state]}
          </span>
          {service.rules === 0 ? (
            <span className="quiet" title={texts.notJudgedMeaning}>
              {texts.notJudged}
            </span>
          ) : (
            service.since_ms !== null && (
              <span className="cell-since">{span(atMs - service.since_ms, texts.units)}</span>
            )
          )}
          {stale && service.data_age_ms !== null ? (
            <span className="quiet cell-reason">
              {texts.rowStale(span(service.data_age_ms, texts.units))}
            </span>
          ) : (
            service.reason !== null && (
              <span className="quiet cell-reason" title={service.reason}>
                {besideService(service.reason, service.service)}
              </span>
            )
          )}
        </div>
      </div>
      {SIGNALS.map((view) => (
        <SignalCell
          key={view.signal}
          view={view}
          service={service}
          point={point}
          end={end}
          stretches={stretches.get(view.signal)}
          note={noteOf(view, point, service, texts)}
          title={titleOf(view, point, service, props.percentileError, texts)}
        />
      ))}
      <SloCell slos={slos} service={service.service} />
      <div role="cell" className="cell-hosts">
        <span className="cell-label">{texts.column.hosts}</span>
        {service.kind === 'host' ? '–' : service.hosts_total}
      </div>
    </div>
  );
}

function SignalCell(props: {
  view: SignalView;
  service: Service;
  point: Point | null;
  end: number;
  stretches: readonly Stretch[] | undefined;
  note: string | null;
  title: string | undefined;
}) {
  const { view, service, point, end, stretches, note, title } = props;
  const texts = useTexts();
  const bad = stretches?.find((stretch) => stretch.untilS === null);
  return (
    <div role="cell" className="cell-signal" data-bad={bad?.severity}>
      <span className="cell-label">
        {texts.signal[view.signal]}
        {note !== null && ` · ${note}`}
      </span>
      {note !== null && <span className="signal-note quiet">{note}</span>}
      <FigureText figure={view.figure(point)} {...(title === undefined ? {} : { title })} />
      <span className="spark-box">
        <Sparkline
          values={slice(service.history, view.column, end, AXIS_S)}
          scale={view.scale}
          washes={washes(stretches, end, AXIS_S)}
        />
      </span>
    </div>
  );
}

/** The host with the highest saturation. */
function fullestHost(service: Service): Host | null {
  return service.hosts.reduce<Host | null>(
    (most, host) => ((host.saturation ?? -1) > (most?.saturation ?? -1) ? host : most),
    null,
  );
}

/** What a number is of, where its column's name leaves that open. */
function noteOf(
  view: SignalView,
  point: Point | null,
  service: Service,
  texts: ReturnType<typeof useTexts>,
): string | null {
  if (view.signal === 'latency' && point?.p95_ms != null) return 'p95';
  // Hosts are told as of now: of the second under the pointer the fullest part is not known.
  const of =
    view.signal === 'saturation' && point === service.now ? fullestHost(service)?.saturation_of : null;
  return of == null ? null : (texts.fullest[of] ?? of);
}

function titleOf(
  view: SignalView,
  point: Point | null,
  service: Service,
  percentileError: number,
  texts: ReturnType<typeof useTexts>,
): string | undefined {
  const score = point?.strays?.[view.signal];
  const of = figuresOf(view, point, service, percentileError, texts);
  if (score === undefined) return of;
  return of === undefined ? texts.strays(score) : `${of} · ${texts.strays(score)}`;
}

function figuresOf(
  view: SignalView,
  point: Point | null,
  service: Service,
  percentileError: number,
  texts: ReturnType<typeof useTexts>,
): string | undefined {
  if (view.signal === 'latency' && point?.p95_ms != null) {
    const of = (ms: number | null) => plain(duration(ms === null ? null : ms / 1000));
    const error = plain(percent(percentileError));
    return `p50 ${of(point.p50_ms)} · p95 ${of(point.p95_ms)} · p99 ${of(point.p99_ms)} · ±${error}`;
  }
  if (view.signal === 'saturation') {
    const fullest = fullestHost(service);
    if (fullest?.saturation_of == null) return undefined;
    return `${fullest.host} · ${texts.fullest[fullest.saturation_of] ?? fullest.saturation_of}`;
  }
  return undefined;
}
