import type { Subject } from '../filter';
import type { Service } from '../live/protocol';

/** What a row is called: a host's own row by the host's name, without the prefix of its service. */
export function nameOf(service: Service): string {
  return service.kind === 'host' ? service.service.replace(/^host:/, '') : service.service;
}

/** What the filter sees of a service. */
export function subjectOf(service: Service): Subject {
  return {
    service: [service.service],
    env: [service.environment],
    project: [service.project],
    state: [service.state],
    host: service.kind === 'host' ? [nameOf(service)] : service.hosts.map((host) => host.host),
  };
}
