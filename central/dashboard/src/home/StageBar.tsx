/**
 * The way of the request that tipped the rule, as a thin bar: one piece a stage, from its end to the
 * first delivery. All bars share one scale whose end is the promised golden time, so that two alerts
 * can be compared by eye.
 */

import { useState } from 'react';
import { milliseconds } from '../format';
import { useTexts } from '../i18n/language';
import type { Alert, Stages } from '../live/protocol';

/** What the product promises at most, and the end of the bar's scale. */
export const PROMISE_MS = 500;

const STAGES = ['occurred', 'flushed', 'received', 'merged', 'evaluated', 'dispatched', 'delivered'] as const;

/** Name of a stage. */
export type StageName = (typeof STAGES)[number];

/** One piece of the bar. */
export interface Piece {
  /** The stage that ends it. */
  stage: StageName;
  /** Milliseconds since `occurred` at which it begins and ends. */
  fromMs: number;
  toMs: number;
}

/** Pieces of a way in order; stages that were not passed are left out. */
export function pieces(stages: Stages): Piece[] {
  const start = stages.occurred_ms;
  if (start === null) return [];
  const found: Piece[] = [];
  let from = 0;
  for (const stage of STAGES.slice(1)) {
    const at = stages[`${stage}_ms`];
    if (at === null) continue;
    // Clocks of two machines may disagree by a little: a piece never runs backwards.
    const to = Math.max(from, at - start);
    found.push({ stage, fromMs: from, toMs: to });
    from = to;
  }
  return found;
}

/** See the module. The stages of the `newest` alert stand open until somebody closes them. */
export function StageBar({ alert, newest }: { alert: Alert; newest: boolean }) {
  const texts = useTexts();
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? newest;
  const way = pieces(alert.stages);
  if (way.length === 0) return null;
  const total = way.at(-1)?.toMs ?? 0;
  const end = Math.max(PROMISE_MS, total);
  const words = alert.golden_time_ms === null ? texts.notDelivered : milliseconds(alert.golden_time_ms);
  return (
    <div className="stages">
      <button
        type="button"
        className="stages-toggle"
        aria-expanded={open}
        onClick={() => setChosen(!open)}
        title={`${texts.goldenTimeMeaning} · ${texts.goldenPromise}`}
      >
        <svg className="stages-bar" viewBox={`0 0 ${end} 6`} preserveAspectRatio="none" aria-hidden="true">
          <rect className="stages-track" width={end} height="6" />
          {way.map((piece, place) => (
            <rect
              key={piece.stage}
              className={`stages-piece stages-piece-${place % 2}`}
              x={piece.fromMs}
              width={Math.max(piece.toMs - piece.fromMs, end / 200)}
              height="6"
            />
          ))}
          {total > PROMISE_MS && <path className="stages-promise" d={`M${PROMISE_MS} 0V6`} />}
        </svg>
        <span className="stages-total">
          <span className="sr-only">{texts.goldenTime}: </span>
          {words}
          {alert.occurred_is_coarse && <span title={texts.coarse}> ±1 s</span>}
        </span>
      </button>
      {open && (
        <table className="stages-table">
          <tbody>
            {way.map((piece) => (
              <tr key={piece.stage}>
                <th scope="row">{texts.stage[piece.stage]}</th>
                <td>+{milliseconds(piece.toMs - piece.fromMs)}</td>
                <td>{milliseconds(piece.toMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
