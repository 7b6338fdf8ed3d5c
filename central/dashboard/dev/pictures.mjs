// Retakes the pictures of the README from the running demo: calm, then broken, then the pictures.
//
//   npm run pictures
//
// The demo has to be built (`make demo` once), and the machine idle, or the pictures show a host at
// its limit: it waits for a load below a half. FOLDER names another folder than docs/images.
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { complaints, launch } from './browser.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = process.env.FOLDER ?? join(root, 'docs/images');
const LOAD_MAX = 0.5;
const LOAD_WAIT_MS = 10 * 60_000;
/** Enough calm for the lines to have a shape. */
const CALM_S = 75;
/** How long after the page: the wash behind the line has width, the fault is not yet healed. */
const AFTER_PAGE_MS = 12_000;
const PICTURES = [
  { name: 'home-en-dark', lang: 'en', theme: 'dark' },
  { name: 'home-ko-light', lang: 'ko', theme: 'light' },
];

async function untilIdle() {
  const end = Date.now() + LOAD_WAIT_MS;
  while (loadavg()[0] > LOAD_MAX) {
    if (Date.now() > end) throw new Error(`the load stays above ${LOAD_MAX}: stop what else runs here`);
    await pause(2000);
  }
}

/** The dashboard's address, once a page has arrived. */
async function addressOfBrokenDemo(demo) {
  let address = null;
  let broken = false;
  for await (const line of createInterface({ input: demo.stdout })) {
    console.log(line);
    address ??= /Dashboard\s+(http\S+)/.exec(line)?.[1] ?? null;
    broken ||= line.startsWith('Fault:');
    if (broken && address !== null) return address;
  }
  throw new Error('the demo ended early');
}

async function take(browser, address, { name, lang, theme }) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 720 }, colorScheme: theme });
  const page = await context.newPage();
  const errors = complaints(page);
  await page.goto(`${address}?lang=${lang}&theme=${theme}`);
  await page.waitForSelector('[data-testid=age][data-link=live]');
  await page.waitForSelector('.alert[data-status=firing]');
  // One frame more, so that the sparklines end at the present.
  await pause(1500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
  if (errors.length > 0) throw new Error(errors.join('\n'));
}

await untilIdle();
const demo = spawn(join(root, 'target/debug/goldentime-demo'), ['--calm-seconds', `${CALM_S}`], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await launch();
try {
  const address = await addressOfBrokenDemo(demo);
  demo.stdout.resume();
  await pause(AFTER_PAGE_MS);
  for (const picture of PICTURES) await take(browser, address, picture);
  console.log(`pictures are in ${folder}`);
} finally {
  await browser.close();
  demo.kill('SIGINT');
}
