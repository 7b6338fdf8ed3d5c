// Takes pictures of every state in both languages, both themes and three widths.
//
//   npm run screenshots [-- <url of a running central> [folder]]
//
// Without a URL it starts the development server and goes through all its scenarios.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { complaints, launch } from './browser.mjs';
import { SETUP_TOKEN, startFake } from './fake-central.mjs';
import { SCENARIO_NAMES } from './scenarios.mjs';

const url = process.argv[2];
const folder = process.argv[3] ?? fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));
const only = process.env.ONLY?.split(',');
const SIZES = { 390: 844, 1280: 800, 1920: 1080 };
/** What says that a page has come. */
const SHOWN =
  '[data-testid=verdict], [data-testid=first-run], [data-testid=sign-in], [data-testid=set-up], .chart canvas';
/** Pages of access: name, who looks, and how to get there. */
const ENTRANCES = [
  ['sign-in', 'signed_out', {}],
  ['set-up', 'signed_out', { hash: `#/setup/${SETUP_TOKEN}` }],
  ['account-open', 'open', { click: 'account' }],
  ['account', 'signed_in', { click: 'account' }],
];
mkdirSync(folder, { recursive: true });

const browser = await launch();
let bad = 0;

async function take(address, name, { width, theme, lang, hash = '', query = '', click }) {
  const context = await browser.newContext({
    viewport: { width, height: SIZES[width] },
    colorScheme: theme,
    locale: lang === 'ko' ? 'ko-KR' : 'en-GB',
    deviceScaleFactor: width === 390 ? 2 : 1,
  });
  const page = await context.newPage();
  const errors = complaints(page);
  await page.goto(`${address}?lang=${lang}${query}${hash}`);
  await page.waitForSelector(SHOWN);
  if (click !== undefined) await page.getByTestId(click).click();
  await page.waitForTimeout(1500);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await page.screenshot({
    path: join(folder, `${name}-${lang}-${theme}-${width}.png`),
    fullPage: width === 390,
  });
  await context.close();
  if (overflow > 0) errors.push(`the page is ${overflow} px wider than the window`);
  for (const error of errors) console.error(`${name} ${lang} ${theme} ${width}: ${error}`);
  bad += errors.length;
}

async function all(address, name, options = {}) {
  for (const lang of ['en', 'ko']) {
    for (const theme of ['dark', 'light']) {
      for (const width of [390, 1280, 1920]) await take(address, name, { width, theme, lang, ...options });
    }
  }
}

if (url !== undefined) {
  await all(url, 'home');
} else {
  for (const [name, access, options] of ENTRANCES) {
    if (only !== undefined && !only.includes(name)) continue;
    const fake = await startFake({ name: 'critical', access });
    await all(fake.address, name, options);
    await fake.stop();
  }
  for (const name of SCENARIO_NAMES.filter((scenario) => only === undefined || only.includes(scenario))) {
    const fake = await startFake({ name });
    await all(fake.address, name);
    if (name === 'critical') await all(fake.address, 'service', { hash: '#/service/shop/prod/order' });
    await fake.stop();
  }
}
await browser.close();
console.log(`pictures are in ${folder}; ${bad} complaints`);
process.exit(bad === 0 ? 0 : 1);
