import { objectivePercent, plain, rate, span } from '../format';
import { ends, reached } from '../home/reached';
import { useTexts } from '../i18n/language';
import type { SloStatus } from '../live/protocol';
import { StateMark } from '../ui/StateMark';
import { stateOfRule } from '../ui/states';

/** All rules over a service, the worst first. `atMs` is the central's clock. */
export function RuleTable({ slos, atMs }: { slos: readonly SloStatus[]; atMs: number }) {
  const texts = useTexts();
  return (
    <section className="table-box">
      <header>
        <h2>{texts.service.rules}</h2>
      </header>
      {slos.length === 0 ? (
        <p className="quiet">{texts.service.noRules}</p>
      ) : (
        <div className="table-scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">{texts.service.state}</th>
                <th scope="col">{texts.service.rule}</th>
                <th scope="col" className="number">
                  {texts.service.compliance}
                </th>
                <th scope="col" className="number">
                  {texts.service.objective}
                </th>
                <th scope="col" className="number">
                  {texts.service.budget}
                </th>
                <th scope="col" className="number">
                  {texts.service.window}
                </th>
              </tr>
            </thead>
            <tbody>
              {slos.map((slo) => {
                const state = stateOfRule(slo);
                const part = [slo.method, slo.endpoint, slo.host].filter((name) => name !== null).join(' ');
                return (
                  <tr key={slo.key}>
                    <td>
                      <span className={`rule-state tone-${state}`}>
                        <StateMark state={state} /> {texts.state[state]}
                      </span>{' '}
                      <span className="quiet">{span(atMs - slo.since_ms, texts.units)}</span>
                    </td>
                    <th scope="row">
                      {slo.rule}
                      {part !== '' && <span className="quiet"> {part}</span>}
                    </th>
                    <td className="number" title={texts.sloEnds(ends(slo))}>
                      {reached(slo)}
                    </td>
                    <td className="number">
                      {slo.signal === 'traffic'
                        ? plain(rate(slo.objective))
                        : `${objectivePercent(slo.objective)}%`}
                    </td>
                    <td className="number">
                      {slo.budget_left === null
                        ? '–'
                        : `${Math.round(slo.budget_left * 100)}%`.replace('-', '−')}
                    </td>
                    <td className="number">{span(slo.window_s * 1000, texts.units)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
