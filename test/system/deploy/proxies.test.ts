/** The shipped nginx.conf and Caddyfile with the real programs: whom the API sees, and what their logs hold. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { freePort } from '../../support/redis-server.ts';
import { Program, ROOT, RunningService, temporaryFolder, until } from '../../support/service.ts';

const NAME = 'dns.example.com';
const CLIENT = '127.0.81.9';
const FORGED = '203.0.113.66';

interface Front {
  readonly program: Program;
  readonly folder: string;
  readonly port: number;
}

let service: RunningService;
beforeAll(async () => {
  service = await RunningService.start({
    config: { control: { publicUrl: `https://${NAME}`, trustedProxies: ['127.0.0.1'] } },
  });
});
afterAll(() => void service.stop());

/** Folder with a certificate for NAME. */
function prepared(): string {
  const folder = temporaryFolder();
  const { cert, key } = makeCertificate([`DNS:${NAME}`]);
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  mkdirSync(join(folder, 'log'));
  return folder;
}

const read = (name: string) => readFileSync(join(ROOT, 'config/deploy', name), 'utf8');

/** Starts nginx with the shipped file, on free ports and with paths of its own. */
async function startNginx(api: string): Promise<Front> {
  const folder = prepared();
  const [port, redirect] = [await freePort(), await freePort()];
  const text = read('nginx.conf')
    .replace('/run/nginx.pid', join(folder, 'nginx.pid'))
    .replace('/var/log/nginx', join(folder, 'log'))
    .replace(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${redirect};`)
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace('/etc/mediastreamer/tls/fullchain.pem', join(folder, 'cert.pem'))
    .replace('/etc/mediastreamer/tls/privkey.pem', join(folder, 'key.pem'))
    .replace('127.0.0.1:8080', api);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, text);
  const test = spawnSync('nginx', [
    '-t',
    '-q',
    '-c',
    file,
    '-p',
    folder,
    '-e',
    join(folder, 'log/start.log'),
  ]);
  expect([test.status, String(test.stderr)]).toEqual([0, '']);
  const args = ['-c', file, '-p', folder, '-e', join(folder, 'log/start.log'), '-g', 'daemon off;'];
  return { program: new Program('nginx', args, { cwd: folder }), folder, port };
}

/** Starts Caddy with the shipped file, with a certificate of the test's own. */
async function startCaddy(api: string): Promise<Front> {
  const folder = prepared();
  const port = await freePort();
  const text = read('Caddyfile')
    .replace('{\n\tlog default', '{\n\tadmin off\n\tauto_https off\n\tlog default')
    .replace(/^dns\.example\.com \{/m, `https://${NAME}:${port} {\n\tbind 127.0.0.1\n\ttls cert.pem key.pem`)
    .replace('127.0.0.1:8080', api);
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, text);
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const args = ['run', '--adapter', 'caddyfile', '--config', file];
  return { program: new Program('caddy', args, { cwd: folder, env }), folder, port };
}

/** Calls the API through a proxy, from CLIENT, with forged forwarding headers and a word that no log may hold. */
function call({ port }: Front, path: string, word: string): string {
  const { stdout } = spawnSync(
    'curl',
    [
      '-sk',
      ...['--interface', CLIENT, '--connect-to', `${NAME}:443:127.0.0.1:${port}`, '-w', '\n%{http_code}'],
      ...['-H', `X-Forwarded-For: ${FORGED}`, '-H', `Forwarded: for=${FORGED}`, '-H', `User-Agent: ${word}`],
      `https://${NAME}${path}`,
    ],
    { encoding: 'utf8' },
  );
  return stdout;
}

/** Everything that a proxy has written anywhere. */
function written({ program, folder }: Front): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return (
    program.output +
    files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('')
  );
}

describe.each([
  ['nginx.conf', startNginx],
  ['Caddyfile', startCaddy],
] as const)('%s', (_name, start) => {
  it('gives the API the real client, and leaves no trace of it in any log', async () => {
    const front = await start(new URL(service.controlUrl).host);
    const word = 'secretword';
    await until(() => call(front, '/v1/ip', word).endsWith('200'), 'the proxy answers');
    expect(call(front, '/v1/ip', word)).toBe(`{"address":"${CLIENT}"}\n200`);
    expect(call(front, `/${word}`, word)).toMatch(/404$/);
    front.program.kill('SIGTERM');
    await front.program.exited;
    for (const trace of [CLIENT, FORGED, word]) expect(written(front)).not.toContain(trace);
  });

  it('logs no client when the API is away', async () => {
    const front = await start(`127.0.0.1:${await freePort()}`);
    const word = 'secretword';
    await until(() => call(front, `/${word}`, word).endsWith('502'), 'the proxy answers');
    front.program.kill('SIGTERM');
    await front.program.exited;
    for (const trace of [CLIENT, FORGED, word]) expect(written(front)).not.toContain(trace);
  });
});
