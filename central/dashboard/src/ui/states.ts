import type { State } from '../live/protocol';

/** All states, the worst first. */
export const STATES: readonly State[] = ['critical', 'warning', 'unknown', 'pending', 'no_data', 'ok'];

/** The state that a rule's status is shown as. */
export function stateOfRule(rule: { state: string; severity: 'warning' | 'critical' }): State {
  switch (rule.state) {
    case 'firing':
      return rule.severity;
    case 'pending':
    case 'unknown':
    case 'no_data':
    case 'ok':
      return rule.state;
    default:
      return 'unknown';
  }
}
