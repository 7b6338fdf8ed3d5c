// Opens the dashboard of a running central and checks what only a browser can see.
//
//   npm run smoke -- [<url> [<state>]]
//
// The URL is that of a central, without one it is the development server's. With a state (`ok`,
// `critical`, …) a service must come to stand like that, and what fires must show the way it took.
//
// Live numbers move without a reload, language and theme switch, keys work, a service's page draws its
// charts; there is no error on the console and no violation of the content security policy.
import { complaints, launch } from './browser.mjs';
import { ACCOUNT, SETUP_TOKEN, startFake } from './fake-central.mjs';

const LIMIT_MS = 15_000;
/** How long a service may take to come to the wanted state: its data, a rule's window, a page. */
const STATE_LIMIT_MS = 60_000;
const given = process.argv[2];
const wanted = process.argv[3];
const fake = given === undefined ? await startFake({ name: 'critical' }) : null;
const url = fake === null ? given : fake.address;
const browser = await launch();
const page = await browser.newPage({
  viewport: { width: 1280, height: 800 },
  colorScheme: 'dark',
  locale: 'en-GB',
});
page.setDefaultTimeout(LIMIT_MS);
const errors = complaints(page);
const requests = [];
page.on('request', (request) => requests.push(request.url()));

async function step(name, check) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    errors.push(`${name}: ${error.message.split('\n')[0]}`);
    console.log(`FAIL  ${name}`);
  }
}

function demand(condition, what) {
  if (!condition) throw new Error(what);
}

/** The text of every number and the shape of every line on the wall. */
const numbers = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('.service-row .figure, .service-row .spark-line')]
      .map((node) => node.getAttribute('d') ?? node.textContent)
      .join('|'),
  );

/** Signing in, being signed out, and a set-up link, against a stand-in that has accounts. */
async function entrance() {
  const closed = await startFake({ name: 'calm', access: 'signed_out' });
  await step('who is signed out sees how to get in, and a wrong password is refused', async () => {
    await page.goto(`${closed.address}?lang=en#/service/shop/prod/order`);
    await page.getByTestId('sign-in').waitFor();
    demand(
      await page.evaluate(() => document.activeElement?.getAttribute('name') === 'username'),
      'no focus',
    );
    await page.keyboard.type(ACCOUNT.name);
    await page.keyboard.press('Tab');
    await page.keyboard.type('wrong horse battery');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
  });
  await step('signing in leads to where one was', async () => {
    await page.locator('[name=password]').fill(ACCOUNT.password);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.chart canvas');
    demand(page.url().endsWith('#/service/shop/prod/order'), `the URL is ${page.url()}`);
  });
  await step('a session that ends leads to signing in, and the wall is gone', async () => {
    closed.endSession();
    await page.getByTestId('sign-in').waitFor();
    demand((await page.locator('.chart').count()) === 0, 'the charts are still there');
  });
  await step('signing out by the menu', async () => {
    await page.locator('[name=username]').fill(ACCOUNT.name);
    await page.locator('[name=password]').fill(ACCOUNT.password);
    await page.keyboard.press('Enter');
    await page.getByTestId('account').click();
    await page.getByTestId('sign-out').click();
    await page.getByTestId('sign-in').waitFor();
  });
  await step('a set-up link makes an account, and one that is used up says so', async () => {
    await page.goto(`${closed.address}?lang=en#/setup/${SETUP_TOKEN}`);
    await page.getByTestId('set-up').waitFor();
    await page.locator('[name=username]').fill('lee');
    await page.locator('[name=password]').fill('short');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.locator('[name=password]').fill(ACCOUNT.password);
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-testid=verdict]');
    demand(!page.url().includes('gts_'), 'the secret is still in the URL');
    demand((await page.getByTestId('account').innerText()) === 'lee', 'the menu names somebody else');
    await page.goto(`${closed.address}?lang=en#/setup/gts_used`);
    await page.getByTestId('useless-link').waitFor();
  });
  await page.goto('about:blank');
  await closed.stop();
}

const answer = await page.goto(url);
await step('the page is served under a content security policy without unsafe-inline', () => {
  const policy = answer?.headers()['content-security-policy'] ?? '';
  demand(policy.includes("'self'") && !policy.includes('unsafe'), `policy is "${policy}"`);
});
await step('it connects and shows the wall or how to begin', async () => {
  await page.waitForSelector('[data-testid=verdict], [data-testid=first-run]');
  await page.waitForSelector('[data-testid=age][data-link=live]');
});
if (wanted !== undefined) {
  await step(`a service comes to be ${wanted}`, () =>
    page.waitForSelector(`.service-row[data-state=${wanted}]:has(.cell-since)`, { timeout: STATE_LIMIT_MS }),
  );
}
if (wanted === 'critical') {
  await step('its alert tells the stages of its way', async () => {
    const alert = page.locator('.alert[data-status=firing]').first();
    await alert.locator('.stages-total').waitFor();
    demand((await alert.locator('.stages-table tr').count()) >= 4, 'stages are missing');
  });
  await step('the verdict says so', () =>
    page.waitForSelector('[data-testid=verdict] .tone-critical, [data-testid=verdict] .verdict-case'),
  );
}
const services = await page.locator('.service-row').count();
if (services > 0) {
  await step('numbers move by themselves', async () => {
    const before = await numbers();
    const asked = requests.length;
    const limit = Date.now() + LIMIT_MS;
    while ((await numbers()) === before) {
      demand(Date.now() < limit, 'nothing changed');
      await page.waitForTimeout(100);
    }
    demand(requests.length === asked, `the page asked for ${requests.slice(asked).join(', ')}`);
  });
}
await step('the language switches and stands in the link', async () => {
  await page.getByTestId('language').click();
  await page.waitForSelector('html[lang=ko]');
  demand((await page.title()).includes('Goldentime'), 'the title is lost');
  demand(new URL(page.url()).searchParams.get('lang') === 'ko', 'lang is not in the URL');
  await page.getByTestId('language').click();
  await page.waitForSelector('html[lang=en]');
});
await step('the theme switches', async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await ground();
  await page.getByTestId('theme').click();
  demand((await ground()) !== before, 'the ground keeps its colour');
});
await step('? opens the sheet of keys and Esc closes it', async () => {
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
});
if (services > 0) {
  const name = await page.locator('.service-row .row-link').first().innerText();
  await step('/ goes to the filter and a token narrows the wall and stands in the link', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type(`service:${name}`);
    await page.waitForFunction(
      (n) => [...document.querySelectorAll('.row-link')].every((a) => a.textContent === n),
      name,
    );
    demand(page.url().includes(`service:${name}`), `the URL is ${page.url()}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
  });
  await step('j and Enter open a service whose charts are drawn', async () => {
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.chart canvas');
    demand((await page.locator('.chart canvas').count()) === 4, 'there are not four charts');
    const inked = await page
      .locator('.chart canvas')
      .first()
      .evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value, place) => place % 4 === 3 && value > 0);
      });
    demand(inked, 'the first chart is blank');
  });
  await step('back leads to the wall', async () => {
    await page.goBack();
    await page.waitForSelector('[data-testid=verdict]');
  });
}
await step('nothing sticks out at any width from 320 to 2000 px', async () => {
  for (let width = 320; width <= 2000; width += 40) {
    await page.setViewportSize({ width, height: 800 });
    const out = await page.evaluate(() => {
      const sideways = document.documentElement.scrollWidth > window.innerWidth;
      const rows = [...document.querySelectorAll('.wall-row')].filter(
        (row) => row.scrollWidth > row.clientWidth,
      );
      return sideways || rows.length > 0;
    });
    demand(!out, `something sticks out at ${width} px`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
});
if (fake !== null) {
  await step('a cut connection is shown and heals by itself', async () => {
    fake.cut();
    await page.waitForSelector('[data-testid=age]:not([data-link=live])');
    await page.waitForSelector('[data-testid=age][data-link=live]');
  });
  await step('an alert comes at once and is read to a screen reader', async () => {
    fake.fire();
    await page.waitForSelector('.alert >> text=payment p95 under 320 ms', { timeout: 500 });
    await page.waitForFunction(() =>
      /payment/.test(document.querySelector('[aria-live]')?.textContent ?? ''),
    );
  });
  await step('the first record ends the first run', async () => {
    fake.become('first-run');
    await page.waitForSelector('[data-testid=first-run]');
    fake.become('calm');
    await page.waitForSelector('[data-testid=verdict]');
  });
}
if (fake !== null) {
  // A page that is left open would ask a server that is gone.
  await page.goto('about:blank');
  await fake.stop();
  await entrance();
}
await browser.close();
// A cut of the connection, and what is refused on purpose, are on the console whether one likes it or not.
const onPurpose =
  /WebSocket connection to|Failed to load resource: the server responded with a status of 40[014]/;
const bad = errors.filter((error) => !(fake !== null && onPurpose.test(error)));
for (const error of bad) console.error(error);
console.log(bad.length === 0 ? 'no errors, no violations of the policy' : `${bad.length} problems`);
process.exit(bad.length === 0 ? 0 : 1);
