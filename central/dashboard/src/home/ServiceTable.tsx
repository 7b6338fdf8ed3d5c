/** The wall: one row a service, worst first, all sparklines on one time axis. */

import { useRef } from 'react';
import { timeOfDay } from '../format';
import { useTexts } from '../i18n/language';
import type { Service, SloStatus } from '../live/protocol';
import { stretchesOf } from '../live/stretches';
import { axisEnd, type Wall } from '../live/wall';
import { useKeyMap } from '../shell/keys';
import { ServiceRow } from './ServiceRow';
import { SIGNALS } from './signals';
import { useGlide } from './useGlide';
import { AXIS_S, useReading } from './useReading';

const NO_SLOS: readonly SloStatus[] = [];

/** See the module. */
export function ServiceTable({ wall, services }: { wall: Wall; services: readonly Service[] }) {
  const texts = useTexts();
  const table = useRef<HTMLDivElement>(null);
  const end = axisEnd(wall);
  const reading = useReading(end, wall.historyS);
  useGlide(table, services.map((service) => service.id).join('\n'));

  const focusRow = (step: number) => {
    const links = [...(table.current?.querySelectorAll<HTMLElement>('.row-link') ?? [])];
    const at = links.findIndex((link) => link === document.activeElement);
    const next =
      at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
    links[next]?.focus();
    links[next]?.closest('[role=row]')?.scrollIntoView({ block: 'nearest' });
  };
  useKeyMap({ j: () => focusRow(1), k: () => focusRow(-1) });

  return (
    <>
      <div
        ref={table}
        className="wall"
        role="table"
        aria-label={texts.servicesTable}
        aria-rowcount={services.length + 1}
        data-hair={reading.place === null ? undefined : ''}
        style={{ '--hair': reading.place ?? 0 } as React.CSSProperties}
        onPointerMove={reading.onPointerMove}
        onPointerLeave={reading.onPointerLeave}
      >
        <div role="rowgroup" className="wall-head">
          <div role="row" className="wall-row">
            <span role="columnheader">{texts.column.service}</span>
            {SIGNALS.map(({ signal }) => (
              <span key={signal} role="columnheader" className="head-signal">
                <span>{texts.signal[signal]}</span> <span className="quiet">{texts.signalHint[signal]}</span>
              </span>
            ))}
            <span role="columnheader">{texts.column.slo}</span>
            <span role="columnheader" className="head-hosts">
              {texts.column.hosts}
            </span>
          </div>
        </div>
        <div role="rowgroup" className="wall-body">
          {services.map((service) => (
            <ServiceRow
              key={service.id}
              service={service}
              slos={wall.slos.get(service.id) ?? NO_SLOS}
              stretches={stretchesOf(wall, service.id)}
              end={end}
              atMs={wall.atMs}
              percentileError={wall.percentileError}
              reading={reading}
            />
          ))}
        </div>
      </div>
      <footer className="wall-foot">
        <span className="axis-note">
          {timeOfDay((end - AXIS_S + 1) * 1000)} – {timeOfDay(end * 1000)}
        </span>
        {reading.second !== null && (
          <span className="reading">
            {texts.reading(timeOfDay(reading.second * 1000))}
            {reading.fixed && (
              <button type="button" className="plain" onClick={reading.release}>
                {texts.readingBack} <kbd>Esc</kbd>
              </button>
            )}
          </span>
        )}
        {wall.servicesHidden > 0 && <span>{texts.showingHidden(wall.servicesHidden)}</span>}
      </footer>
    </>
  );
}
