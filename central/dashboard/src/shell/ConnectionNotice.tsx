/** What the page says while it has no connection. */

import { timeOfDay } from '../format';
import { useTexts } from '../i18n/language';
import type { Link } from '../live/connection';
import { Notice } from './Notice';

/** A loss that heals within this time is not worth a banner; the corner shows it. */
const PATIENCE_MS = 1_000;

/** See the module. */
export function ConnectionNotice(props: {
  link: Link;
  outdated: boolean;
  hasWall: boolean;
  nowMs: number;
  onRetry: () => void;
}) {
  const { link, outdated, hasWall, nowMs, onRetry } = props;
  const texts = useTexts();
  if (outdated) {
    return (
      <Notice
        state="warning"
        title={texts.outdated}
        action={
          <button type="button" onClick={() => window.location.reload()}>
            {texts.reload}
          </button>
        }
      >
        {texts.outdatedDetail}
      </Notice>
    );
  }
  if (link.state === 'connecting') {
    return (
      <Notice state="no_data" title={texts.connecting}>
        {texts.connectingDetail}
      </Notice>
    );
  }
  if (link.state !== 'reconnecting' || (hasWall && nowMs - link.sinceMs < PATIENCE_MS)) return null;
  const retry =
    link.retryAtMs === null
      ? texts.retrying
      : texts.retryIn(texts.seconds(Math.max(0, Math.ceil((link.retryAtMs - nowMs) / 1000)).toString()));
  return (
    <Notice
      state="unknown"
      title={hasWall ? texts.reconnecting : texts.neverConnected}
      action={
        <button type="button" onClick={onRetry} disabled={link.retryAtMs === null}>
          {texts.retryNow}
        </button>
      }
    >
      {hasWall ? texts.reconnectingDetail(timeOfDay(link.sinceMs), retry) : texts.neverConnectedDetail(retry)}
    </Notice>
  );
}
