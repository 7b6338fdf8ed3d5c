/** The sheet of keys and marks. */

import { useEffect, useRef } from 'react';
import { useTexts } from '../i18n/language';
import type { State } from '../live/protocol';
import { StateMark } from '../ui/StateMark';
import { STATES } from '../ui/states';

/** See the module. */
export function HelpSheet({ onClose }: { onClose: () => void }) {
  const texts = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="sheet"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
      onKeyDown={(event) => {
        if (event.key === '?') dialog.current?.close();
      }}
    >
      <div className="sheet-body">
        <header>
          <h2 id="help-title">{texts.help}</h2>
          <button type="button" className="plain" onClick={() => dialog.current?.close()}>
            {texts.close} <kbd>Esc</kbd>
          </button>
        </header>
        <dl className="keys">
          {texts.helpRows.map(([keys, meaning]) => (
            <div key={keys}>
              <dt>
                {keys.split(/\s+/).map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <h2>{texts.helpMarks}</h2>
        <dl className="marks">
          {STATES.map((state: State) => (
            <div key={state}>
              <dt>
                <StateMark state={state} /> {texts.state[state]}
              </dt>
              <dd>{texts.stateMeaning[state]}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}
