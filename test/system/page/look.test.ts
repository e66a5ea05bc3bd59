/** Look and use of the page: every size, dark and light, by keyboard, by screen reader. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Home, launchBrowser, SITE, startSite, type Visit } from '../../support/home.ts';
import { type RunningService, temporaryFolder, until } from '../../support/service.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const VIEWS = ['home', 'regions', 'devices/samsung', 'routers', 'account'];
const SIZES = { phone: [360, 740], tablet: [768, 1024], laptop: [1280, 800], tv: [1920, 1080] } as const;

let service: RunningService;
let browser: Browser;
let home: Home;
let secret: string;
beforeAll(async () => {
  [service, browser] = await Promise.all([startSite(), launchBrowser()]);
  home = await Home.open(service, { address: '127.0.7.1' });
  ({ secret } = await service.household(['127.0.7.1', '127.0.7.2']));
});
afterAll(async () => {
  await browser.close();
  home.close();
});

/** The part of axe's result that is used. */
interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Returns axe's findings that keep people out. axe runs outside the content policy, which stays on for the page. */
async function barriers(visit: Visit): Promise<string[]> {
  await visit.page.evaluate(AXE);
  const found = await visit.page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Returns the pixels by which the page is wider than its window. */
const overflow = (visit: Visit) =>
  visit.page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  const shots = process.env['SCREENSHOTS'] ?? temporaryFolder();
  mkdirSync(shots, { recursive: true });

  it.each(Object.keys(SIZES) as (keyof typeof SIZES)[])(
    'fits a %s and has no accessibility barrier',
    async (size) => {
      const [width, height] = SIZES[size];
      const visit = await home.visit(browser, {
        viewport: { width, height },
        colorScheme,
        reducedMotion: 'reduce',
      });
      const look = async (name: string) => {
        expect(await overflow(visit), name).toBeLessThanOrEqual(0);
        // One size is enough for axe: barriers hardly depend on the size.
        if (size === 'laptop' || (size === 'phone' && colorScheme === 'light'))
          expect(await barriers(visit), name).toEqual([]);
        await visit.page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`) });
      };
      await visit.page.goto(`${SITE}/sign-in`);
      await look('sign-in');
      await visit.enter(service, secret);
      for (const view of VIEWS) {
        await visit.go(view);
        await look(view.replace('/', '-'));
      }
      await visit.go('home');
      await visit.page.getByRole('button', { name: 'Remove 127.0.7.2' }).click();
      await look('remove');
      expect(visit.complaints).toEqual([]);
      await visit.end();
    },
  );
});

it('uses dark colours if the browser prefers them', async () => {
  const grounds: unknown[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const visit = await home.visit(browser, { colorScheme });
    await visit.page.goto(`${SITE}/sign-in`);
    grounds.push(await visit.page.evaluate('getComputedStyle(document.body).backgroundColor'));
    await visit.end();
  }
  expect(grounds).toEqual(['rgb(244, 243, 239)', 'rgb(13, 19, 18)']);
});

it('can be used by keyboard only, from signing in to registering and removing', async () => {
  const { secret: own } = await service.household();
  const visit = await home.visit(browser);
  const { page } = visit;
  const { keyboard } = page;
  /** Presses Tab until the element called `name` has the focus. */
  const tabTo = async (name: string) => {
    for (let step = 0; step < 40; step += 1) {
      const label = await page.evaluate(
        'document.activeElement.ariaLabel || document.activeElement.textContent.trim()',
      );
      if (label === name) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not get to "${name}"`);
  };
  await page.goto(`${SITE}/sign-in`);
  // The page's script gives the field the focus.
  await until(() => page.evaluate("document.activeElement.id === 'secret'"), 'the field has the focus');
  await keyboard.type(own);
  await keyboard.press('Enter');
  await visit.settled();
  await tabTo('Register this network');
  await keyboard.press('Enter');
  await visit.notice('This network is registered.');
  await tabTo('Remove 127.0.7.1');
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await visit.notice('127.0.7.1 was removed.');
  await page.locator('#skip').focus();
  await keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement.id')).toBe('view');
  await tabTo('Register this network');
  await page.getByRole('link', { name: 'Devices' }).focus();
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Set up a device' }).waitFor();
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Set up a device');
  expect(await page.title()).toBe('Set up a device · DNS Settings');
  expect(visit.complaints).toEqual([]);
  await visit.end();
});

it('allows no inline code and is small', async () => {
  for (const path of ['/', '/sign-in']) {
    const { headers, text } = await service.as('').call('GET', path);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)|https?:\/\//);
  }
  const visit = await home.visit(browser);
  let bytes = 0;
  visit.page.on('response', async (response) => {
    const { responseBodySize, responseHeadersSize } = await response.request().sizes();
    bytes += responseBodySize + responseHeadersSize;
  });
  await visit.enter(service, secret);
  await visit.page.waitForLoadState('networkidle');
  await visit.end();
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(120_000);
});
