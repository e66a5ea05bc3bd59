import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askUdp, shown } from '../support/dns-client.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  writeConfig,
  writeServiceFile,
} from '../support/service.ts';

const HOME = '127.0.0.5';
const NEW_NAME = 'new-films.com';
/** Counted in tries of 100 ms: a busy machine takes long for one. */
const MOST_TRIES = 300;

/** Serves one file with an ETag, as any static server does. */
class FileServer {
  body: Buffer | null = null;
  readonly statuses: number[] = [];
  private readonly server = createServer((request, response) => this.reply(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/catalog.bundle`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private reply(request: IncomingMessage, response: ServerResponse): void {
    const etag = `"${this.body?.length}-${this.body?.at(-1)}"`;
    const status = this.body === null ? 503 : request.headers['if-none-match'] === etag ? 304 : 200;
    this.statuses.push(status);
    response.writeHead(status, { etag });
    response.end(status === 200 ? this.body : undefined);
  }
}

/** Repeats a look until it holds. */
async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never came to pass: ${what}`);
}

describe('the catalog as a signed bundle', () => {
  const server = new FileServer();
  const folder = temporaryFolder();
  const key = join(folder, 'catalog.key');
  let url: string;
  let publicKey: string;
  let service: RunningService;

  async function catalog(...args: string[]) {
    const { code, stdout, stderr } = await runProgram(['catalog', ...args]);
    return { code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  }

  /** Builds and signs a bundle of the test services and one more name. */
  async function publish(version: number, names: readonly string[], signingKey = key): Promise<string> {
    const source = temporaryFolder();
    const config = writeConfig(source);
    writeServiceFile(source, { service: 'films', title: 'Films', regions: ['us', 'gb'], names });
    const out = join(source, `${version}.bundle`);
    const built = await catalog('build', '--config', config, '--out', out, '--version', String(version));
    expect(built).toEqual({ code: 0, stdout: `version ${version}, 2 services; not signed yet`, stderr: '' });
    expect((await catalog('sign', out, '--key', signingKey)).code).toBe(0);
    return out;
  }

  const config = () => join(service.folder, 'config.yaml');
  const isSteered = async (name: string) =>
    shown(await askUdp(service.udp, HOME, { name })) === `NOERROR ${RELAY.us.address}`;
  const refreshMetric = async () => /catalog_refresh_success (\d)/.exec(await service.metrics())?.[1];

  beforeAll(async () => {
    url = await server.start();
    const made = await catalog('keygen', '--out', key);
    expect(made.code).toBe(0);
    publicKey = made.stdout;
    const bundle = { url, publicKey, refreshSeconds: 1 };
    const fields = {
      catalog: { services: ['services/*.yaml'], bundle },
      roles: ['control', 'edge', 'relay'],
    };
    const relay = { tls: ['127.0.0.1:0'], region: 'us' };
    service = await RunningService.start({ config: { ...fields, relay } });
    await service.household([HOME]);
  });
  afterAll(() => server.close());

  it('has a private key that its owner alone reads, and keygen never overwrites it', async () => {
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const before = readFileSync(key);
    expect((await catalog('keygen', '--out', key)).code).toBe(1);
    expect(readFileSync(key)).toEqual(before);
  });

  it('serves the service files until a bundle is there', async () => {
    expect(await isSteered(FILMS)).toBe(true);
    expect(await isSteered(NEW_NAME)).toBe(false);
    await eventually('an error in the metrics', async () => (await refreshMetric()) === '0');
    expect((await catalog('status', '--config', config())).stdout).toMatch(/^no bundle was taken yet/);
  });

  it('is taken without a restart, and asked for by its ETag from then on', async () => {
    server.body = readFileSync(await publish(1, [FILMS, NEW_NAME]));
    await eventually('the new name is steered', () => isSteered(NEW_NAME));
    await eventually('a reply of 304', () => server.statuses.at(-1) === 304);
    expect(await refreshMetric()).toBe('1');
    expect((await catalog('status', '--config', config())).stdout).toBe('version 1');
  });

  it.each([
    ['signed by another key', 'bad_signature'],
    ['cut in the middle', 'bad_signature'],
    ['huge', 'bundle_too_large'],
    ['with a name that another service has', 'invalid_catalog'],
  ])('that is bad changes nothing and is an alarm: %s', async (what, code) => {
    const goodBefore = server.body;
    server.body = await badBundle(what);
    await eventually(`log line ${code}`, () => service.stdout.includes(`"code":"${code}"`));
    await eventually('an error in the metrics', async () => (await refreshMetric()) === '0');
    expect(await isSteered(NEW_NAME)).toBe(true);
    expect((await catalog('status', '--config', config())).stdout).toBe('version 1');
    server.body = goodBefore;
    await eventually('the metrics are good again', async () => (await refreshMetric()) === '1');
  });

  async function badBundle(what: string): Promise<Buffer> {
    if (what === 'huge') return Buffer.alloc(9 * 1024 * 1024, 'x');
    if (what === 'with a name that another service has') {
      return readFileSync(await publishUnchecked(5));
    }
    if (what === 'cut in the middle') return readFileSync(await publish(6, [FILMS])).subarray(0, -40);
    const other = join(temporaryFolder(), 'other.key');
    expect((await catalog('keygen', '--out', other)).code).toBe(0);
    return readFileSync(await publish(7, [FILMS], other));
  }

  /** A publisher who signs nonsense. */
  async function publishUnchecked(version: number): Promise<string> {
    const out = join(temporaryFolder(), 'bad.bundle');
    const text = (id: string) => JSON.stringify({ service: id, title: id, regions: ['us'], names: [FILMS] });
    const content = JSON.stringify({ version, files: { 'a.yaml': text('a'), 'b.yaml': text('b') } });
    writeFileSync(out, `mediastreamer-catalog 1 -\n${content}`);
    expect((await catalog('sign', out, '--key', key)).code).toBe(0);
    return out;
  }

  it('never goes back by itself, and goes back by rollback until it is unpinned', async () => {
    const first = server.body!;
    server.body = readFileSync(await publish(2, [FILMS]));
    await eventually('the name is gone', async () => !(await isSteered(NEW_NAME)));
    server.body = first;
    await eventually('the old one is refused', () => service.stdout.includes('"code":"bundle_too_old"'));
    expect(await isSteered(NEW_NAME)).toBe(false);
    expect(await catalog('rollback', '--config', config())).toEqual({
      code: 0,
      stdout: 'version 1 is pinned and served',
      stderr: '',
    });
    expect(await isSteered(NEW_NAME)).toBe(true);
    server.body = readFileSync(await publish(3, [FILMS]));
    const fetches = server.statuses.length;
    await eventually('three more fetches', () => server.statuses.length > fetches + 3);
    expect(await isSteered(NEW_NAME)).toBe(true);
    expect((await catalog('unpin', '--config', config())).code).toBe(0);
    await eventually('the newest is served', async () => !(await isSteered(NEW_NAME)));
  });

  it('reaches a process with the control role alone', async () => {
    const bundle = { url, publicKey, refreshSeconds: 1 };
    const alone = await RunningService.start({
      config: { roles: ['control'], catalog: { services: ['services/*.yaml'], bundle } },
    });
    await eventually('the version in its metrics', async () =>
      (await alone.metrics()).includes('mediastreamer_catalog_info{version="3"} 1'),
    );
    await alone.stop();
  });

  it('is verified and compared by commands', async () => {
    const one = await publish(8, [FILMS]);
    const two = await publish(9, [FILMS, NEW_NAME]);
    expect((await catalog('verify', two, '--public-key', publicKey)).stdout).toMatch(
      /^version 9, 2 services/,
    );
    expect((await catalog('diff', one, two)).stdout).toBe(`films: changed\n  + ${NEW_NAME}`);
    writeFileSync(two, readFileSync(two).subarray(0, -1));
    expect(await catalog('verify', two, '--public-key', publicKey)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'mediastreamer catalog: the signature is not one of this public key',
    });
  });

  it('survives a restart while its server is away', async () => {
    server.body = readFileSync(await publish(10, [FILMS, NEW_NAME]));
    await eventually('the new name is steered', () => isSteered(NEW_NAME));
    await service.stop();
    server.body = null;
    service = await RunningService.start({ folder: service.folder });
    expect(await isSteered(NEW_NAME)).toBe(true);
  });
});

describe('catalog refresh', () => {
  const lists = new Map<string, string>();
  const server = createServer((request, response) => {
    const text = lists.get(request.url!);
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  let template: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    template = `http://127.0.0.1:${(server.address() as AddressInfo).port}/{repository}/{ref}/{path}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  it("takes what changed in the lists, and holds back another service's names and sudden growth", async () => {
    const folder = temporaryFolder();
    const config = writeConfig(folder);
    const source = (list: string) => `owner/lists@0000001 data/${list}`;
    const write = (service: string, names: string[]) =>
      writeServiceFile(folder, { service, title: service, regions: ['us'], names, source: source(service) });
    write('films', ['films.example', 'films-cdn.example', 'by-hand.example']);
    write('series', ['series.example']);
    write('sport', ['sport.example']);
    const put = (ref: string, list: string, text: string) =>
      lists.set(`/owner/lists/${ref}/data/${list}`, text);
    put('0000001', 'films', 'films.example\nfilms-cdn.example\nunwanted.example\n');
    put('0000002', 'films', 'include:films-more\nfilms.example\nfilms-cdn.example\nunwanted.example\n');
    put('0000002', 'films-more', 'fresh.example # new\n');
    put('0000001', 'series', 'series.example\n');
    put('0000002', 'series', 'series.example\nfilms.example\n');
    put('0000001', 'sport', 'sport.example\n');
    const grown = Array.from({ length: 9 }, (_, index) => `n${index}.example\n`).join('');
    put('0000002', 'sport', `sport.example\n${grown}`);
    const out = join(folder, 'next.bundle');
    const args = [
      '--config',
      config,
      '--out',
      out,
      '--lists',
      template,
      '--ref',
      '0000002',
      '--version',
      '2',
    ];
    const first = await runProgram(['catalog', 'refresh', ...args]);
    expect(first.code).toBe(3);
    expect(first.stdout.trimEnd().split('\n')).toEqual([
      'films: changed',
      '    verified: false -> imported',
      '  + fresh.example',
      'version 2, 3 services; not signed yet',
    ]);
    expect(first.stderr).toMatch(/^series: held back, as before: .*films\.example/m);
    expect(first.stderr).toMatch(/^sport: held back, as before: 9 new names beside 1$/m);
    const accepted = await runProgram(['catalog', 'refresh', ...args, '--accept', 'sport']);
    expect(accepted.stdout).toMatch(/^ {2}\+ n8\.example$/m);
    expect(accepted.stderr).not.toMatch(/sport/);
  });
});
