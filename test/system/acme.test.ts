/** Certificates from a real ACME CA, Debian's caddy, in a network namespace with ports 53, 80, 443 and 853 of its own. */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acmeDirectory, acmeRoot, startAcmeCa } from '../support/acme-ca.ts';
import { clockAhead, MAIN, NODE, Program, temporaryFolder, until, writeConfig } from '../support/service.ts';

const run = promisify(execFile);
const DOMAIN = 'dns.home.example';
const CA = 'ca.home.example';
const HOST = '198.51.99.1';
const CA_ADDRESS = '198.51.99.2';
const ZONE_SERVER = join(import.meta.dirname, '../support/zone-server.mjs');
const canUnshare = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** The network, the hosts file that the CA resolves by, and the CA; then the program. */
const SCRIPT = `
ip link set lo up && ip address add ${HOST}/32 dev lo && ip address add ${CA_ADDRESS}/32 dev lo &&
mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf && echo prepared && exec sleep 600`;

describe.runIf(canUnshare)('a certificate by ACME', () => {
  let folder: string;
  let network: Program;
  let caddy: Program;
  let service: Program;

  /** Prefix that runs a command in the network. */
  const inside = (): string[] => ['nsenter', '--net', '--mount', '--target', String(network.child.pid)];

  beforeAll(async () => {
    folder = temporaryFolder();
    writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${HOST} ${DOMAIN}\n${CA_ADDRESS} ${CA}\n`);
    // The CA asks the edge, as resolvers do where the challenge names are delegated to it.
    writeFileSync(join(folder, 'resolv.conf'), `nameserver ${HOST}\n`);
    network = new Program('unshare', ['--net', '--mount', 'sh', '-c', SCRIPT, 'sh', folder]);
    await network.until(() => network.stdout.includes('prepared'), 'network');
    caddy = await startAcmeCa({ name: CA, address: CA_ADDRESS, folder, wrapper: inside() });
    const config = writeConfig(folder, {
      domain: DOMAIN,
      address: HOST,
      roles: ['control', 'edge', 'relay'],
      acme: { directory: acmeDirectory(CA), email: 'me@home.example', agree: true },
      dns: { udp: [`${HOST}:53`], tcp: [`${HOST}:53`], tls: [`${HOST}:853`], workers: 1 },
      control: { listen: ['127.0.0.1:8080'], publicUrl: `https://${DOMAIN}` },
      relay: { workers: 1 },
      registration: { allowPrivate: true },
      upstreams: ['udp://127.0.0.1:9'],
    });
    service = new Program(NODE, [MAIN, 'serve', '--config', config], {
      wrapper: inside(),
      env: { NODE_EXTRA_CA_CERTS: rootOf() },
    });
    await service.logged('ready');
  });
  afterAll(async () => {
    service.kill('SIGTERM');
    expect((await service.exited).code).toBe(0);
    for (const program of [caddy, network]) program.kill('SIGTERM');
    await Promise.all([caddy.exited, network.exited]);
  });

  const rootOf = (): string => acmeRoot(folder);
  const curl = async (...args: string[]): Promise<string> => {
    const command = [...inside(), 'curl', '-sS', '--max-time', '20', '--cacert', rootOf(), ...args];
    return (await run(command[0]!, command.slice(1))).stdout;
  };

  /** Names in the certificate of a data directory. */
  async function namesIn(dataDir: string): Promise<string> {
    const file = join(dataDir, 'acme/certificate.pem');
    return (await run('openssl', ['x509', '-in', file, '-noout', '-ext', 'subjectAltName'])).stdout;
  }

  it('is issued by HTTP-01 on the relay’s port 80, and taken without a restart', async () => {
    await service.logged('new certificate');
    expect(JSON.parse(await curl(`https://${DOMAIN}/v1/ip`))).toHaveProperty('address');
    // Every encrypted listener has it: an account's address asks over TLS.
    const key = [...inside(), 'cat', join(folder, 'var/admin.key')];
    const { stdout: adminKey } = await run(key[0]!, key.slice(1));
    const header = ['-H', `Authorization: Bearer ${adminKey.trim()}`, '-H', 'Content-Type: application/json'];
    const account = JSON.parse(await curl(...header, '-d', '{}', `https://${DOMAIN}/v1/accounts`));
    const own = ['-H', `Authorization: Bearer ${account.secret}`, '-H', 'Content-Type: application/json'];
    await curl(...own, '-d', '{}', '--interface', '127.0.0.1', 'http://127.0.0.1:8080/v1/registrations');
    const dot = [
      'kdig',
      `@${HOST}`,
      '-b',
      '127.0.0.1',
      '+tls',
      `+tls-hostname=${DOMAIN}`,
      `+tls-ca=${rootOf()}`,
    ];
    const asked = [...inside(), ...dot, '+short', 'test-films.com'];
    expect((await run(asked[0]!, asked.slice(1))).stdout.trim()).toBe('192.0.2.10');
  });

  it('covers the self-test’s names by DNS-01, which the edge answers with authority', async () => {
    // The first certificate is the host's own name alone: it does not wait for DNS-01.
    await service.logged('new certificate', 2);
    const chain = await namesIn(join(folder, 'var'));
    for (const name of ['reached', 'registered', 'relayed'])
      expect(chain).toContain(`*.${name}.test.${DOMAIN}`);
    const dig = async (...args: string[]): Promise<string> => {
      const command = [...inside(), 'dig', `@${HOST}`, '+tries=1', '+noall', '+comments', '+answer', ...args];
      return (await run(command[0]!, command.slice(1))).stdout;
    };
    const challenge = `_acme-challenge.reached.test.${DOMAIN}`;
    const source = ['-b', CA_ADDRESS];
    expect(await dig('+norecurse', ...source, challenge, 'NS')).toMatch(
      /flags: qr aa[^;]*;(.|\n)*\sNS\s+dns\.home\.example\./,
    );
    expect(await dig('+norecurse', ...source, challenge, 'TXT')).toMatch(
      /NOERROR(.|\n)*flags: qr aa[^;]*; QUERY: 1, ANSWER: 0/,
    );
    expect(await dig('+norecurse', ...source, `_acme-challenge.${DOMAIN}`, 'SOA')).toMatch(/ANSWER: 1/);
    expect(await dig('+norecurse', ...source, `test.${DOMAIN}`, 'NS')).toMatch(
      /flags: qr aa(.|\n)*ANSWER: 1/,
    );
    expect(await dig('+norecurse', ...source, `reached.test.${DOMAIN}`, 'A')).toMatch(
      /NOERROR(.|\n)*aa[^;]*;[^;]*ANSWER: 0/,
    );
    // A resolver of others must not find what only devices of ours are to find.
    expect(await dig('+norecurse', ...source, `x.reached.test.${DOMAIN}`, 'A')).toMatch(/NXDOMAIN/);
    expect(await dig(...source, `x.reached.test.${DOMAIN}`, 'A')).toContain(HOST);
    expect(await dig(...source, `x.relayed.test.${DOMAIN}`, 'A')).toMatch(/NXDOMAIN/);
    expect(await dig('-b', '127.0.0.1', `x.relayed.test.${DOMAIN}`, 'A')).toMatch(
      /\s0\s+IN\s+A\s+192\.0\.2\.10/,
    );
    expect(await dig('+norecurse', ...source, 'www.other.example', 'A')).toMatch(/REFUSED/);
  });

  it('is kept with its account in files that only this user reads', () => {
    const directory = join(folder, 'var/acme');
    expect(readdirSync(directory).sort()).toEqual(['account.key', 'certificate.pem']);
    for (const file of readdirSync(directory)) {
      expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('is not ordered again at the next start', async () => {
    const orders = (): number => caddy.stderr.split('/acme/local/new-order').length;
    const before = orders();
    service.kill('SIGTERM');
    expect((await service.exited).code).toBe(0);
    service = new Program(NODE, [MAIN, 'serve', '--config', join(folder, 'config.yaml')], {
      wrapper: inside(),
      env: { NODE_EXTRA_CA_CERTS: rootOf() },
    });
    await service.logged('ready');
    expect(JSON.parse(await curl(`https://${DOMAIN}/v1/ip`))).toHaveProperty('address');
    const metrics = /:(\d+)/.exec(String((await service.logged('ready'))['metrics']))![1];
    await until(async () => {
      const text = await curl(`http://127.0.0.1:${metrics}/metrics`);
      return /^mediastreamer_acme_failures_total 0$/m.test(text);
    }, 'no failure');
    expect(orders()).toBe(before);
    expect(service.lines.some(({ msg }) => msg === 'new certificate')).toBe(false);
  });

  /** Starts the service again, with its clock ahead. */
  async function restart(hoursAhead: number): Promise<void> {
    service.kill('SIGTERM');
    expect((await service.exited).code).toBe(0);
    service = new Program(NODE, [MAIN, 'serve', '--config', join(folder, 'config.yaml')], {
      wrapper: inside(),
      env: { NODE_EXTRA_CA_CERTS: rootOf(), ...clockAhead(hoursAhead / 24) },
    });
    await service.logged('ready');
  }

  /** Serial number of the certificate that port 443 serves. */
  async function servedSerial(): Promise<string> {
    const client = `openssl s_client -connect ${HOST}:443 -servername ${DOMAIN} </dev/null 2>/dev/null`;
    const [file, ...args] = [...inside(), 'sh', '-c', `${client} | openssl x509 -noout -serial`];
    return (await run(file!, args)).stdout.trim();
  }

  it('stays in use where the CA does not answer at two thirds of its life', async () => {
    const before = await servedSerial();
    caddy.kill('SIGTERM');
    await caddy.exited;
    // The CA's certificates last 12 hours.
    await restart(9);
    expect(await service.logged('no new certificate: the one in use stays')).toMatchObject({
      code: 'acme_failed',
      reason: `${CA}:9443 does not answer (ECONNREFUSED)`,
      problem: null,
      isFromCa: false,
    });
    expect(await servedSerial()).toBe(before);
    const metrics = /:(\d+)/.exec(String((await service.logged('ready'))['metrics']))![1];
    expect(await curl(`http://127.0.0.1:${metrics}/metrics`)).toMatch(
      /^mediastreamer_acme_failures_total [12]$/m,
    );
  });

  it('is renewed at two thirds of its life, and served without a restart', async () => {
    const before = await servedSerial();
    caddy = await startAcmeCa({ name: CA, address: CA_ADDRESS, folder, wrapper: inside() });
    await restart(9);
    await service.logged('new certificate');
    await until(async () => (await servedSerial()) !== before, 'the new one is served');
  });

  it('is issued by the operator’s own command for DNS-01', async () => {
    service.kill('SIGTERM');
    expect((await service.exited).code).toBe(0);
    const zone = join(folder, 'zone');
    writeFileSync(zone, `${CA} ${CA_ADDRESS}\n${DOMAIN} ${HOST}\n`);
    const hook = join(folder, 'hook');
    const script = `#!/bin/sh
      case $1 in
        set) echo "$2 =$3" >>${zone} ;;
        remove) sed -i "/^$2 =$3$/d" ${zone} ;;
      esac
    `;
    writeFileSync(hook, script, { mode: 0o700 });
    const server = new Program(NODE, [ZONE_SERVER, HOST, zone], { wrapper: inside() });
    await server.until(() => server.stdout.includes('serving'), 'name server');
    const config = JSON.parse(readFileSync(join(folder, 'config.yaml'), 'utf8'));
    config.acme.dnsHook = hook;
    config.dns = { ...config.dns, udp: [`${HOST}:5300`], tcp: [`${HOST}:5300`] };
    config.dataDir = join(folder, 'hooked');
    writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
    service = new Program(NODE, [MAIN, 'serve', '--config', join(folder, 'config.yaml')], {
      wrapper: inside(),
      env: { NODE_EXTRA_CA_CERTS: rootOf() },
    });
    await service.logged('new certificate', 2);
    expect(await namesIn(join(folder, 'hooked'))).toContain(`*.relayed.test.${DOMAIN}`);
    expect(readFileSync(zone, 'utf8')).not.toContain('=');
    server.kill('SIGTERM');
    await server.exited;
  });
});
