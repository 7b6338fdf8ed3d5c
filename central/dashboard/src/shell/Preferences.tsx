/** The other language and the other theme. */

import { LANGUAGE_NAMES, type Language } from '../i18n/glossary';
import { chooseLanguage, useLanguage, useTexts } from '../i18n/language';
import { chooseTheme, useTheme } from '../theme';

/** See the module. */
export function Preferences() {
  const texts = useTexts();
  const language = useLanguage();
  const theme = useTheme();
  const other: Language = language === 'en' ? 'ko' : 'en';
  const otherTheme = theme.effective === 'dark' ? 'light' : 'dark';
  return (
    <>
      <button
        type="button"
        className="plain"
        lang={other}
        aria-label={`${texts.language}: ${LANGUAGE_NAMES[other]}`}
        onClick={() => chooseLanguage(other)}
        data-testid="language"
      >
        {LANGUAGE_NAMES[other]}
      </button>
      <button
        type="button"
        className="plain"
        aria-label={`${texts.theme}: ${texts.themeName[otherTheme]}`}
        onClick={() => chooseTheme(otherTheme)}
        data-testid="theme"
      >
        {texts.themeName[otherTheme]}
      </button>
    </>
  );
}
