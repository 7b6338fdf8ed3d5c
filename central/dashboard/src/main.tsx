import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { openFeed } from './live/feed';
import { followSystemTheme } from './theme';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id root');
followSystemTheme();
const feed = openFeed();
createRoot(root).render(
  <StrictMode>
    <App feed={feed} />
  </StrictMode>,
);
