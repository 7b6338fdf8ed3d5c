import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { SessionStore } from './access/session';
import { App } from './App';
import { openFeed } from './live/feed';
import { followSystemTheme } from './theme';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id root');
followSystemTheme();
const feed = openFeed();
const session = new SessionStore(feed);
void session.refresh();
createRoot(root).render(
  <StrictMode>
    <App feed={feed} session={session} />
  </StrictMode>,
);
