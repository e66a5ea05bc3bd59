/** Chromium's secure DNS with a private name in its template. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { FLAGS } from '../support/home.ts';
import { FILMS, RunningService, temporaryFolder, until } from '../support/service.ts';

it("registers a browser's home by the template of its secure DNS", async () => {
  const folder = temporaryFolder();
  const { cert, key } = makeCertificate(['DNS:dns.example', 'DNS:*.dns.example', 'IP:127.0.0.1']);
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const upstream = await FakeUpstream.start();
  const service = await RunningService.start({
    config: {
      dns: { https: ['127.0.0.1:0'] },
      tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
      privateNames: { domain: 'dns.example' },
      upstreams: [upstream.url],
    },
  });
  const { secret } = await service.household([]);
  const { doh } = await service.as(secret).make('/v1/private-names', { label: 'PC' });
  const template = `${String(doh).replace('dns.example', `127.0.0.1:${service.https.port}`)}{?dns}`;
  const profile = temporaryFolder();
  const settings = { dns_over_https: { mode: 'secure', templates: template } };
  writeFileSync(join(profile, 'Local State'), JSON.stringify(settings));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    headless: true,
    args: [...FLAGS, '--ignore-certificate-errors'],
  });
  try {
    const page = await browser.newPage();
    // The relay's address is a documentation address: the page cannot load, but its name must be asked for.
    const loading = page.goto(`http://${FILMS}/`).catch(() => null);
    await until(
      async () => /queries_total\{[^}]*"https"[^}]*"steered"\} [1-9]/.test(await service.metrics()),
      'the answer is steered',
    );
    const { body } = await service.as(secret).call('GET', '/v1/registrations');
    expect(body).toMatchObject({ registrations: [{ address: '127.0.0.1', source: 'private-name' }] });
    void loading;
  } finally {
    await browser.close();
    await service.stop();
    await upstream.stop();
  }
});
