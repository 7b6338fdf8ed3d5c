/** The corner that says whether what one sees is now. */

import { span } from '../format';
import { useTexts } from '../i18n/language';
import type { Link } from '../live/connection';
import type { Freshness } from '../live/freshness';

/** See the module. */
export function DataAge({ link, fresh }: { link: Link; fresh: Freshness }) {
  const texts = useTexts();
  const word =
    link.state === 'live'
      ? fresh.stale
        ? texts.behind
        : texts.live
      : link.state === 'connecting'
        ? texts.connecting
        : texts.reconnecting;
  const age =
    fresh.ageMs === null
      ? null
      : fresh.ageMs < 9_950
        ? texts.seconds((fresh.ageMs / 1000).toFixed(1))
        : span(fresh.ageMs, texts.units);
  return (
    <span
      className="age"
      data-link={link.state}
      data-stale={fresh.stale ? '' : undefined}
      title={`${texts.dataAge}: ${texts.dataAgeMeaning}`}
      data-testid="age"
    >
      <span className="age-mark" aria-hidden="true" />
      <span className="age-word">{word}</span>
      {age !== null && (
        <>
          <span className="sr-only">{texts.dataAge}</span>
          <span className="age-value">{age}</span>
        </>
      )}
    </span>
  );
}
