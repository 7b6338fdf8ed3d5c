/** The frame of the pages before one is in: name, language, theme, and one thing to do. */

import type { ReactNode } from 'react';
import { Brand } from '../shell/Brand';
import { Preferences } from '../shell/Preferences';
import '../styles/access.css';

/** See the module. */
export function Entrance({ children }: { children: ReactNode }) {
  return (
    <div className="app">
      <header className="bar">
        <Brand />
        <div className="bar-end">
          <Preferences />
        </div>
      </header>
      <main className="entrance">{children}</main>
    </div>
  );
}

/** A command to be run on the central. */
export function Command({ text }: { text: string }) {
  return (
    <pre className="entrance-command" tabIndex={0}>
      {text}
    </pre>
  );
}
