/** One alert: what, where, since when, and the way it took. */

import { moment, span } from '../format';
import type { Language } from '../i18n/glossary';
import { useLanguage, useTexts } from '../i18n/language';
import type { Alert } from '../live/protocol';
import { StateMark } from '../ui/StateMark';
import { serviceHref } from '../url';
import { StageBar } from './StageBar';

/** A link of an alert is followed only where it leads to a web page. */
function webLink(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\//i.test(text) ? text : null;
}

/** The first line in the viewer's language, where the central wrote one. */
function summaryOf(annotations: Alert['annotations'], language: Language): string | undefined {
  return (language === 'ko' ? annotations.summary_ko : undefined) ?? annotations.summary;
}

/** See the module. `atMs` is the central's clock. */
export function AlertItem({ alert, atMs, newest }: { alert: Alert; atMs: number; newest: boolean }) {
  const texts = useTexts();
  const { labels, annotations } = alert;
  const firing = alert.status === 'firing';
  const parts = [labels.project, labels.environment, labels.service];
  const where = [labels.method, labels.endpoint, labels.host].filter(
    (part) => part !== undefined && part !== '',
  );
  const summary = summaryOf(annotations, useLanguage());
  const runbook = webLink(annotations.runbook_url);
  return (
    <li className="alert" data-status={alert.status} data-severity={alert.severity}>
      <div className="alert-head">
        <StateMark state={firing ? alert.severity : 'ok'} />
        <span className={`alert-status ${firing ? `tone-${alert.severity}` : ''}`}>
          {firing ? texts.state[alert.severity] : texts.alertStatus.resolved}
        </span>
        <span className="alert-name" title={labels.alertname}>
          {labels.alertname}
        </span>
        <time className="alert-time" dateTime={new Date(alert.starts_at_ms).toISOString()}>
          {moment(alert.starts_at_ms, atMs)}
        </time>
      </div>
      <div className="alert-what">
        {parts.every((part) => part !== undefined) ? (
          <a href={serviceHref(parts.join('/'))}>{labels.service}</a>
        ) : (
          <span>{labels.service ?? labels.slo}</span>
        )}
        {where.length > 0 && <span className="alert-where">{where.join(' ')}</span>}
        <span className="quiet alert-since">
          {alert.ends_at_ms === null
            ? span(atMs - alert.starts_at_ms, texts.units)
            : texts.lasted(span(alert.ends_at_ms - alert.starts_at_ms, texts.units))}
        </span>
      </div>
      {(summary !== undefined || runbook !== null) && (
        <p className="alert-summary">
          {summary}{' '}
          {runbook !== null && (
            <a href={runbook} target="_blank" rel="noreferrer noopener">
              {texts.runbook}
            </a>
          )}
        </p>
      )}
      <StageBar alert={alert} newest={newest} />
    </li>
  );
}
