/** A state's sign: each has a shape of its own, so that colour is never the only difference. */

import type { State } from '../live/protocol';

const SHAPES: Record<State, React.ReactNode> = {
  // An octagon: stop.
  critical: <path d="M4.2 .8h5.6l3.4 3.4v5.6l-3.4 3.4H4.2L.8 9.8V4.2z" fill="currentColor" />,
  warning: <path d="M7 1l6.3 11.6H.7z" fill="currentColor" />,
  unknown: <path d="M7 .6L13.4 7 7 13.4.6 7z" fill="currentColor" />,
  pending: <path d="M7 2l5.2 9.8H1.8z" fill="none" stroke="currentColor" strokeWidth="1.5" />,
  no_data: (
    <circle
      cx="7"
      cy="7"
      r="5"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeDasharray="2.6 1.6"
    />
  ),
  ok: <circle cx="7" cy="7" r="3" fill="currentColor" />,
};

/** The sign alone; the word stands beside it wherever it is used. */
export function StateMark({ state }: { state: State }) {
  return (
    <svg className={`mark tone-${state}`} viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
      {SHAPES[state]}
    </svg>
  );
}
