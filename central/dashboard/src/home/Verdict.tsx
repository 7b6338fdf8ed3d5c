/** The top left of the page: is it bad, what, since when; and the states as filters. */

import { toggleToken } from '../filter';
import { besideService, moment, span } from '../format';
import { useTexts } from '../i18n/language';
import type { Freshness } from '../live/freshness';
import type { Service, State } from '../live/protocol';
import type { Wall } from '../live/wall';
import { StateMark } from '../ui/StateMark';
import { STATES } from '../ui/states';
import { nameOf } from './subject';
import { serviceHref, setParameter, useParameter } from '../url';

/** See the module. */
export function Verdict(props: { wall: Wall; services: readonly Service[]; fresh: Freshness }) {
  const { wall, services, fresh } = props;
  const texts = useTexts();
  const filter = useParameter('q') ?? '';
  const counts = new Map<State, number>();
  for (const service of services) counts.set(service.state, (counts.get(service.state) ?? 0) + 1);
  const worst = STATES.find((state) => counts.has(state)) ?? 'ok';
  const hosts = services.filter((service) => service.kind === 'host').length;
  const judged = wall.central.rules.loaded > 0;
  // Old data that was well says nothing of now: to call that well would be silent blindness.
  const blind = worst === 'ok' && judged && fresh.stale && fresh.ageMs !== null ? fresh.ageMs : null;
  const bad = worst === 'ok' ? [] : services.filter((service) => service.state === worst);

  return (
    <section className="verdict" data-testid="verdict">
      <div className="verdict-words">
        <h1>
          <StateMark state={blind === null ? worst : 'unknown'} />
          {worst !== 'ok'
            ? texts.verdict[worst](counts.get(worst) ?? 0)
            : judged
              ? blind === null
                ? texts.allWell
                : texts.wasWell
              : texts.nothingJudged}
        </h1>
        {bad.length > 0 ? (
          <p>
            {bad.slice(0, 3).map((service) => (
              <span key={service.id} className="verdict-case">
                <a href={serviceHref(service.id)}>{nameOf(service)}</a>
                {service.reason !== null && ` ${besideService(service.reason, service.service)}`}
                {service.since_ms !== null && (
                  <span className="quiet">
                    {' '}
                    {texts.since(moment(service.since_ms, wall.atMs))} (
                    {span(wall.atMs - service.since_ms, texts.units)})
                  </span>
                )}
              </span>
            ))}
          </p>
        ) : (
          <p className="quiet">
            {judged
              ? blind === null
                ? texts.allWellDetail(services.length - hosts, hosts, wall.central.rules.loaded)
                : texts.wasWellDetail(span(blind, texts.units))
              : texts.nothingJudgedDetail}
          </p>
        )}
      </div>
      <ul className="verdict-states" aria-label={texts.statesLabel}>
        {STATES.filter((state) => counts.has(state)).map((state) => {
          const token = `state:${state}`;
          const on = filter.split(/\s+/).includes(token);
          return (
            <li key={state}>
              <button
                type="button"
                className="chip"
                aria-pressed={on}
                title={texts.stateMeaning[state]}
                onClick={() => setParameter('q', toggleToken(filter, token))}
              >
                <StateMark state={state} />
                <span className="chip-count">{counts.get(state)}</span> {texts.state[state]}
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
