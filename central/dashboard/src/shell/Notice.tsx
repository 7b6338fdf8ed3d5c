import type { ReactNode } from 'react';
import type { State } from '../live/protocol';
import { StateMark } from '../ui/StateMark';

/** A line across the page: what happened, what it means, what to do. */
export function Notice(props: { state: State; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={`notice notice-${props.state}`} role="status">
      <StateMark state={props.state} />
      <div className="notice-text">
        <strong>{props.title}</strong>
        {props.children !== undefined && <span>{props.children}</span>}
      </div>
      {props.action}
    </div>
  );
}
