/** The worst SLO of a service: what it reaches against what it should, and the budget left. */

import { besideService, objectivePercent, plain, rate } from '../format';
import { useTexts } from '../i18n/language';
import type { SloStatus } from '../live/protocol';
import { StateMark } from '../ui/StateMark';
import { stateOfRule } from '../ui/states';
import { ends, isFloor, reached } from './reached';

/** See the module. `slos` stand worst first. */
export function SloCell({ slos, service }: { slos: readonly SloStatus[]; service: string }) {
  const texts = useTexts();
  const slo = slos[0];
  if (slo === undefined) {
    return (
      <div role="cell" className="cell-slo">
        <span className="cell-label">{texts.column.slo}</span>
        <span className="quiet">{texts.noSlo}</span>
      </div>
    );
  }
  const state = stateOfRule(slo);
  const settled = state !== 'no_data' && slo.sli !== null;
  return (
    <div role="cell" className="cell-slo">
      <span className="cell-label">{texts.column.slo}</span>
      <div className="slo-line">
        {state !== 'ok' && <StateMark state={state} />}
        <span className={`slo-reached tone-${state}`} title={settled ? texts.sloEnds(ends(slo)) : undefined}>
          {settled ? reached(slo) : texts.state[state]}
        </span>
        <span className="quiet">
          {isFloor(slo)
            ? texts.floorOf(plain(rate(slo.objective)))
            : texts.objectiveOf(objectivePercent(slo.objective))}
        </span>
        {slos.length > 1 && <span className="quiet slo-more">{texts.moreSlos(slos.length - 1)}</span>}
      </div>
      <div className="slo-line quiet">
        <span className="slo-name" title={slo.slo ?? slo.rule}>
          {besideService(slo.slo ?? slo.rule, service)}
        </span>
        {slo.budget_left !== null && settled && (
          <span className="slo-budget" title={texts.budgetLeftLong}>
            {slo.budget_left > 0
              ? texts.budgetLeft(`${Math.round(slo.budget_left * 100)}%`)
              : texts.budgetSpent}
          </span>
        )}
      </div>
    </div>
  );
}
