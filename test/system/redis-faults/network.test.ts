/** Trouble between edges and their store: distance, a cut, an expired password or certificate, a wrong clock. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, type RedisServer } from '../../support/redis-server.ts';
import { clockAhead, RunningService, temporaryFolder } from '../../support/service.ts';
import { Site, Watch } from './site.ts';
import { ask, metric, reaches, readiness, SERVED, soon, startControl, startEdge } from './support.ts';
import { Wire } from './wire.ts';

const CLOCK_AHEAD_DAYS = 400;

let site: Site;
let wire: Wire;
/** Follows the same Redis over the wire. */
let far: RunningService;
beforeAll(async () => {
  site = await Site.start('127.45');
  wire = await Wire.to(site.redis.port);
  far = await startEdge(wire.urlOf('edge'));
}, 120_000);
afterAll(() => wire.close());

async function served(edge: RunningService, address: string): Promise<void> {
  await soon(async () => (await ask(edge, address)) === SERVED);
}

async function command(server: RedisServer, ...words: string[]): Promise<void> {
  const client = server.client();
  await client.call(words[0], ...words.slice(1));
  client.disconnect();
}

describe('an edge far from its store', { timeout: 60_000 }, () => {
  it('follows it over 200 ms, without an effect on DNS', async () => {
    wire.delayMs = 100;
    const kept = await site.register(1);
    await served(far, kept[0]);
    const watch = new Watch([far], kept, []);
    const addresses = await site.register(3);
    for (const address of addresses) await served(far, address);
    const { asked, wrong, silent } = await watch.stop();
    expect({ wrong, silent }).toEqual({ wrong: [], silent: [] });
    expect(asked).toBeGreaterThan(5);
    expect((await readiness(far)).state).toBe('following');
    expect(far.output).not.toContain('allowlist reloaded');
    wire.delayMs = 0;
  });

  it('serves what it has while cut off, says so, and catches up afterwards', async () => {
    const kept = await site.register(2);
    await served(far, kept[1]);
    const watch = new Watch([far, ...site.edges], kept, [site.never()]);
    wire.cut();
    const [later] = await site.register(1);
    await reaches(far, 'disconnected');
    expect(await ask(far, later)).toBe('REFUSED');
    expect((await readiness(far)).ready).toBe(true);
    for (const edge of site.edges) expect(await ask(edge, later)).toBe(SERVED);
    wire.mend();
    await served(far, later);
    await reaches(far, 'following');
    const { wrong, silent } = await watch.stop();
    expect({ wrong, silent }).toEqual({ wrong: [], silent: [] });
    expect(await metric(far, 'allowlist_reloads')).toBe(0);
  });

  it('lets a control answer a registration in time over 200 ms', async () => {
    wire.delayMs = 100;
    const control = await startControl(wire.urlOf('control'), {
      config: { registration: { allowPrivate: true } },
    });
    const account = await control.admin.make('/v1/accounts');
    const address = site.next();
    const startedAt = performance.now();
    await control.admin.make(`/v1/accounts/${account.id}/registrations`, { address });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await served(site.edges[0], address);
    await control.stop();
    wire.delayMs = 0;
  });
});

describe('a password that is replaced', { timeout: 60_000 }, () => {
  it('leaves an edge its allowlist and connection; an edge that reconnects says what is wrong', async () => {
    const rights = ['~*', '+@all'];
    await command(site.redis, 'ACL', 'SETUSER', 'far', 'reset', 'on', '>old', ...rights);
    const login = (password: string) => `redis://far:${password}@127.0.0.1:${site.redis.port}/0`;
    const edge = await startEdge(login('old'));
    // Redis accepts both while edges are restarted one by one.
    await command(site.redis, 'ACL', 'SETUSER', 'far', '>new');
    const renewed = await startEdge(login('new'));
    await command(site.redis, 'ACL', 'SETUSER', 'far', '<old');
    const [address] = await site.register(1);
    await served(edge, address);
    await served(renewed, address);
    await command(site.redis, 'CLIENT', 'KILL', 'USER', 'far');
    await reaches(edge, 'disconnected');
    await soon(() => edge.output.includes('"reason":"WRONGPASS"'));
    expect(edge.output).toContain('the store rejected the connection: serving the last known allowlist');
    expect(edge.output).not.toContain('old@');
    expect(await ask(edge, address)).toBe(SERVED);
    await reaches(renewed, 'following');
    await edge.stop();
    const restarted = await startEdge(login('new'), { folder: edge.folder });
    await reaches(restarted, 'following');
    expect(await ask(restarted, address)).toBe(SERVED);
    await Promise.all([renewed.stop(), restarted.stop()]);
  });
});

describe('a password that a reload brings', { timeout: 60_000 }, () => {
  it('is used by open connections at once, and by later ones', async () => {
    await command(site.redis, 'ACL', 'SETUSER', 'both', 'reset', 'on', '>old', '~*', '&*', '+@all');
    const login = (password: string) => `redis://both:${password}@127.0.0.1:${site.redis.port}/0`;
    const [edge, control] = await Promise.all([startEdge(login('old')), startControl(login('old'))]);
    const reload = async (one: RunningService, password: string, nth: number): Promise<void> => {
      const file = join(one.folder, 'config.yaml');
      const config = JSON.parse(readFileSync(file, 'utf8'));
      writeFileSync(file, JSON.stringify({ ...config, store: login(password) }));
      one.kill('SIGHUP');
      await one.logged('configuration and catalog read again', nth);
    };
    await command(site.redis, 'ACL', 'SETUSER', 'both', '>new');
    for (const one of [edge, control]) await reload(one, 'new', 1);
    await command(site.redis, 'ACL', 'SETUSER', 'both', '<old');
    await command(site.redis, 'CLIENT', 'KILL', 'USER', 'both');
    const [address] = await site.register(1);
    await served(edge, address);
    await soon(async () => (await control.admin.call('GET', '/v1/accounts')).status === 200);
    for (const one of [edge, control]) expect(one.output).not.toContain('WRONGPASS');

    // A typo: said at once, and nothing is lost by it.
    await reload(edge, 'typo', 2);
    const line = await edge.logged(
      'Redis rejected the new password: open connections go on with the old one',
    );
    expect(line).toMatchObject({ code: 'WRONGPASS' });
    const [later] = await site.register(1);
    await served(edge, later);
    await reload(edge, 'new', 3);
    await Promise.all([edge.stop(), control.stop()]);
    for (const one of [edge, control]) expect(one.output).not.toContain('taken at the next start only');
  });
});

describe('a clock that is wrong by more than a year', { timeout: 60_000 }, () => {
  it('does not disturb an edge and its control', async () => {
    const edge = await RunningService.start({
      config: { roles: ['edge'], store: site.redis.url },
      env: clockAhead(CLOCK_AHEAD_DAYS),
    });
    const [address] = await site.register(1);
    await served(edge, address);
    const { state, ageSeconds, lagChanges } = await readiness(edge);
    expect({ state, lagChanges }).toEqual({ state: 'following', lagChanges: 0 });
    expect(ageSeconds).toBeLessThan(60);
    await edge.stop();
  });
});

describe('a certificate of Redis', { timeout: 60_000 }, () => {
  it('is reported by edge and control when it expires, and replaced without a restart', async () => {
    const port = await freePort();
    const good = makeCertificate('20991231000000Z');
    const over = makeCertificate('20200102000000Z');
    const trusted = join(temporaryFolder(), 'both.pem');
    writeFileSync(trusted, readFileSync(good.cert, 'utf8') + readFileSync(over.cert, 'utf8'));
    const query = `caFile=${encodeURIComponent(trusted)}&serverName=redis.test`;
    const store = `rediss://control:password-of-control@127.0.0.1:${port}/0?${query}`;
    await command(site.redis, 'CONFIG', 'SET', ...tlsSettings(good, trusted, port));
    const [edge, control] = await Promise.all([startEdge(store), startControl(store)]);
    await reaches(edge, 'following');
    const [address] = await site.register(1);
    await served(edge, address);
    await command(site.redis, 'CONFIG', 'SET', ...tlsSettings(over, trusted, port));
    await command(site.redis, 'CLIENT', 'KILL', 'TYPE', 'normal');
    for (const one of [edge, control]) await soon(() => one.output.includes('"reason":"CERT_HAS_EXPIRED"'));
    await reaches(edge, 'disconnected');
    expect(await ask(edge, address)).toBe(SERVED);
    await command(site.redis, 'CONFIG', 'SET', ...tlsSettings(good, trusted, port));
    await reaches(edge, 'following');
    await soon(async () => (await control.admin.call('GET', '/v1/accounts')).status === 200);
    await Promise.all([edge.stop(), control.stop()]);
  });
});

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Makes a certificate of a private authority for redis.test. @param end YYYYMMDDHHMMSSZ */
function makeCertificate(end: string): Certificate {
  const folder = temporaryFolder();
  const [key, request, cert] = ['key', 'request', 'cert'].map((name) => join(folder, `${name}.pem`));
  const settings = join(folder, 'ca.conf');
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    settings,
    [
      ...['[ca]', 'default_ca=own', '[own]', `database=${folder}/index.txt`, `new_certs_dir=${folder}`],
      ...['default_md=sha256', 'policy=names', 'rand_serial=yes', 'x509_extensions=more'],
      ...['[names]', 'commonName=supplied', '[more]', 'subjectAltName=DNS:redis.test', ''],
    ].join('\n'),
  );
  const openssl = (...words: string[]): void => {
    const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=redis.test'];
  openssl('req', '-new', ...curve, '-keyout', key, '-out', request);
  const dates = ['-startdate', '20200101000000Z', '-enddate', end];
  const files = ['-config', settings, '-keyfile', key, '-in', request, '-out', cert];
  openssl('ca', '-batch', '-selfsign', '-notext', ...files, ...dates);
  return { key, cert };
}

function tlsSettings({ key, cert }: Certificate, trusted: string, port: number): string[] {
  const files = ['tls-cert-file', cert, 'tls-key-file', key, 'tls-ca-cert-file', trusted];
  return [...files, 'tls-auth-clients', 'no', 'tls-port', String(port)];
}
