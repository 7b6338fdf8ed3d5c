/** The bar: name, filter, age of the data, agents, language, theme, help. */

import type { RefObject } from 'react';
import { LANGUAGE_NAMES, type Language } from '../i18n/glossary';
import { chooseLanguage, useLanguage, useTexts } from '../i18n/language';
import type { Link } from '../live/connection';
import type { Freshness } from '../live/freshness';
import type { Wall } from '../live/wall';
import { chooseTheme, useTheme } from '../theme';
import { DataAge } from './DataAge';
import { FilterField } from './FilterField';

/** See the module. */
export function TopBar(props: {
  wall: Wall | null;
  link: Link;
  fresh: Freshness;
  filterField: RefObject<HTMLInputElement | null>;
  onHelp: () => void;
}) {
  const { wall, link, fresh, filterField, onHelp } = props;
  const texts = useTexts();
  const language = useLanguage();
  const theme = useTheme();
  const other: Language = language === 'en' ? 'ko' : 'en';
  const otherTheme = theme.effective === 'dark' ? 'light' : 'dark';
  return (
    <header className="bar">
      <a className="brand" href="#/" aria-label={`Goldentime, ${texts.home}`}>
        <svg viewBox="0 0 24 16" width="24" height="16" aria-hidden="true">
          <path
            d="M1 10h5l3-8 4 12 3-6h7"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.75"
            strokeLinejoin="round"
          />
        </svg>
        Goldentime
      </a>
      <FilterField wall={wall} field={filterField} />
      <div className="bar-end">
        {wall !== null && (
          <span
            className="bar-agents"
            title={texts.agentsLong(wall.central.agents.connected, wall.central.agents.total)}
          >
            {texts.agents(wall.central.agents.connected, wall.central.agents.total)}
          </span>
        )}
        <DataAge link={link} fresh={fresh} />
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
        <button type="button" className="plain bar-help" onClick={onHelp} aria-keyshortcuts="?">
          {texts.help} <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}
