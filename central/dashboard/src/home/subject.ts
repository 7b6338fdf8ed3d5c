import type { Subject } from '../filter';
import type { Service } from '../live/protocol';

/** What the filter sees of a service. */
export function subjectOf(service: Service): Subject {
  return {
    service: [service.service],
    env: [service.environment],
    project: [service.project],
    state: [service.state],
    host: service.hosts.map((host) => host.host),
  };
}
