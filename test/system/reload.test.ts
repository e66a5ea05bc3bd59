/** Reloads of a running service by SIGHUP, as its operator and its homes see them. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askUdp, encodeQuery, shown, UdpClient } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { FILMS, RunningService, until } from '../support/service.ts';

const HOME = '127.0.6.1';
const STRANGER = '127.0.6.2';
const API_NAME = 'api.of-the-operator.example';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

describe.each(['mmsg', 'dgram'])('SIGHUP to a service with %s', (engine) => {
  let service: RunningService;
  let reloads = 0;
  beforeAll(async () => {
    service = await RunningService.start({ config: { dns: { engine }, upstreams: [upstream.url] } });
    await service.household([HOME]);
  });
  afterAll(() => service.stop());

  const ask = async (from: string, name: string) => shown(await askUdp(service.udp, from, { name }));
  const file = () => join(service.folder, 'config.yaml');
  /** Merges sections into the configuration and waits until it is applied. */
  async function reload(sections: Record<string, object>): Promise<void> {
    const before = JSON.parse(readFileSync(file(), 'utf8'));
    const merged = Object.entries(sections).map(([key, value]) => [
      key,
      Array.isArray(value) ? value : { ...before[key], ...value },
    ]);
    writeFileSync(file(), JSON.stringify({ ...before, ...Object.fromEntries(merged) }));
    service.kill('SIGHUP');
    await service.logged('configuration and catalog read again', ++reloads);
  }
  const gauge = async (name: string) =>
    Number(new RegExp(`^mediastreamer_${name} (.+)$`, 'm').exec(await service.metrics())?.[1]);

  it('answers new bootstrap names for everyone, and stops to', async () => {
    expect(await ask(STRANGER, API_NAME)).toBe('REFUSED');
    await reload({ dns: { bootstrapNames: [API_NAME] } });
    expect(await ask(STRANGER, API_NAME)).toBe('NOERROR 192.0.2.1');
    await reload({ dns: { bootstrapNames: [] } });
    expect(await ask(STRANGER, API_NAME)).toBe('REFUSED');
    expect(await ask(HOME, FILMS)).toBe('NOERROR 192.0.2.10');
  });

  it('limits strangers by the new rate, and homes not', async () => {
    await reload({ dns: { rateLimit: { perSecond: 1, burst: 1 } } });
    const stranger = await UdpClient.open('127.0.7.1');
    for (let query = 0; query < 50; query++) stranger.send(service.udp, encodeQuery({ name: FILMS }));
    const limited = () => gauge('queries_total\\{transport="udp",verdict="ratelimited"\\}');
    await until(async () => (await limited()) > 0, 'queries are over the limit');
    stranger.close();
    for (let query = 0; query < 5; query++) expect(await ask(HOME, FILMS)).toBe('NOERROR 192.0.2.10');
  });

  it('asks new upstreams, and forgets the old ones', async () => {
    const other = await FakeUpstream.start({
      udp: answer({ answers: [{ type: 'A', name: 'www.example', ttl: 300, data: '192.0.2.77' }] }),
    });
    try {
      expect(await ask(HOME, 'www.example')).toBe('NOERROR 192.0.2.1');
      await reload({ upstreams: [other.url], cache: { bytes: '2MiB' } });
      const before = upstream.queries.length;
      expect(await ask(HOME, 'www.example')).toBe('NOERROR 192.0.2.77');
      expect(upstream.queries).toHaveLength(before);
      expect(await service.metrics()).toContain(
        `mediastreamer_upstream_healthy{index="0",upstream="${other.url}"} 1`,
      );
    } finally {
      await reload({ upstreams: [upstream.url] });
      await other.stop();
    }
    expect(await ask(HOME, 'else.example')).toBe('NOERROR 192.0.2.1');
  });

  it('caches in a cache of the new size', async () => {
    await reload({ cache: { bytes: '4MiB', staleSeconds: 60 } });
    expect(await gauge('cache_bytes')).toBe(4 << 20);
    const before = upstream.queries.length;
    for (let query = 0; query < 5; query++)
      expect(await ask(HOME, 'cached.example')).toBe('NOERROR 192.0.2.1');
    expect(upstream.queries).toHaveLength(before + 1);
    await reload({ cache: { bytes: '1MiB' } });
    expect(await gauge('cache_bytes')).toBe(1 << 20);
  });

  it("replaces the operator's keys while both are valid", async () => {
    const status = async (key: string) => {
      const url = `${service.controlUrl}/v1/accounts`;
      return (await fetch(url, { headers: { authorization: `Bearer ${key}` } })).status;
    };
    const [old, next] = ['old-key-of-the-operator', 'new-key-of-the-operator'];
    const first = service.adminKey;
    writeFileSync(join(service.folder, 'old-key'), `${old}\n`);
    const digest = `sha256:${createHash('sha256').update(next).digest('hex')}`;
    await reload({
      control: {
        keys: [
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
          { id: 'old', key: '${file:old-key}' },
          { id: 'new', key: digest },
        ],
      },
    });
    expect([await status(first), await status(old), await status(next)]).toEqual([401, 200, 200]);
    await reload({ control: { keys: [{ id: 'new', key: digest }] } });
    expect([await status(old), await status(next)]).toEqual([401, 200]);
    await reload({ control: { keys: [] } });
    expect([await status(first), await status(next)]).toEqual([200, 401]);
  });

  it('shows the latest reload, and an error of one, in the metrics', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await service.metrics()).toContain(`mediastreamer_build_info{version="${version}"} 1`);
    expect(await service.metrics()).toMatch(/^mediastreamer_catalog_info\{version="[\da-f]{12}"\} 1$/m);
    const before = await gauge('reload_timestamp_seconds');
    await reload({});
    expect(await gauge('reload_timestamp_seconds')).toBeGreaterThan(before);
    expect(await gauge('reload_success')).toBe(1);
    const good = readFileSync(file(), 'utf8');
    writeFileSync(file(), '{');
    service.kill('SIGHUP');
    await service.logged('not reloaded: the old configuration and catalog stay');
    expect(await gauge('reload_success')).toBe(0);
    expect(await ask(HOME, FILMS)).toBe('NOERROR 192.0.2.10');
    writeFileSync(file(), good);
    await reload({});
    expect(await gauge('reload_success')).toBe(1);
  });

  it('names no key that was applied', () => {
    expect(service.lines.map(({ msg }) => msg)).not.toContain('changed, and taken at the next start only');
  });
});
