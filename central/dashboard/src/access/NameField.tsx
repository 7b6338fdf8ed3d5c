import { useEffect, useId, useRef } from 'react';
import { useTexts } from '../i18n/language';

/** The name of an account; fixed when a link is for one. */
export function NameField(props: { value: string; fixed?: boolean; onChange: (value: string) => void }) {
  const { value, fixed = false, onChange } = props;
  const texts = useTexts().access;
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div className="field">
      <label htmlFor={id}>{texts.name}</label>
      <input
        id={id}
        ref={field}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        maxLength={64}
        readOnly={fixed}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
