import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Caddy } from '../support/caddy.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { FILMS, RunningService, temporaryFolder } from '../support/service.ts';

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

it.each(['carry', 'refuse'] as const)('try %s', async (quicMode) => {
  const upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'A' ? [{ type: 'A' as const, name: query.name, ttl: 60, data: '127.0.0.7' }] : [];
    answer({ answers })(query, replier);
  };
  const folder = temporaryFolder();
  const port = await freePort();
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>films</title>');
  const caddy = await Caddy.start({ address: '127.0.0.7', port, names: [FILMS], folder });
  const service = await RunningService.start({
    config: {
      roles: ['control', 'edge', 'relay'],
      upstreams: [upstream.url],
      regions: { us: { relays: [{ address: '127.0.0.1' }] } },
      relay: { tls: [`127.0.0.1:${port}`], quic: [`127.0.0.1:${port}`], quicMode, allowPrivateOrigins: true, originPort: port, drainSeconds: 2 },
    },
  });
  await service.household(['127.0.0.1']);
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--enable-quic',
      `--host-resolver-rules=MAP * 127.0.0.1`,
      `--ignore-certificate-errors-spki-list=${caddy.keyHash}`,
      `--origin-to-force-quic-on=${FILMS}:${process.env.FORCE ? port : 1}`],
  });
  const page = await browser.newPage();
  for (let i = 0; i < 4; i++) {
    const t = performance.now();
    const response = await page.goto(`https://${FILMS}:${port}/?${i}`).catch((e) => { console.log(String(e)); return null; });
    console.log(quicMode, i, Math.round(performance.now() - t), response?.headers()['x-protocol'], await page.evaluate('performance.getEntriesByType("navigation")[0]?.nextHopProtocol'));
    await new Promise((r) => setTimeout(r, 300));
  }
  console.log((await service.metrics()).split('\n').filter((l) => /relay_/.test(l) && !l.startsWith('#')).join('\n'));
  await browser.close();
  await caddy.stop();
  console.log(await service.stop(), service.stderr);
  await upstream.stop();
});
