/** The bar: name, filter, age of the data, agents, account, language, theme, help. */

import type { RefObject } from 'react';
import { AccountMenu } from '../access/AccountMenu';
import type { SessionStore } from '../access/session';
import { useTexts } from '../i18n/language';
import type { Link } from '../live/connection';
import type { Freshness } from '../live/freshness';
import type { Wall } from '../live/wall';
import { Brand } from './Brand';
import { DataAge } from './DataAge';
import { FilterField } from './FilterField';
import { Preferences } from './Preferences';

/** See the module. */
export function TopBar(props: {
  wall: Wall | null;
  link: Link;
  fresh: Freshness;
  filterField: RefObject<HTMLInputElement | null>;
  session: SessionStore;
  onHelp: () => void;
}) {
  const { wall, link, fresh, filterField, session, onHelp } = props;
  const texts = useTexts();
  return (
    <header className="bar">
      <Brand />
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
        <AccountMenu store={session} />
        <Preferences />
        <button type="button" className="plain bar-help" onClick={onHelp} aria-keyshortcuts="?">
          {texts.help} <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}
