/** Private names on the page: make, copy, install, switch, renew, remove. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Home, launchBrowser, startSite, type Visit } from '../../support/home.ts';
import { type RunningService, temporaryFolder } from '../../support/service.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DOMAIN = 'dns.home.test';

let service: RunningService;
let browser: Browser;
let home: Home;
let visit: Visit;
let secret: string;
beforeAll(async () => {
  [service, browser] = await Promise.all([startSite({ privateNames: { domain: DOMAIN } }), launchBrowser()]);
  home = await Home.open(service, { address: '127.0.8.1' });
});
afterAll(async () => {
  await browser.close();
  home.close();
});
beforeEach(async () => {
  ({ secret } = await service.household([home.address]));
});
afterEach(async () => {
  expect(visit.complaints).toEqual([]);
  await visit.end();
});

const open = async (options: Parameters<Home['visit']>[1] = {}) => {
  visit = await home.visit(browser, options);
  await visit.enter(service, secret);
  await visit.go('devices');
};
const make = async (label: string) => {
  await visit.page.getByLabel('Which device or home is it for?').fill(label);
  await visit.page.getByRole('button', { name: 'Make a private name' }).click();
  await visit.notice('The private name is ready.');
};
const shown = () => visit.page.getByRole('group', { name: 'The new private name' });
const list = async () => {
  const { body } = await service.as(secret).call('GET', '/v1/private-names');
  return (body as { privateNames: { label: string; homeOnly: boolean }[] }).privateNames;
};

it('makes a name, shows it once, and takes the focus there', async () => {
  await open();
  await make('Living room');
  const [dot, doh] = await shown().locator('code').allTextContents();
  expect(dot).toMatch(/^[a-z2-7]{26}\.dns\.home\.test$/);
  expect(doh).toBe(`https://${DOMAIN}/dns-query/${dot!.split('.')[0]}`);
  expect(await visit.page.evaluate('document.activeElement.id')).toBe('new-name');
  await shown().getByRole('button', { name: 'I have it' }).click();
  expect(await shown().count()).toBe(0);
  await visit.page.reload();
  await visit.page.getByText('Not used yet').waitFor();
  expect(await visit.page.locator('body').innerText()).not.toContain(dot);
});

it.each([
  ['HTTPS', 'ServerURL'],
  ['TLS', 'ServerName'],
])('saves an Apple profile for %s', async (protocol, key) => {
  await open();
  await make('Tom & <Ann>');
  const [dot, doh] = await shown().locator('code').allTextContents();
  const saved = visit.page.waitForEvent('download');
  await shown()
    .getByRole('button', { name: `Apple profile (${protocol})` })
    .click();
  const download = await saved;
  expect(download.suggestedFilename()).toBe('dns.mobileconfig');
  const program = 'import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))';
  const profile = JSON.parse(
    execFileSync('python3', ['-c', program], { input: readFileSync(await download.path()) }).toString(),
  );
  expect(profile).toMatchObject({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadDisplayName: 'DNS for Tom & <Ann>',
    PayloadContent: [
      {
        PayloadType: 'com.apple.dnsSettings.managed',
        DNSSettings: { DNSProtocol: protocol, [key]: protocol === 'TLS' ? dot : doh },
      },
    ],
  });
  const ids = [profile.PayloadUUID, profile.PayloadContent[0].PayloadUUID];
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) expect(id).toMatch(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
});

it('switches home-only off and on, renews the name, and removes it', async () => {
  await open();
  await make('Phone');
  const first = (await shown().locator('code').allTextContents())[0];
  await visit.page.getByText('Only at home', { exact: true }).click();
  await visit.notice('Phone moves with its device.');
  expect(await list()).toMatchObject([{ label: 'Phone', homeOnly: false }]);
  await visit.page.getByRole('switch', { name: 'Only at home: Phone' }).check();
  await visit.notice('Phone stays at home.');
  expect(await list()).toMatchObject([{ homeOnly: true }]);

  await visit.page.getByRole('button', { name: 'Renew Phone' }).click();
  await visit.page.getByRole('dialog').getByRole('button', { name: 'Renew' }).click();
  await visit.notice('The private name is ready.');
  expect((await shown().locator('code').allTextContents())[0]).not.toBe(first);

  await visit.page.getByRole('button', { name: 'Remove Phone' }).click();
  await visit.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await visit.notice('Phone was removed.');
  expect([await list(), await shown().count()]).toEqual([[], 0]);
});

it('says that the account has no room for another name', async () => {
  for (let made = 0; made < 20; made++)
    await service.as(secret).make('/v1/private-names', { label: `TV ${made}` });
  await open();
  await visit.page.getByLabel('Which device or home is it for?').fill('One more');
  await visit.page.getByRole('button', { name: 'Make a private name' }).click();
  await visit.page.getByText('You have as many private names as your account allows.').waitFor();
});

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  it.each([390, 1280])('fits %i pixels and has no accessibility barrier', async (width) => {
    const shots = process.env['SCREENSHOTS'] ?? temporaryFolder();
    mkdirSync(shots, { recursive: true });
    await open({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' });
    await make('Living room TV');
    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await visit.page.evaluate(overflow)).toBeLessThanOrEqual(0);
    await visit.page.evaluate(AXE);
    const barriers = await visit.page.evaluate(
      "axe.run().then(({ violations }) => violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id))",
    );
    expect(barriers).toEqual([]);
    const card = visit.page.locator('#private-names');
    await card.locator('summary').click();
    await card.screenshot({ path: join(shots, `private-names-${width}-${colorScheme}.png`) });
  });
});
