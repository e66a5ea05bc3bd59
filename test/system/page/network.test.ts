/** Registering a network on the page and checking that it works. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { askUdp, shown } from '../../support/dns-client.ts';
import { FAMILY_URLS, Home, launchBrowser, startSite, type Visit } from '../../support/home.ts';
import { FILMS, RELAY, type RunningService, until } from '../../support/service.ts';

let service: RunningService;
let browser: Browser;
let home: Home;
let visit: Visit;
let homes = 0;
beforeAll(async () => {
  const familyUrls = FAMILY_URLS;
  [service, browser] = await Promise.all([startSite({ control: { familyUrls } }), launchBrowser()]);
});
afterAll(() => browser.close());
beforeEach(async () => {
  home = await Home.open(service, { address: `127.0.5.${++homes}` });
  visit = await home.visit(browser);
});
afterEach(async () => {
  expect(visit.complaints).toEqual([]);
  await visit.end();
  home.close();
});

const held = async (secret: string): Promise<{ address: string; label: string | null; source: string }[]> =>
  (await service.as(secret).call('GET', '/v1/registrations')).body.registrations;
const addressesOf = async (secret: string) => (await held(secret)).map(({ address }) => address).sort();
const heading = (name: string) => visit.page.getByRole('heading', { name, exact: true }).waitFor();

it('registers this network with one press; the next query gets a relay', async () => {
  const { secret } = await service.household();
  await visit.enter(service, secret);
  await visit.page.getByRole('button', { name: 'Register this network' }).click();
  await heading('This network is ready');
  expect(await held(secret)).toMatchObject([{ address: home.address, source: 'page' }]);
  const answer = await askUdp(service.udp, home.address, { name: FILMS });
  expect(shown(answer)).toBe(`NOERROR ${RELAY.us.address}`);
  expect(await visit.page.evaluate('document.activeElement.textContent')).toBe('This network is ready');
});

it('registers both families, shows them, and asks for a missing one', async () => {
  const { secret } = await service.household();
  await visit.enter(service, secret);
  await visit.page.getByText('Not in use here').waitFor();
  await visit.page.getByRole('button', { name: 'Register this network' }).click();
  await heading('This network is ready');
  home.hasIPv6 = true;
  await visit.page.reload();
  await heading('One more step for this network');
  await visit.page.getByRole('button', { name: 'Register this network' }).click();
  await heading('This network is ready');
  expect(await addressesOf(secret)).toEqual([home.address, '::/64']);
  expect(await visit.page.locator('.way.in').count()).toBe(2);
});

it('names this network', async () => {
  const { secret } = await service.household([home.address]);
  await visit.enter(service, secret);
  await visit.page.getByRole('button', { name: 'Give it a name' }).click();
  await visit.page.getByLabel('Name of this network').fill('Beach house');
  await visit.page.keyboard.press('Enter');
  await visit.notice('This network is called Beach house.');
  expect(await held(secret)).toMatchObject([{ address: home.address, label: 'Beach house' }]);
});

it('registers automatically at each visit once the switch is on', async () => {
  const { secret } = await service.household([home.address]);
  await visit.enter(service, secret);
  // Once a visit the page renews this network: that call must not come from the next address.
  await until(() => visit.page.evaluate('sessionStorage.length > 0'), 'the page has renewed it');
  await visit.page.getByRole('switch', { name: 'Register whenever I open this page' }).check();
  home.address = '127.0.5.200';
  await visit.page.reload();
  await visit.notice('This network was registered for you.');
  expect(await addressesOf(secret)).toContain('127.0.5.200');
});

it('removes an address only after confirmation', async () => {
  const { secret } = await service.household([home.address, '127.0.5.201']);
  await visit.enter(service, secret);
  const remove = visit.page.getByRole('button', { name: 'Remove 127.0.5.201' });
  await remove.click();
  await visit.page.getByRole('button', { name: 'Cancel' }).click();
  expect(await addressesOf(secret)).toHaveLength(2);
  expect(await visit.page.evaluate('document.activeElement.ariaLabel')).toBe('Remove 127.0.5.201');
  await remove.click();
  await visit.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await visit.notice('127.0.5.201 was removed.');
  expect(await addressesOf(secret)).toEqual([home.address]);
});

it('marks an address that nobody has confirmed', async () => {
  const { id, secret } = await service.household([home.address]);
  const body = { address: '127.0.5.202', evidence: 'told' };
  await service.admin.call('POST', `/v1/accounts/${id}/registrations`, body);
  await visit.enter(service, secret);
  await visit.page.getByText('Not confirmed yet').waitFor();
  expect(await visit.page.getByText('Not confirmed yet').count()).toBe(1);
});

it('asks before it replaces the oldest address at the limit', async () => {
  const { secret } = await service.household(['127.0.5.211', '127.0.5.212', '127.0.5.213']);
  await visit.enter(service, secret);
  await visit.page.getByText('3 of 3').waitFor();
  await visit.page.getByRole('button', { name: 'Register this network' }).click();
  const dialog = visit.page.getByRole('dialog', { name: 'Replace the oldest network?' });
  await dialog.getByText('127.0.5.211').waitFor();
  await dialog.getByRole('button', { name: 'Replace the oldest' }).click();
  await heading('This network is ready');
  expect(await addressesOf(secret)).toEqual(['127.0.5.212', '127.0.5.213', home.address].sort());
});

it('shows that an account is suspended', async () => {
  const { id, secret } = await service.household([home.address]);
  await service.admin.call('PATCH', `/v1/accounts/${id}`, { suspended: true });
  await visit.enter(service, secret);
  await visit.page.getByText('Your account is paused').waitFor();
  await heading('This network is on hold');
});

it.each([
  ['private', '192.168.1.20', 'from inside the network'],
  ['shared', '100.72.3.9', 'CGNAT'],
])('explains why an address cannot be registered: %s', async (scope, address, words) => {
  const { secret } = await service.household();
  home.alterPage = (page) => {
    page.caller = { ...page.caller, address, scope, registrable: false };
    page.familyUrls = { ipv4: null, ipv6: null };
  };
  await visit.enter(service, secret);
  await heading('This address cannot be registered');
  await visit.page.getByText(words).first().waitFor();
});

it('warns a week before a lease ends', async () => {
  const { secret } = await service.household(['127.0.5.221']);
  home.alterPage = (page) => {
    const day = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10);
    page.registrations[0].expiresAt = `${day}T00:00:00.000Z`;
  };
  await visit.enter(service, secret);
  await visit.page.getByText('127.0.5.221 is about to end').waitFor();
  await visit.page.getByText('ends in 5 days').waitFor();
});

it.each([
  ['working', { dns: 'ours', isIn: true }],
  ['unregistered', { dns: 'ours', isIn: false }],
  ['elsewhere', { dns: 'other', isIn: true }],
  ['mixed', { dns: 'mixed', isIn: true }],
  ['partly', { dns: 'ours', isIn: true, alsoFrom: '127.0.5.230' }],
] as const)('derives its verdict from real answers: %s', async (verdict, { dns, isIn, ...more }) => {
  const { secret } = await service.household(isIn ? [home.address] : []);
  home.dns = dns;
  if ('alsoFrom' in more) home.asksFrom = [home.address, home.address, more.alsoFrom];
  await visit.enter(service, secret);
  await visit.page.getByRole('button', { name: 'Check this device' }).click();
  await visit.page.locator('[data-verdict]').waitFor();
  expect(await visit.page.locator('[data-verdict]').getAttribute('data-verdict')).toBe(verdict);
  const isOurs = (host: string) =>
    /^((dns|four|six)\.home\.test|x[0-9a-f]{16}\.(reached|registered)\.check\.home\.test)$/.test(host);
  expect([...visit.hosts].filter((host) => !isOurs(host))).toEqual([]);
});

it('gives no verdict while the server is unreachable', async () => {
  await visit.enter(service, (await service.household()).secret);
  home.isCut = true;
  await visit.page.getByRole('button', { name: 'Check this device' }).click();
  await visit.page.locator('[data-verdict=unknown]').waitFor();
});
