// The browser that the smoke test and the screenshots drive: Debian's chromium.
import { chromium } from 'playwright-core';

/** Starts it headless. CHROMIUM names another executable. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Collects whatever a page complains of: errors on its console and violations of its policy. */
export function complaints(page) {
  const found = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy/i.test(message.text()))
      found.push(message.text());
  });
  page.on('pageerror', (error) => found.push(`${error}`));
  return found;
}
