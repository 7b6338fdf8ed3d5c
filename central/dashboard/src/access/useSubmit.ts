import { useState } from 'react';
import { useTexts } from '../i18n/language';
import { Refused } from './api';

/** Sends a form once at a time, and says in the page's language why it was refused. */
export function useSubmit(send: () => Promise<void>): {
  busy: boolean;
  refusal: string | null;
  submit: () => Promise<void>;
} {
  const texts = useTexts().access;
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const submit = async () => {
    if (busy) return;
    setBusy(true);
    setRefused(null);
    try {
      await send();
    } catch (error) {
      setRefused(error instanceof Refused ? error : new Refused('internal', String(error)));
    }
    setBusy(false);
  };
  return {
    busy,
    refusal: refused === null ? null : texts.refusal(refused.code, refused.retryAfterS),
    submit,
  };
}
