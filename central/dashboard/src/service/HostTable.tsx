import { duration, percent, rate } from '../format';
import { useTexts } from '../i18n/language';
import type { Host } from '../live/protocol';
import { FigureText } from '../ui/FigureText';

/** Hosts that served it, so that one bad host of twenty is named. */
export function HostTable({ hosts, total }: { hosts: readonly Host[]; total: number }) {
  const texts = useTexts();
  return (
    <section className="table-box">
      <header>
        <h2>{texts.service.hosts}</h2>
        <span className="quiet">{texts.service.hostsDetail}</span>
      </header>
      {hosts.length === 0 ? (
        <p className="quiet">{texts.service.noHosts}</p>
      ) : (
        <div className="table-scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">{texts.service.host}</th>
                <th scope="col" className="number">
                  {texts.service.errors}
                </th>
                <th scope="col" className="number">
                  p95
                </th>
                <th scope="col" className="number">
                  {texts.service.traffic}
                </th>
                <th scope="col" className="number">
                  {texts.service.saturation}
                </th>
              </tr>
            </thead>
            <tbody>
              {hosts.map((host) => (
                <tr key={host.host}>
                  <th scope="row">{host.host}</th>
                  <td className="number">
                    <FigureText figure={percent(host.errors)} />
                  </td>
                  <td className="number">
                    <FigureText figure={duration(host.p95_ms === null ? null : host.p95_ms / 1000)} />
                  </td>
                  <td className="number">
                    <FigureText figure={rate(host.traffic)} />
                  </td>
                  <td className="number">
                    {host.saturation_of !== null && (
                      <span className="quiet">
                        {texts.fullest[host.saturation_of] ?? host.saturation_of}{' '}
                      </span>
                    )}
                    <FigureText figure={percent(host.saturation)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {total > hosts.length && <p className="quiet">{texts.service.moreHosts(total - hosts.length)}</p>}
    </section>
  );
}
