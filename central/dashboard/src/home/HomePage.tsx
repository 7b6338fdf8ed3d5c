/** Home: is it bad, what, since when, why. A wall of services, and the last alerts beside it. */

import '../styles/wall.css';
import '../styles/alerts.css';
import { memo, useMemo } from 'react';
import { matches, parseFilter } from '../filter';
import type { Freshness } from '../live/freshness';
import type { Service } from '../live/protocol';
import type { Wall } from '../live/wall';
import { useParameter } from '../url';
import { AlertPanel } from './AlertPanel';
import { FirstRun } from './FirstRun';
import { NothingMatches } from './NothingMatches';
import { ServiceTable } from './ServiceTable';
import { subjectOf } from './subject';
import { Verdict } from './Verdict';

/** See the module. */
export const HomePage = memo(function HomePage({ wall, fresh }: { wall: Wall; fresh: Freshness }) {
  const filter = useParameter('q') ?? '';
  const tokens = useMemo(() => parseFilter(filter), [filter]);
  const all = wall.order
    .map((id) => wall.services.get(id))
    .filter((service): service is Service => service !== undefined);
  const shown = tokens.length === 0 ? all : all.filter((service) => matches(tokens, subjectOf(service)));

  if (all.length === 0) return <FirstRun agents={wall.central.agents.connected} />;
  return (
    <div className="home">
      <Verdict wall={wall} services={all} fresh={fresh} />
      <section className="home-main" id="services" tabIndex={-1}>
        {shown.length === 0 ? (
          <NothingMatches total={all.length} />
        ) : (
          <ServiceTable wall={wall} services={shown} />
        )}
      </section>
      <AlertPanel alerts={wall.alerts} atMs={wall.atMs} />
    </div>
  );
});
