/**
 * The README's picture of the DNS Settings page. To take it again:
 *
 *     MEDIASTREAMER_PICTURE=.github/dns-settings.png npm run test:system -- picture
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Home, launchBrowser, startSite } from '../support/home.ts';
import { ROOT } from '../support/service.ts';

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const PICTURE = join(ROOT, '.github/dns-settings.png');

it('shows a home that is registered, with the shipped services', async () => {
  const service = await startSite({ catalog: { services: [join(ROOT, 'config/services/*.yaml')] } });
  const browser = await launchBrowser();
  const home = await Home.open(service, { address: '127.0.7.9' });
  home.alterPage = (page) => {
    page.caller.address = '198.51.100.27';
    for (const registration of page.registrations ?? []) registration.address = '198.51.100.27';
  };
  const { secret } = await service.household(['127.0.7.9']);
  const visit = await home.visit(browser, {
    viewport: { width: 1100, height: 765 },
    deviceScaleFactor: 0.65,
    reducedMotion: 'reduce',
  });
  await visit.enter(service, secret);
  const picture = await visit.page.screenshot({ type: 'png' });
  expect(picture.subarray(0, 4)).toEqual(PNG);
  const target = process.env['MEDIASTREAMER_PICTURE'];
  if (target !== undefined) writeFileSync(target, picture);
  await browser.close();
  home.close();
  await service.stop();
});

it('is a small PNG in the repository, and the README shows it', () => {
  expect(readFileSync(PICTURE).subarray(0, 4)).toEqual(PNG);
  expect(statSync(PICTURE).size).toBeLessThan(130_000);
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain('(.github/dns-settings.png)');
});
