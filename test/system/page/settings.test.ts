/** Regions, devices, routers and data on the page. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { askUdp, shown } from '../../support/dns-client.ts';
import { answer, FakeUpstream } from '../../support/fake-upstream.ts';
import {
  DNS_ADDRESSES,
  FAMILY_URLS,
  Home,
  launchBrowser,
  startSite,
  type Visit,
} from '../../support/home.ts';
import { FILMS, RELAY, type RunningService, SERIES } from '../../support/service.ts';

let upstream: FakeUpstream;
let service: RunningService;
let browser: Browser;
let home: Home;
let visit: Visit;
let account: { id: string; secret: string };
let homes = 0;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const { name, type } = query;
    const label = name.toLowerCase().split('.')[0]!;
    const data: Record<string, string | undefined> = {
      A: label === 'mysix' ? undefined : ['myhome', 'myboth'].includes(label) ? home.address : '203.0.113.77',
      AAAA: ['mysix', 'myboth'].includes(label) ? '::1' : undefined,
    };
    const address = data[type];
    const records = address === undefined ? [] : [{ type, name, ttl: 60, data: address }];
    answer({ answers: records as never })(query, replier);
  };
  [service, browser] = await Promise.all([
    startSite({ upstreams: [upstream.url], control: { familyUrls: FAMILY_URLS } }),
    launchBrowser(),
  ]);
});
afterAll(async () => {
  await browser.close();
  await upstream.stop();
});
beforeEach(async () => {
  home = await Home.open(service, { address: `127.0.6.${++homes}` });
  account = await service.household([home.address]);
  visit = await home.visit(browser);
  await visit.enter(service, account.secret);
});
afterEach(async () => {
  expect(visit.complaints).toEqual([]);
  await visit.end();
  home.close();
});

const relayOf = async (name: string) => shown(await askUdp(service.udp, home.address, { name }));
const own = async () => (await service.as(account.secret).call('GET', '/v1/account')).body;

it('changes the region from the next query on', async () => {
  await visit.go('regions');
  await visit.page.getByRole('radio', { name: 'United Kingdom' }).check();
  await visit.notice('You now watch from United Kingdom.');
  expect(await relayOf(FILMS)).toBe(`NOERROR ${RELAY.gb.address}`);
  expect(await visit.page.evaluate('document.activeElement.id')).toBe('region-gb');
});

it('sets a region for a service, switches one off and on again', async () => {
  await visit.go('regions');
  await visit.page.getByLabel('Series').selectOption({ label: 'United Kingdom' });
  await visit.notice('Series is now watched from United Kingdom.');
  expect([await relayOf(FILMS), await relayOf(SERIES)]).toEqual([
    `NOERROR ${RELAY.us.address}`,
    `NOERROR ${RELAY.gb.address}`,
  ]);
  await visit.page.getByLabel('Films').selectOption('off');
  await visit.notice('Films is off.');
  expect((await own()).services).toEqual({ series: 'gb', films: 'off' });
  await visit.page.getByLabel('Films').selectOption({ label: 'Automatic (United States)' });
  await visit.notice('Films follows your region again.');
  expect((await own()).services).toEqual({ series: 'gb' });
});

it('finds a service by part of its name', async () => {
  await visit.go('regions');
  const rows = visit.page.locator('.services li:visible');
  expect(await rows.count()).toBe(2);
  await visit.page.getByLabel('Search services').fill('ser');
  expect(await rows.allTextContents()).toEqual([expect.stringContaining('Series')]);
  await visit.page.getByLabel('Search services').fill('zzz');
  await visit.page.getByText('No service is called that.').waitFor();
});

it('shows the DNS server addresses with copy buttons, and a guide for each device', async () => {
  const { page } = visit;
  await page.getByRole('button', { name: `Copy ${DNS_ADDRESSES[0]}` }).click();
  await visit.notice(`Copied: ${DNS_ADDRESSES[0]}`);
  await visit.go('devices');
  const titles = await page.locator('.fold-title > span').allTextContents();
  expect(new Set(titles).size).toBe(titles.length);
  expect(titles.length).toBeGreaterThan(30);
  expect(titles).toEqual(expect.arrayContaining(['Samsung TV', 'Roku', 'Xbox', 'Windows', 'FRITZ!Box']));
  await page.goto(`${page.url().split('#')[0]}#devices/xbox`);
  await page.getByText('as the first DNS server').locator('visible=true').waitFor();
  const steps = await page.locator('details[open] .steps').innerText();
  for (const address of DNS_ADDRESSES) expect(steps).toContain(address);
});

it('creates an update password, shows it once, fills it in, and revokes it', async () => {
  const { page } = visit;
  await visit.go('routers');
  await page.getByLabel('What is it for?').fill('Attic router');
  await page.getByRole('button', { name: 'Make an update password' }).click();
  const fresh = page.getByRole('group', { name: 'The new update password' });
  await fresh.waitFor();
  const token = await fresh.locator('code').nth(1).innerText();
  const update = () => fetchUpdate(token);
  expect(await update()).toEqual([200, `good ${home.address}`]);
  for (const title of ['OpenWrt', 'FRITZ!Box', 'ASUS with Merlin', 'ddclient', 'inadyn']) {
    const text = await page.getByLabel(`Settings for ${title}`, { exact: true }).textContent();
    for (const value of [account.id, token, 'dns.home.test', '/nic/']) expect(text).toContain(value);
  }
  await page.reload();
  await page.getByText('Attic router').waitFor();
  expect(await page.content()).not.toContain(token);
  await page.getByRole('button', { name: 'Revoke Attic router' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await visit.notice('Attic router was revoked.');
  expect(await update()).toEqual([401, 'badauth']);
});

async function fetchUpdate(token: string): Promise<[number, string]> {
  const authorization = `Basic ${Buffer.from(`${account.id}:${token}`).toString('base64')}`;
  const path = '/nic/update?hostname=attic-router.dns.home.test';
  const reply = await service
    .as('', home.address)
    .call('GET', path, undefined, { authorization, 'user-agent': 'test' });
  return [reply.status, reply.text.trim()];
}

it('follows a host name, explains an invalid one, and stops following', async () => {
  const { page } = visit;
  await visit.go('routers');
  await page.getByRole('textbox', { name: 'Host name' }).fill('no host name');
  await page.getByRole('button', { name: 'Follow' }).click();
  await page.locator('#hostname-error:visible').waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('hostname');
  await page.getByRole('textbox', { name: 'Host name' }).fill('elsewhere.example.com');
  await page.keyboard.press('Enter');
  await page.getByText('does not lead to the network you are on').first().waitFor();
  await page.getByRole('textbox', { name: 'Host name' }).fill('myhome.example.com');
  await page.keyboard.press('Enter');
  await visit.notice('myhome.example.com is followed from now on.');
  await page.getByRole('button', { name: 'Stop following myhome.example.com' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop following' }).click();
  await visit.notice('myhome.example.com is no longer followed.');
  await page.getByText('No host name is followed.').waitFor();
});

it.each([
  ['mysix.example.com', 'only the other address family'],
  ['myboth.example.com', 'both address families'],
])('follows %s, which has %s, and shows that both are this network', async (hostname) => {
  home.hasIPv6 = true;
  const { page } = visit;
  await page.reload();
  await visit.settled();
  await visit.go('routers');
  await page.getByRole('textbox', { name: 'Host name' }).fill(hostname);
  await page.keyboard.press('Enter');
  await visit.notice(`${hostname} is followed from now on.`);
  const api = service.as(account.secret, home.address);
  await expect
    .poll(async () => {
      const { registrations } = (await api.call('GET', '/v1/registrations')).body;
      return registrations
        .map(({ address, evidence }: Record<string, string>) => `${address} ${evidence}`)
        .sort();
    })
    .toEqual([`${home.address} seen`, '::/64 seen']);
});

it('says what a new secret ends, replaces it and shows it once', async () => {
  const { page } = visit;
  await visit.go('account');
  await page.getByRole('button', { name: 'Replace my secret' }).click();
  const dialog = page.getByRole('dialog');
  for (const words of ['update password', 'followed host name', 'sign-ins, on this browser too']) {
    await dialog.getByText(words).first().waitFor();
  }
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  expect((await service.as(account.secret).call('GET', '/v1/account')).status).toBe(200);
  await page.getByRole('button', { name: 'Replace my secret' }).click();
  await dialog.getByRole('button', { name: 'Replace the secret' }).click();
  await page.getByRole('heading', { name: 'Your new secret' }).waitFor();
  const secret = await page.getByRole('dialog').locator('code').first().innerText();
  expect((await service.as(account.secret).call('GET', '/v1/account')).status).toBe(401);
  expect((await service.as(secret).call('GET', '/v1/account')).status).toBe(200);
  await dialog.getByRole('button', { name: 'Sign in again' }).click();
  await page.waitForURL(/sign-in/);
  await visit.signIn(secret);
});

it('downloads all data as a file', async () => {
  await visit.go('account');
  const [file] = await Promise.all([
    visit.page.waitForEvent('download'),
    visit.page.getByRole('button', { name: 'Download my data' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe('my-data.json');
  const held = JSON.parse(readFileSync(await file.path(), 'utf8'));
  expect(held).toMatchObject({ account: { id: account.id }, registrations: [{ address: home.address }] });
});

it('erases the account only after the word is typed', async () => {
  const { page } = visit;
  await visit.go('account');
  await page.getByRole('button', { name: 'Erase my account' }).click();
  const erase = page.getByRole('dialog').getByRole('button', { name: 'Erase everything' });
  expect(await erase.isDisabled()).toBe(true);
  await page.getByLabel('Type erase to confirm').fill('Erase');
  await erase.click();
  await page.getByText('Your account and everything about it is erased.').waitFor();
  expect(await relayOf(FILMS)).toBe('REFUSED');
  expect((await service.admin.call('GET', `/v1/accounts/${account.id}`)).status).toBe(404);
});
