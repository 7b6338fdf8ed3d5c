import { useTexts } from '../i18n/language';
import { setParameter } from '../url';

/** What stands in the wall's place when the filter leaves nothing. */
export function NothingMatches({ total }: { total: number }) {
  const texts = useTexts();
  return (
    <div className="empty">
      <strong>{texts.nothingMatches}</strong>
      <p>{texts.nothingMatchesDetail(total)}</p>
      <button type="button" onClick={() => setParameter('q', null)}>
        {texts.filterClear}
      </button>
    </div>
  );
}
