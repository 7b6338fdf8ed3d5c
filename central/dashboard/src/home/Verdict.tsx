/** The top left of the page: is it bad, what, since when; and the states as filters. */

import { toggleToken } from '../filter';
import { besideService, span, timeOfDay } from '../format';
import { useTexts } from '../i18n/language';
import type { Service, State } from '../live/protocol';
import type { Wall } from '../live/wall';
import { StateMark } from '../ui/StateMark';
import { STATES } from '../ui/states';
import { serviceHref, setParameter, useParameter } from '../url';

/** See the module. */
export function Verdict({ wall, services }: { wall: Wall; services: readonly Service[] }) {
  const texts = useTexts();
  const filter = useParameter('q') ?? '';
  const counts = new Map<State, number>();
  for (const service of services) counts.set(service.state, (counts.get(service.state) ?? 0) + 1);
  const worst = STATES.find((state) => counts.has(state)) ?? 'ok';
  const judged = wall.central.rules.loaded > 0;
  const bad = worst === 'ok' ? [] : services.filter((service) => service.state === worst);

  return (
    <section className="verdict" data-testid="verdict">
      <div className="verdict-words">
        <h1>
          <StateMark state={worst} />
          {worst !== 'ok'
            ? texts.verdict[worst](counts.get(worst) ?? 0)
            : judged
              ? texts.allWell
              : texts.nothingJudged}
        </h1>
        {bad.length > 0 ? (
          <p>
            {bad.slice(0, 3).map((service) => (
              <span key={service.id} className="verdict-case">
                <a href={serviceHref(service.id)}>{service.service}</a>
                {service.reason !== null && ` ${besideService(service.reason, service.service)}`}
                {service.since_ms !== null && (
                  <span className="quiet">
                    {' '}
                    {texts.since(timeOfDay(service.since_ms))} ({span(wall.atMs - service.since_ms, texts.units)})
                  </span>
                )}
              </span>
            ))}
          </p>
        ) : (
          <p className="quiet">
            {judged
              ? texts.allWellDetail(services.length, wall.central.rules.loaded)
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
