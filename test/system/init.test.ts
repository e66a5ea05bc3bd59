/**
 * `mediastreamer init` in network namespaces: a VPS with one address, a home, and the Internet between them with the domain's DNS,
 * an ACME CA (Debian's caddy) and an origin. Every step is a command of the documentation.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acmeDirectory, acmeRoot, startAcmeCa } from '../support/acme-ca.ts';
import { MAIN, NODE, Program, temporaryFolder } from '../support/service.ts';

const DOMAIN = 'dns.home.example';
const CA = 'ca.home.example';
const ORIGIN = 'www.netflix.com';
const VPS_ADDRESS = '198.51.99.1';
const INTERNET_ADDRESS = '198.51.99.2';
const HOME_ADDRESS = '81.2.69.160';
const ZONE_SERVER = join(import.meta.dirname, '../support/zone-server.mjs');

const canUnshare = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** A network namespace with a resolv.conf of its own. */
async function namespace(folder: string): Promise<Program> {
  const script =
    'mount --bind "$1/resolv.conf" /etc/resolv.conf && ip link set lo up && echo up && exec sleep 900';
  const made = new Program('unshare', ['--net', '--mount', 'sh', '-c', script, 'sh', folder]);
  await made.until(() => made.stdout.includes('up'), 'namespace');
  return made;
}

const inside = ({ child }: Program): string[] => [
  'nsenter',
  '--net',
  '--mount',
  '--target',
  String(child.pid),
];

async function run(where: Program, ...command: string[]) {
  const [file, ...args] = command;
  const program = new Program(file!, args, { wrapper: inside(where) });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

describe.runIf(canUnshare)('init', () => {
  const folder = temporaryFolder();
  const directory = join(folder, 'etc');
  const root = acmeRoot(folder);
  const zone = join(folder, 'zone');
  const others = [`${CA} ${INTERNET_ADDRESS}`, `${ORIGIN} ${INTERNET_ADDRESS}`];
  let internet: Program;
  let vps: Program;
  let home: Program;
  let secret: string;

  const createRecords = (...lines: string[]) => writeFileSync(zone, [...others, ...lines, ''].join('\n'));

  async function init(...args: string[]) {
    const acme = ['--acme', acmeDirectory(CA)];
    const flags = args.includes('--undo') ? [] : ['--domain', DOMAIN, ...acme];
    const command = [NODE, MAIN, 'init', ...flags, '--dir', directory, ...args];
    const program = new Program(command[0]!, command.slice(1), {
      wrapper: inside(vps),
      env: { NODE_EXTRA_CA_CERTS: root },
    });
    const { code } = await program.exited;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  const curl = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await run(home, 'curl', '-sS', '--max-time', '20', '--cacert', root, ...args);
    expect(stderr).toBe('');
    return stdout;
  };

  const asHome = async (path: string, body: object): Promise<string> =>
    curl(
      ...['-H', `Authorization: Bearer ${secret}`, '-H', 'Content-Type: application/json'],
      ...['-d', JSON.stringify(body), `https://${DOMAIN}${path}`],
    );

  beforeAll(async () => {
    writeFileSync(join(folder, 'resolv.conf'), `nameserver ${INTERNET_ADDRESS}\noptions timeout:2\n`);
    createRecords();
    [internet, vps, home] = await Promise.all([namespace(folder), namespace(folder), namespace(folder)]);
    const steps = `
      ip link add vps type veth peer name eth0 netns ${vps.child.pid}
      ip link add home type veth peer name eth0 netns ${home.child.pid}
      ip address add ${INTERNET_ADDRESS}/24 dev vps && ip link set vps up
      ip address add 81.2.69.1/24 dev home && ip link set home up
      echo 1 > /proc/sys/net/ipv4/ip_forward`;
    const connect = (address: string, gateway: string) => `
      ip address add ${address}/24 dev eth0 && ip link set eth0 up && ip route add default via ${gateway}
      until ip link show eth0 | grep -q 'state UP'; do sleep 0.1; done`;
    for (const [where, script] of [
      [internet, steps],
      [vps, connect(VPS_ADDRESS, INTERNET_ADDRESS)],
      [home, connect(HOME_ADDRESS, '81.2.69.1')],
    ] as const) {
      expect(await run(where, 'sh', '-ec', script)).toEqual({ code: 0, stdout: '', stderr: '' });
    }
    const zoneServer = new Program(NODE, [ZONE_SERVER, INTERNET_ADDRESS, zone], {
      wrapper: inside(internet),
    });
    await zoneServer.until(() => zoneServer.stdout.includes('serving'), 'name server');
    const sites = `https://${ORIGIN} {
      bind ${INTERNET_ADDRESS}
      tls internal
      respond "a picture for {remote_host}"
    }`;
    await startAcmeCa({ name: CA, address: INTERNET_ADDRESS, folder, wrapper: inside(internet), sites });
  });
  afterAll(async () => {
    if (existsSync(join(directory, 'init.json'))) await init('--undo');
  });

  const certificate = (): string => readFileSync(join(directory, 'var/acme/certificate.pem'), 'utf8');

  it('says what stands in the way, and leaves nothing running', async () => {
    const unresolved = await init('--yes', '--dry-run');
    expect([unresolved.code, unresolved.stderr]).toEqual([
      1,
      expect.stringMatching(/^dns\.home\.example does not resolve/),
    ]);
    expect(unresolved.stdout).toContain(`${DOMAIN}.  300  IN  A     ${VPS_ADDRESS}`);
    createRecords(`${DOMAIN} 198.51.99.77`);
    expect((await init('--yes', '--dry-run')).stderr).toMatch(
      /points to 198\.51\.99\.77, and this host is 198\.51\.99\.1/,
    );
    createRecords(`${DOMAIN} ${VPS_ADDRESS}`, `${DOMAIN} 2600::1`);
    expect((await init('--yes', '--dry-run')).stderr).toMatch(
      /AAAA record for 2600::1, and this host has no public IPv6/,
    );
    createRecords(`${DOMAIN} ${VPS_ADDRESS}`);
    const nat = await init('--yes', '--address', '198.51.99.77');
    expect([nat.code, nat.stderr]).toEqual([
      1,
      expect.stringMatching(/is not on an interface of this host.*NAT/),
    ]);

    const holder = new Program(NODE, [ZONE_SERVER, '0.0.0.0', zone], { wrapper: inside(vps) });
    await holder.until(() => holder.stdout.includes('serving'), 'holder of port 53');
    const taken = await init('--yes');
    expect(taken.code).toBe(1);
    expect(taken.stderr).toMatch(
      /^UDP port 53 of 198\.51\.99\.1 is taken by \S+ \(process \d+, on 0\.0\.0\.0:53\)/,
    );
    holder.kill('SIGTERM');
    await holder.exited;
    expect((await init('--yes', '--dry-run')).code).toBe(0);
    expect(existsSync(directory)).toBe(false);
  });

  it('sets the host up, and ends with page, sign-in link and DNS address', async () => {
    const { code, stdout, stderr } = await init('--yes', '--email', 'me@home.example');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`MediaStreamer runs at https://${DOMAIN}/`);
    expect(stdout).toMatch(/sign in +https:\/\/dns\.home\.example\/sign-in#/);
    expect(stdout).toContain(`first: ${VPS_ADDRESS}`);
    secret = /by the secret (\S+),/.exec(stdout)![1]!;
  });

  it('serves a home: page, DNS, encrypted DNS, relay', async () => {
    const dig = async () => (await run(home, 'dig', `@${VPS_ADDRESS}`, 'netflix.com')).stdout;
    expect(await dig()).toContain('status: REFUSED');
    expect(await curl(`https://${DOMAIN}/sign-in`)).toContain('<html');
    expect(JSON.parse(await asHome('/v1/registrations', {})).address).toBe(HOME_ADDRESS);
    expect(await dig()).toMatch(/netflix\.com\.\s+60\s+IN\s+A\s+198\.51\.99\.1\n/);
    for (const transport of ['+tls', '+https=/dns-query']) {
      const verified = [`+tls-hostname=${DOMAIN}`, `+tls-ca=${root}`];
      const { stdout } = await run(home, 'kdig', `@${VPS_ADDRESS}`, transport, ...verified, '+short', ORIGIN);
      expect(stdout.trim()).toBe(VPS_ADDRESS);
    }
    const resolved = ['--resolve', `${ORIGIN}:443:${VPS_ADDRESS}`];
    expect(await curl(...resolved, `https://${ORIGIN}/`)).toBe(`a picture for ${VPS_ADDRESS}`);
  });

  it('changes nothing when it runs again', async () => {
    const config = readFileSync(join(directory, 'config.yaml'), 'utf8');
    const before = certificate();
    const { code, stdout } = await init('--yes', '--email', 'me@home.example');
    expect(code).toBe(0);
    expect(stdout).toContain('nothing is changed');
    expect(stdout).not.toContain('by the secret');
    expect(readFileSync(join(directory, 'config.yaml'), 'utf8')).toBe(config);
    expect(certificate()).toBe(before);
    const other = await init('--yes', '--domain', 'other.example');
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/is set up as dns\.home\.example/)]);
  });

  it('serves the home again after a reboot, with the certificate that it has', async () => {
    const before = certificate();
    const own = await run(vps, 'pgrep', '-f', `main.ts serve --config ${directory}/config.yaml`);
    const pid = own.stdout.trim();
    expect(pid).toMatch(/^\d+$/);
    const stop = `kill ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done`;
    expect((await run(vps, 'sh', '-c', stop)).code).toBe(0);
    expect((await init('--yes', '--email', 'me@home.example')).code).toBe(0);
    expect((await run(home, 'dig', `@${VPS_ADDRESS}`, 'netflix.com', '+short')).stdout.trim()).toBe(
      VPS_ADDRESS,
    );
    expect(JSON.parse(await curl(`https://${DOMAIN}/v1/ip`))).toEqual({ address: HOME_ADDRESS });
    expect(certificate()).toBe(before);
  });

  it('is taken back by --undo: only the data stays', async () => {
    const { code, stdout } = await init('--undo');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /the service \(process \d+\) is stopped\n.*config\.yaml is removed\nAccounts.* stay in /,
    );
    expect(existsSync(join(directory, 'config.yaml'))).toBe(false);
    expect(existsSync(join(directory, 'init.json'))).toBe(false);
    expect((await run(home, 'dig', `@${VPS_ADDRESS}`, '+tries=1', '+timeout=1', 'netflix.com')).code).toBe(9);
    expect((await init('--undo')).stderr).toMatch(/^init has not run here/);
  });
});
