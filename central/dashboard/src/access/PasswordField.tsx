import { useId, useState } from 'react';
import { useTexts } from '../i18n/language';

/** A password, hidden unless its owner wants to see it. */
export function PasswordField(props: {
  value: string;
  isNew: boolean;
  hint?: string;
  onChange: (value: string) => void;
}) {
  const { value, isNew, hint, onChange } = props;
  const texts = useTexts().access;
  const id = useId();
  const [shown, setShown] = useState(false);
  return (
    <div className="field">
      <label htmlFor={id}>{texts.password}</label>
      <div className="field-with-button">
        <input
          id={id}
          name="password"
          type={shown ? 'text' : 'password'}
          autoComplete={isNew ? 'new-password' : 'current-password'}
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={256}
          aria-describedby={hint === undefined ? undefined : `${id}-hint`}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
        <button
          type="button"
          className="plain"
          aria-pressed={shown}
          aria-label={texts.showPassword}
          onClick={() => setShown(!shown)}
        >
          {shown ? texts.hide : texts.show}
        </button>
      </div>
      {hint !== undefined && (
        <p className="quiet" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
