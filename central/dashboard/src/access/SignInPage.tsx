/** Name and password. The URL stays as it is, so one is back where one was. */

import { useState } from 'react';
import { useTexts } from '../i18n/language';
import { Command, Entrance } from './Entrance';
import { NameField } from './NameField';
import { PasswordField } from './PasswordField';
import type { SessionStore } from './session';
import { useSubmit } from './useSubmit';

/** See the module. */
export default function SignInPage({ store, hasAccounts }: { store: SessionStore; hasAccounts: boolean }) {
  const texts = useTexts().access;
  return (
    <Entrance>
      {hasAccounts ? (
        <SignInForm store={store} />
      ) : (
        <section className="entrance-box" data-testid="no-accounts">
          <h1>{texts.noAccounts}</h1>
          <p>{texts.noAccountsDetail}</p>
          <Command text="goldentime-central setup-link" />
        </section>
      )}
    </Entrance>
  );
}

function SignInForm({ store }: { store: SessionStore }) {
  const texts = useTexts().access;
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, refusal, submit } = useSubmit(() => store.signIn(name, password));
  return (
    <form
      className="entrance-box"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
      data-testid="sign-in"
    >
      <h1>{texts.signIn}</h1>
      <NameField value={name} onChange={setName} />
      <PasswordField value={password} isNew={false} onChange={setPassword} />
      {refusal !== null && (
        <p className="entrance-refusal" role="alert">
          {refusal}
        </p>
      )}
      <button type="submit" className="entrance-submit" disabled={busy}>
        {busy ? texts.signingIn : texts.signIn}
      </button>
      <details>
        <summary>{texts.lost}</summary>
        <p className="quiet">{texts.lostDetail}</p>
        <Command text="goldentime-central setup-link --name …" />
      </details>
    </form>
  );
}
