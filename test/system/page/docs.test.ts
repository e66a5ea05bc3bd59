/** The API's description for people, in a real browser under its content policy. */
import { expect, it, onTestFinished } from 'vitest';
import { Home, launchBrowser, SITE, startSite } from '../../support/home.ts';

it('/docs shows the API without an error, a violation of the policy or a foreign request', async () => {
  const [service, browser] = await Promise.all([startSite(), launchBrowser()]);
  onTestFinished(() => browser.close());
  const home = await Home.open(service, { address: '127.0.7.21' });
  onTestFinished(() => home.close());
  const visit = await home.visit(browser);
  await visit.page.goto(`${SITE}/docs`);
  await visit.page.getByText('Register the address that I call from').first().click();
  await visit.page.getByText('too_many_addresses').first().waitFor();
  expect(await visit.page.getByRole('button', { name: 'Try it out' }).count()).toBe(0);
  expect([...visit.hosts].filter((host) => host !== '')).toEqual(['dns.home.test']);
  expect(visit.complaints).toEqual([]);
  if (process.env['SCREENSHOTS'] !== undefined) {
    await visit.page.screenshot({ path: `${process.env['SCREENSHOTS']}/docs.png` });
  }
});
