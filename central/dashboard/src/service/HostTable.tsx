import { duration, percent, rate } from '../format';
import { useTexts } from '../i18n/language';
import type { Host } from '../live/protocol';
import { DataTable, type Column } from '../ui/DataTable';
import { FigureText } from '../ui/FigureText';

/** Hosts that served it, so that one bad host of twenty is named. */
export function HostTable({ hosts, total }: { hosts: readonly Host[]; total: number }) {
  const texts = useTexts();
  const columns: Column<Host>[] = [
    { head: texts.service.host, names: true, cell: (host) => host.host },
    {
      head: texts.service.errors,
      number: true,
      cell: (host) => <FigureText figure={percent(host.errors)} />,
    },
    {
      head: 'p95',
      number: true,
      cell: (host) => <FigureText figure={duration(host.p95_ms === null ? null : host.p95_ms / 1000)} />,
    },
    { head: texts.service.traffic, number: true, cell: (host) => <FigureText figure={rate(host.traffic)} /> },
    {
      head: texts.service.saturation,
      number: true,
      cell: (host) => (
        <>
          {host.saturation_of !== null && (
            <span className="quiet">{texts.fullest[host.saturation_of] ?? host.saturation_of} </span>
          )}
          <FigureText figure={percent(host.saturation)} />
        </>
      ),
    },
  ];
  return (
    <DataTable
      title={texts.service.hosts}
      detail={texts.service.hostsDetail}
      columns={columns}
      rows={hosts}
      keyOf={(host) => host.host}
      empty={texts.service.noHosts}
      more={total > hosts.length ? texts.service.moreHosts(total - hosts.length) : null}
    />
  );
}
