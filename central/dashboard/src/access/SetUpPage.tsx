/** Where a set-up link leads: its holder chooses name and password, and is signed in. */

import { useEffect, useState } from 'react';
import { useTexts } from '../i18n/language';
import { goHome } from '../url';
import { askLink, Refused, type LinkAnswer } from './api';
import { Command, Entrance } from './Entrance';
import { NameField } from './NameField';
import { PasswordField } from './PasswordField';
import type { SessionStore } from './session';
import { useSubmit } from './useSubmit';

/** What is known of the link. */
type Link = { state: 'asking' } | { state: 'useless'; code: string } | { state: 'good'; link: LinkAnswer };

/** See the module. */
export default function SetUpPage({ store, token }: { store: SessionStore; token: string }) {
  const texts = useTexts().access;
  const [link, setLink] = useState<Link>({ state: 'asking' });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let current = true;
    askLink(token).then(
      (link) => {
        if (current) setLink({ state: 'good', link });
      },
      (error: unknown) => {
        if (current) setLink({ state: 'useless', code: error instanceof Refused ? error.code : 'internal' });
      },
    );
    return () => {
      current = false;
    };
  }, [token, attempt]);

  return (
    <Entrance>
      {link.state === 'good' && <SetUpForm store={store} token={token} link={link.link} />}
      {link.state === 'useless' && link.code === 'not_found' && (
        <section className="entrance-box" data-testid="useless-link">
          <h1>{texts.linkUseless}</h1>
          <p>{texts.linkUselessDetail}</p>
          <Command text="goldentime-central setup-link" />
          <button type="button" onClick={goHome}>
            {texts.toSignIn}
          </button>
        </section>
      )}
      {link.state === 'useless' && link.code !== 'not_found' && (
        <section className="entrance-box">
          <h1 role="alert">{texts.refusal(link.code, null)}</h1>
          <button type="button" onClick={() => setAttempt(attempt + 1)}>
            {texts.again}
          </button>
        </section>
      )}
    </Entrance>
  );
}

function SetUpForm({ store, token, link }: { store: SessionStore; token: string; link: LinkAnswer }) {
  const texts = useTexts().access;
  const [name, setName] = useState(link.name ?? '');
  const [password, setPassword] = useState('');
  const { busy, refusal, submit } = useSubmit(async () => {
    await store.setUp(token, name, password);
    goHome();
  });
  return (
    <form
      className="entrance-box"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
      data-testid="set-up"
    >
      <h1>{link.name === undefined ? texts.setUp : texts.setUpFor(link.name)}</h1>
      <p className="quiet">{texts.roleMeaning[link.role]}</p>
      <NameField value={name} fixed={link.name !== undefined} onChange={setName} />
      <PasswordField value={password} isNew hint={texts.passwordHint} onChange={setPassword} />
      {refusal !== null && (
        <p className="entrance-refusal" role="alert">
          {refusal}
        </p>
      )}
      <button type="submit" className="entrance-submit" disabled={busy}>
        {texts.setUpDo}
      </button>
    </form>
  );
}
