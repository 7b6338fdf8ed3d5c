/** The last ten alerts, newest first, as they come. */

import { useEffect, useRef, useState } from 'react';
import { useTexts } from '../i18n/language';
import type { Alert } from '../live/protocol';
import { AlertItem } from './AlertItem';

/** See the module. `atMs` is the central's clock. */
export function AlertPanel({ alerts, atMs }: { alerts: readonly Alert[]; atMs: number }) {
  const texts = useTexts();
  return (
    <section className="alerts" aria-labelledby="alerts-title">
      <header className="alerts-head">
        <h2 id="alerts-title">{texts.alerts}</h2>
        <span className="quiet" title={texts.goldenTimeMeaning}>
          {texts.goldenTime}
        </span>
      </header>
      {alerts.length === 0 ? (
        <div className="alerts-none">
          <strong>{texts.noAlerts}</strong>
          <p>{texts.noAlertsDetail}</p>
        </div>
      ) : (
        <ol className="alerts-list">
          {alerts.map((alert, place) => (
            <AlertItem key={alert.episode} alert={alert} atMs={atMs} newest={place === 0} />
          ))}
        </ol>
      )}
      <Announcement alerts={alerts} />
    </section>
  );
}

/** Reads to a screen reader what began or ended since the page was opened. */
function Announcement({ alerts }: { alerts: readonly Alert[] }) {
  const texts = useTexts();
  const known = useRef<Map<string, string> | null>(null);
  const [words, setWords] = useState('');
  useEffect(() => {
    const before = known.current;
    known.current = new Map(alerts.map((alert) => [alert.episode, alert.status]));
    if (before === null) return;
    const news = alerts.filter((alert) => before.get(alert.episode) !== alert.status);
    if (news.length === 0) return;
    setWords(
      news
        .map((alert) =>
          texts.alertAnnouncement(
            texts.alertStatus[alert.status],
            alert.labels.alertname ?? '',
            alert.labels.service ?? '',
          ),
        )
        .join('. '),
    );
  }, [alerts, texts]);
  return (
    <p className="sr-only" aria-live="assertive" role="status">
      {words}
    </p>
  );
}
