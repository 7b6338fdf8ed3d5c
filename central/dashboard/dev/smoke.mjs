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
import { startFake } from './fake-central.mjs';

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
await browser.close();
await fake?.stop();
// A cut of the connection is on the console whether one likes it or not.
const bad = errors.filter((error) => !(fake !== null && /WebSocket connection to/.test(error)));
for (const error of bad) console.error(error);
console.log(bad.length === 0 ? 'no errors, no violations of the policy' : `${bad.length} problems`);
process.exit(bad.length === 0 ? 0 : 1);
