/** The filter: typed tokens with completion, kept in the URL. */

import { useId, useState, type RefObject } from 'react';
import { completions } from '../filter';
import { subjectOf } from '../home/subject';
import { useTexts } from '../i18n/language';
import type { Wall } from '../live/wall';
import { setParameter, useParameter } from '../url';

/** See the module. */
export function FilterField(props: { wall: Wall | null; field: RefObject<HTMLInputElement | null> }) {
  const { wall, field } = props;
  const texts = useTexts();
  const text = useParameter('q') ?? '';
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const listId = useId();
  const offers = open && wall !== null ? completions(text, [...wall.services.values()].map(subjectOf)) : [];

  const change = (next: string) => {
    setParameter('q', next);
    setChosen(-1);
    setOpen(true);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setOpen(true);
      if (offers.length > 0)
        setChosen((chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length);
    } else if (
      event.key === 'Enter' ||
      (event.key === 'Tab' && !event.shiftKey && offers.length > 0 && text !== '')
    ) {
      // Tab takes the first offer unless another is chosen; Enter takes only what was chosen.
      const offer = offers[event.key === 'Tab' ? Math.max(0, chosen) : chosen];
      if (offer === undefined) {
        setOpen(false);
      } else {
        event.preventDefault();
        change(offer);
      }
    } else if (event.key === 'Escape') {
      if (offers.length > 0) setOpen(false);
      else field.current?.blur();
    }
  };

  return (
    <div className="filter" role="search">
      <label className="sr-only" htmlFor={`${listId}-field`}>
        {texts.filter}
      </label>
      <input
        id={`${listId}-field`}
        ref={field}
        type="text"
        value={text}
        placeholder={`${texts.filter}  ${texts.filterPlaceholder}`}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        role="combobox"
        aria-expanded={offers.length > 0}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
        aria-keyshortcuts="/"
        onChange={(event) => change(event.target.value)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {text === '' ? (
        <kbd className="filter-key" aria-hidden="true">
          /
        </kbd>
      ) : (
        <button
          type="button"
          className="filter-clear"
          onClick={() => change('')}
          aria-label={texts.filterClear}
        >
          ×
        </button>
      )}
      <ul
        id={listId}
        className="offers"
        role="listbox"
        aria-label={texts.filterCompletions}
        hidden={offers.length === 0}
      >
        {offers.map((offer, place) => (
          <li
            key={offer}
            id={`${listId}-${place}`}
            role="option"
            aria-selected={place === chosen}
            onPointerDown={(event) => {
              // Keeps the focus in the field.
              event.preventDefault();
              change(offer);
            }}
          >
            {offer.trim().split(/\s+/).at(-1)}
          </li>
        ))}
      </ul>
    </div>
  );
}
