/**
 * Chromium with HTTP/3 to Debian's caddy, through a relay that carries QUIC and one that refuses it: it loads a
 * page and plays a film.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Caddy } from '../support/caddy.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/redis-server.ts';
import { FILMS, RunningService, SERIES, temporaryFolder, until } from '../support/service.ts';

/** Each name leads to its own relay; Chromium's loopback address is the home's. */
const CARRIES = { name: FILMS, address: '127.0.0.1' } as const;
const REFUSES = { name: SERIES, address: '127.0.0.2' } as const;
const ORIGIN = '127.0.0.7';
const HOME = '127.0.0.1';
const BODY = randomBytes(3 << 20);
const PAGES = 30;
const PROFILE_PAGES = 10;

/** Records a red canvas for a second and a half. @returns the film in base64 */
const RECORD = `new Promise((resolve, reject) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
  const context = canvas.getContext('2d');
  let frame = 0;
  const drawing = setInterval(() => {
    context.fillStyle = 'rgb(200, 0, 0)';
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = 'rgb(160, 0, 0)';
    context.fillRect((frame++ * 8) % 320, 0, 8, 8);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm;codecs=vp8' });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onerror = reject;
  recorder.onstop = async () => {
    clearInterval(drawing);
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    resolve(btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')));
  };
  recorder.start();
  setTimeout(() => recorder.stop(), 1500);
})`;

/** Plays the film to its end. @returns what was seen, and by which protocol */
const PLAY = `new Promise((resolve, reject) => {
  const video = Object.assign(document.createElement('video'), { src: '/film.webm', muted: true });
  document.body.append(video);
  video.onerror = () => reject(new Error(video.error.message));
  video.onended = () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 160, 90, 1, 1, 0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    resolve({
      size: [video.videoWidth, video.videoHeight],
      isRed: red > 120 && green < 80 && blue < 80,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      seconds: video.currentTime,
      protocol: performance.getEntriesByName(video.src)[0].nextHopProtocol,
    });
  };
  video.play().catch(reject);
})`;

interface Seen {
  readonly size: readonly number[];
  readonly isRed: boolean;
  readonly frames: number;
  readonly seconds: number;
  readonly protocol: string;
}

let upstream: FakeUpstream;
let caddy: Caddy;
let browser: Browser;
let port: number;
let folder: string;

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'A' ? [{ type: 'A' as const, name: query.name, ttl: 60, data: ORIGIN }] : [];
    answer({ answers })(query, replier);
  };
  folder = temporaryFolder();
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>home</title>');
  writeFileSync(join(folder, 'body'), BODY);
  port = await freePort();
  caddy = await Caddy.start({ address: ORIGIN, port, names: [FILMS, SERIES], folder });
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync', '--enable-quic'],
      `--host-resolver-rules=MAP ${CARRIES.name} ${CARRIES.address},MAP ${REFUSES.name} ${REFUSES.address}`,
      `--ignore-certificate-errors-spki-list=${caddy.keyHash}`,
      // The port is unused: the option serves to accept the names' untrusted certificate over QUIC.
      `--origin-to-force-quic-on=${FILMS}:1,${SERIES}:1`,
    ],
  });
});
beforeAll(async () => {
  const page = await browser.newPage();
  writeFileSync(join(folder, 'film.webm'), Buffer.from(await page.evaluate<string>(RECORD), 'base64'));
  await page.close();
});
afterAll(async () => {
  await browser.close();
  await caddy.stop();
  await upstream.stop();
});

/** A relay on the origin's port, which the origin's Alt-Svc names. */
async function relay(quicMode: 'carry' | 'refuse', address: string): Promise<RunningService> {
  const listener = `${address}:${port}`;
  const service = await RunningService.start({
    config: {
      roles: ['control', 'edge', 'relay'],
      upstreams: [upstream.url],
      relay: {
        tls: [listener],
        quic: [listener],
        quicMode,
        allowPrivateOrigins: true,
        originPort: port,
        drainSeconds: 1,
      },
    },
  });
  expect(await service.logged('ready')).toMatchObject({ relay: { tls: [listener], quic: [listener] } });
  expect((await fetch(`${service.metricsUrl}/readyz`)).status).toBe(200);
  await service.household([HOME]);
  return service;
}

/** Visits the origin. @returns the protocol by the origin, and by Chromium */
async function visit(page: Page, name: string, nth: number): Promise<string> {
  const response = await page.goto(`https://${name}:${port}/?${nth}`);
  const seen = await page.evaluate('performance.getEntriesByType("navigation")[0].nextHopProtocol');
  return `${response!.headers()['x-protocol']} ${seen}`;
}

async function film(page: Page): Promise<Seen> {
  const seen = await page.evaluate<Seen>(PLAY);
  expect(seen).toMatchObject({ size: [320, 180], isRed: true });
  expect(seen.seconds).toBeGreaterThan(0.5);
  expect(seen.frames).toBeGreaterThan(5);
  return seen;
}

it('loads a page and plays a film over HTTP/3 through a relay that carries QUIC, after Alt-Svc', async () => {
  const service = await relay('carry', CARRIES.address);
  let page = await browser.newPage();
  expect(await visit(page, CARRIES.name, 0)).toBe('HTTP/2.0 h2');
  let seen = '';
  for (let nth = 1; nth < PAGES && seen !== 'HTTP/3.0 h3'; nth++) {
    // A page that was too slow with QUIC once avoids it for minutes, so change the profile.
    if (nth % PROFILE_PAGES === 0) page = await browser.newPage();
    seen = await visit(page, CARRIES.name, nth);
  }
  expect(seen, await service.metrics()).toBe('HTTP/3.0 h3');
  const body = await page.evaluate(async () => {
    const bytes = new Uint8Array(await (await fetch('/body')).arrayBuffer());
    const entries = performance.getEntriesByType('resource') as unknown as { nextHopProtocol: string }[];
    const { nextHopProtocol } = entries.at(-1)!;
    return { nextHopProtocol, text: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) };
  });
  expect(body.nextHopProtocol).toBe('h3');
  expect(Buffer.from(body.text, 'base64').equals(BODY)).toBe(true);
  expect((await film(page)).protocol).toBe('h3');
  await page.close();
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(service.stderr).toBe('');
  expect(service.stdout).not.toContain(FILMS);
});

it('falls back to HTTP/2 through a relay that refuses QUIC', async () => {
  const service = await relay('refuse', REFUSES.address);
  const page = await browser.newPage();
  let visits = 0;
  const refused = /relay_connections_total{region="none",service="none",outcome="refused"} [1-9]/;
  await until(async () => {
    expect(await visit(page, REFUSES.name, visits++)).toBe('HTTP/2.0 h2');
    return refused.test(await service.metrics());
  }, 'Chromium has tried QUIC');
  expect(await visit(page, REFUSES.name, visits)).toBe('HTTP/2.0 h2');
  expect((await film(page)).protocol).toBe('h2');
  await page.close();
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(service.stderr).toBe('');
});
