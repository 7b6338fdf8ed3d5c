import { objectivePercent, plain, rate, span } from '../format';
import { ends, isFloor, reached } from '../home/reached';
import { useTexts } from '../i18n/language';
import type { SloStatus } from '../live/protocol';
import { DataTable, type Column } from '../ui/DataTable';
import { StateMark } from '../ui/StateMark';
import { stateOfRule } from '../ui/states';

/** All rules over a service, the worst first, then those over several that count it. `atMs` is the central's clock. */
export function RuleTable({ slos, atMs }: { slos: readonly SloStatus[]; atMs: number }) {
  const texts = useTexts();
  const columns: Column<SloStatus>[] = [
    {
      head: texts.service.state,
      cell: (slo) => {
        const state = stateOfRule(slo);
        return (
          <>
            <span className={`rule-state tone-${state}`}>
              <StateMark state={state} /> {texts.state[state]}
            </span>{' '}
            <span className="quiet">{span(atMs - slo.since_ms, texts.units)}</span>
          </>
        );
      },
    },
    {
      head: texts.service.rule,
      names: true,
      cell: (slo) => {
        const part = [slo.method, slo.endpoint, slo.host].filter((name) => name !== null).join(' ');
        return (
          <>
            {slo.rule}
            {part !== '' && <span className="quiet"> {part}</span>}
            {slo.services !== undefined && (
              <span className="quiet"> {texts.service.together(slo.services)}</span>
            )}
          </>
        );
      },
    },
    {
      head: texts.service.compliance,
      number: true,
      cell: reached,
      title: (slo) => texts.sloEnds(ends(slo)),
    },
    {
      head: texts.service.objective,
      number: true,
      cell: (slo) => (isFloor(slo) ? plain(rate(slo.objective)) : `${objectivePercent(slo.objective)}%`),
    },
    {
      head: texts.service.budget,
      number: true,
      cell: (slo) => {
        if (slo.budget_left === null) return '–';
        return slo.budget_left > 0 ? `${Math.round(slo.budget_left * 100)}%` : texts.service.budgetSpent;
      },
    },
    { head: texts.service.window, number: true, cell: (slo) => span(slo.window_s * 1000, texts.units) },
  ];
  return (
    <DataTable
      title={texts.service.rules}
      columns={columns}
      rows={slos}
      keyOf={(slo) => slo.key}
      empty={texts.service.noRules}
    />
  );
}
