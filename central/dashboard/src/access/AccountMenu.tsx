/** In the bar: who is signed in, and how to leave. Without accounts: that it is open, and how to change it. */

import { useEffect, useId, useRef, useState } from 'react';
import { useTexts } from '../i18n/language';
import { useSession, type SessionStore } from './session';

/** See the module. */
export function AccountMenu({ store }: { store: SessionStore }) {
  const texts = useTexts().access;
  const session = useSession(store);
  const id = useId();
  const [open, setOpen] = useState(false);
  const [failed, setFailed] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const leave = (event: PointerEvent | FocusEvent) => {
      if (event.target instanceof Node && place.current?.contains(event.target) === false) setOpen(false);
    };
    document.addEventListener('pointerdown', leave);
    document.addEventListener('focusin', leave);
    return () => {
      document.removeEventListener('pointerdown', leave);
      document.removeEventListener('focusin', leave);
    };
  }, [open]);

  if (session.state !== 'open' && session.state !== 'signed_in') return null;
  const signOut = () => {
    setFailed(false);
    store.signOut().catch(() => setFailed(true));
  };
  return (
    <div
      className="account"
      ref={place}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        type="button"
        ref={button}
        className="plain account-button"
        aria-expanded={open}
        aria-controls={id}
        aria-label={session.state === 'open' ? texts.open : texts.accountOf(session.name)}
        onClick={() => setOpen(!open)}
        data-testid="account"
      >
        {session.state === 'open' ? texts.openShort : session.name}
      </button>
      {open && (
        <div className="account-panel" id={id}>
          {session.state === 'open' ? (
            <>
              <strong>{texts.open}</strong>
              <p>{texts.openDetail}</p>
              <pre className="account-command" tabIndex={0}>
                goldentime-central setup-link
              </pre>
            </>
          ) : (
            <>
              <strong>{session.name}</strong>
              <p>{texts.roleMeaning[session.role]}</p>
              {failed && <p role="alert">{texts.refusal('unreachable', null)}</p>}
              <button type="button" onClick={signOut} data-testid="sign-out">
                {texts.signOut}
              </button>
            </>
          )}
        </div>
      )}
    </div>
  );
}
