/** One service: the four signals over the last five minutes, its rules, its hosts. */

import '../styles/service.css';
import { memo, useMemo, useState } from 'react';
import { AlertPanel } from '../home/AlertPanel';
import '../styles/alerts.css';
import { besideService, moment, span, timeOfDay } from '../format';
import { useTexts } from '../i18n/language';
import { pointAt } from '../live/history';
import { stretchesOf } from '../live/stretches';
import { axisEnd, concerns, sharedSlos, type Wall } from '../live/wall';
import { useKeyMap } from '../shell/keys';
import { useTheme } from '../theme';
import { StateMark } from '../ui/StateMark';
import { nameOf } from '../home/subject';
import { chartsOf } from './charts';
import { HostTable } from './HostTable';
import { RuleTable } from './RuleTable';
import { SignalChart } from './SignalChart';

/** See the module. */
export default memo(function ServicePage({ id, wall }: { id: string; wall: Wall }) {
  const texts = useTexts();
  const theme = useTheme().effective;
  const [cursor, setCursor] = useState<number | null>(null);
  useKeyMap({
    Escape: () => {
      window.location.hash = '#/';
    },
  });
  const service = wall.services.get(id);
  const end = axisEnd(wall);
  const seconds = useMemo(
    () => Array.from({ length: wall.historyS }, (_, i) => end - wall.historyS + 1 + i),
    [end, wall.historyS],
  );

  const back = (
    <a className="back" href="#/">
      ← {texts.service.back}
    </a>
  );
  if (service === undefined) {
    return (
      <div className="service-page">
        {back}
        <div className="empty">
          <strong>{texts.service.notFound}</strong>
          <p>{texts.service.notFoundDetail}</p>
        </div>
      </div>
    );
  }

  const slos = wall.slos.get(id) ?? [];
  const shared = sharedSlos(wall, service);
  const stretches = stretchesOf(wall, id);
  const second = cursor === null ? null : (seconds[cursor] ?? null);
  const point = second === null ? service.now : pointAt(service.history, second);
  const alerts = wall.alerts.filter((alert) => concerns(alert, service, shared));
  return (
    <div className="service-page" id="services" tabIndex={-1}>
      {back}
      <header className="service-head">
        <h1>{nameOf(service)}</h1>
        <span className="quiet">
          {service.project} / {service.environment}
        </span>
        <span className={`service-state tone-${service.state}`}>
          <StateMark state={service.state} /> {texts.state[service.state]}
        </span>
        {service.since_ms !== null && (
          <span className="quiet">
            {texts.since(moment(service.since_ms, wall.atMs))} (
            {span(wall.atMs - service.since_ms, texts.units)})
          </span>
        )}
        {service.reason !== null && <span>{besideService(service.reason, service.service)}</span>}
        <span className="service-reading quiet">
          {second === null ? texts.service.lastFiveMinutes : texts.reading(timeOfDay(second * 1000))}
        </span>
      </header>
      <div className="service-columns">
        <div className="service-main">
          <div className="charts">
            {chartsOf(service, slos, seconds, texts).map((chart) => (
              <SignalChart
                key={chart.signal}
                chart={chart}
                seconds={seconds}
                stretches={stretches.get(chart.signal) ?? []}
                point={point}
                theme={theme}
                percentileError={wall.percentileError}
                onCursor={setCursor}
              />
            ))}
          </div>
          <RuleTable slos={[...slos, ...shared]} atMs={wall.atMs} />
          {service.kind === 'service' && <HostTable hosts={service.hosts} total={service.hosts_total} />}
        </div>
        <AlertPanel alerts={alerts} atMs={wall.atMs} />
      </div>
    </div>
  );
});
