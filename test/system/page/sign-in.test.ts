/** Signing in to the DNS Settings page and out of it. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Home, launchBrowser, SITE, startSite, type Visit } from '../../support/home.ts';
import type { RunningService } from '../../support/service.ts';

let service: RunningService;
let browser: Browser;
let home: Home;
let visit: Visit;
beforeAll(async () => {
  [service, browser] = await Promise.all([startSite(), launchBrowser()]);
  home = await Home.open(service, { address: '127.0.4.1' });
});
afterAll(async () => {
  await browser.close();
  home.close();
});
beforeEach(async () => {
  home.isCut = false;
  visit = await home.visit(browser);
});
afterEach(async () => {
  expect(visit.complaints).toEqual([]);
  await visit.end();
});

const sessionOf = async () => (await visit.context.cookies()).find(({ name }) => name === 'ms_session');

it('leads to the sign-in page without a cookie, and contacts no third party', async () => {
  await visit.page.goto(SITE);
  await visit.page.waitForURL(`${SITE}/sign-in`);
  await visit.page.getByLabel('Account secret').waitFor();
  expect(await visit.context.cookies()).toEqual([]);
  expect([...visit.hosts]).toEqual(['dns.home.test']);
});

it('signs in by the secret, with a cookie hidden from scripts', async () => {
  const { secret } = await service.household();
  await visit.signIn(secret);
  expect(await visit.page.getByRole('heading', { name: 'We do not know this network yet' }).isVisible()).toBe(
    true,
  );
  expect(await sessionOf()).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
  expect(await visit.page.evaluate('document.cookie')).toBe('');
});

it('explains a wrong and a missing secret, and keeps the focus there', async () => {
  const { page } = visit;
  await page.goto(`${SITE}/sign-in`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Please enter your account secret.').waitFor();
  await page.getByLabel('Account secret').fill('ms_wrong');
  await page.keyboard.press('Enter');
  await page.getByText('That is not an account secret we know.').waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('secret');
  expect(await sessionOf()).toBeUndefined();
});

it('signs in by a link after one press, and by each link once', async () => {
  const { page } = visit;
  const { id } = await service.household();
  const { url } = await service.admin.make(`/v1/accounts/${id}/sign-in-links`);
  await page.goto(url);
  await page.getByRole('button', { name: 'Sign in to my settings' }).waitFor();
  await page.reload();
  expect(await visit.context.cookies()).toEqual([]);
  await page.getByRole('button', { name: 'Sign in to my settings' }).click();
  await page.waitForURL(`${SITE}/`);
  await visit.settled();

  const other = await home.visit(browser);
  await other.page.goto(url);
  await other.page.getByRole('button', { name: 'Sign in to my settings' }).click();
  await other.page.getByText('This sign-in link has been used already').waitFor();
  expect(await other.page.getByLabel('Account secret').isVisible()).toBe(true);
  expect(other.page.url()).toBe(`${SITE}/sign-in`);
  await other.end();
});

it('signs out and says so', async () => {
  const { page } = visit;
  await visit.signIn((await service.household()).secret);
  await page.locator('#sign-out').click();
  await page.getByText('You are signed out.').waitFor();
  expect(await sessionOf()).toBeUndefined();
});

it('returns to the sign-in page when the session has ended, and says why', async () => {
  const { page } = visit;
  await visit.signIn((await service.household()).secret);
  await visit.context.clearCookies();
  await page.locator('#register').click();
  await page.waitForURL(`${SITE}/sign-in`);
  await page.getByText('You were signed out because you had not been here for a while.').waitFor();
  await page.reload();
  expect(await page.locator('#reason').isVisible()).toBe(false);
});

it('says that the server is unreachable, and continues when it is back', async () => {
  const { page } = visit;
  await visit.signIn((await service.household()).secret);
  await page.route('**/v1/page', (route) => route.abort());
  await page.reload();
  await page.getByRole('heading', { name: 'We cannot show your settings' }).waitFor();
  await page.unroute('**/v1/page');
  await page.getByRole('button', { name: 'Try again' }).click();
  await visit.settled();
  home.isCut = true;
  await page.locator('#register').click();
  await visit.notice('We cannot reach the server right now.');
  home.isCut = false;
  await page.locator('#register').click();
  await visit.notice('This network is registered.');
});

it('says that the device is offline', async () => {
  await visit.signIn((await service.household()).secret);
  await visit.context.setOffline(true);
  await visit.page.getByText('You are offline.').waitFor();
  await visit.context.setOffline(false);
  await visit.page.getByText('You are offline.').waitFor({ state: 'hidden' });
});
