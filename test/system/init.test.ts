/**
 * `mediastreamer init` in network namespaces: a VPS with one address, a home, and the Internet between them with the domain's DNS,
 * an ACME CA (Debian's caddy) and an origin. Every step is a command of the documentation.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acmeDirectory, acmeRoot, startAcmeCa } from '../support/acme-ca.ts';
import { FLAGS } from '../support/home.ts';
import { MAIN, NODE, Program, temporaryFolder, until } from '../support/service.ts';

const DOMAIN = 'dns.home.example';
const CA = 'ca.home.example';
const ORIGIN = 'www.netflix.com';
const VPS_ADDRESS = '198.51.99.1';
const INTERNET_ADDRESS = '198.51.99.2';
const HOME_ADDRESS = '81.2.69.160';
/** A second VPS: its provider maps a public address to its private one. */
const MAPPED_DOMAIN = 'dns.mapped.example';
const MAPPED_ADDRESS = '198.51.99.50';
const PRIVATE_ADDRESS = '10.0.0.5';
const ZONE_SERVER = join(import.meta.dirname, '../support/zone-server.mjs');

const canUnshare = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** A network namespace with a resolv.conf of its own. */
async function namespace(folder: string, nameServer: string): Promise<Program> {
  const file = join(folder, `resolv-${nameServer}.conf`);
  writeFileSync(file, `nameserver ${nameServer}\noptions timeout:2\n`);
  const script = 'mount --bind "$1" /etc/resolv.conf && ip link set lo up && echo up && exec sleep 900';
  const made = new Program('unshare', ['--net', '--mount', 'sh', '-c', script, 'sh', file]);
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
  let mapped: Program;
  let home: Program;
  let secret: string;
  let link: string;

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
    createRecords();
    [internet, vps, mapped, home] = (await Promise.all(
      // The home has entered the service's address as its DNS server.
      [INTERNET_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS, VPS_ADDRESS].map((one) =>
        namespace(folder, one),
      ),
    )) as [Program, Program, Program, Program];
    const steps = `
      ip link add vps type veth peer name eth0 netns ${vps.child.pid}
      ip link add mapped type veth peer name eth0 netns ${mapped.child.pid}
      ip address add 10.0.0.1/24 dev mapped && ip link set mapped up
      nft -f - <<'RULES'
        table ip provider {
          chain inward { type nat hook prerouting priority -100; ip daddr ${MAPPED_ADDRESS} dnat to ${PRIVATE_ADDRESS}; }
          chain own { type nat hook output priority -100; ip daddr ${MAPPED_ADDRESS} dnat to ${PRIVATE_ADDRESS}; }
          chain here { type nat hook input priority 100; ip saddr ${PRIVATE_ADDRESS} snat to ${MAPPED_ADDRESS}; }
          chain outward { type nat hook postrouting priority 100; ip saddr ${PRIVATE_ADDRESS} snat to ${MAPPED_ADDRESS}; }
          # A host cannot reach its own public address.
          chain back { type filter hook forward priority 0; iifname mapped oifname mapped drop; }
        }
RULES
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
      [mapped, connect(PRIVATE_ADDRESS, '10.0.0.1')],
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
    if (existsSync(join(folder, 'mapped/init.json')))
      await converse({}, '--dir', join(folder, 'mapped'), '--undo');
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
    createRecords(
      `${DOMAIN} ${VPS_ADDRESS}`,
      `test.${DOMAIN} @${VPS_ADDRESS}`,
      `${MAPPED_DOMAIN} ${MAPPED_ADDRESS}`,
    );
    const nat = await init('--yes', '--address', '198.51.99.77');
    expect([nat.code, nat.stderr]).toEqual([
      1,
      expect.stringMatching(/is not on an interface of this host.*NAT/),
    ]);
    const closed = await init('--yes', '--address', '10.0.0.9');
    expect([closed.code, closed.stderr]).toEqual([
      1,
      expect.stringMatching(/10\.0\.0\.9 is a private address/),
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
    link = /sign in +(\S+)/.exec(stdout)![1]!;
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

  it('shows a person at home that the relay carries this device', async () => {
    const names = [
      'x509',
      '-in',
      join(directory, 'var/acme/certificate.pem'),
      '-noout',
      '-ext',
      'subjectAltName',
    ];
    const hasWildcards = async () =>
      (await run(vps, 'openssl', ...names)).stdout.includes(`*.relayed.test.${DOMAIN}`);
    await until(hasWildcards, 'the wildcards are issued');
    const browser = join(folder, 'chromium');
    const command = [...inside(home), process.env['CHROMIUM'] ?? '/usr/bin/chromium', '"$@"'];
    writeFileSync(browser, `#!/bin/sh\nexec ${command.join(' ')}\n`, { mode: 0o700 });
    const args = FLAGS.filter((flag) => flag !== '--disable-quic');
    const opened = await chromium.launch({
      executablePath: browser,
      args: [...args, '--ignore-certificate-errors'],
    });
    try {
      const page = await opened.newPage();
      await page.goto(link);
      await page.getByRole('button', { name: 'Sign in to my settings' }).click();
      await page.waitForURL(`https://${DOMAIN}/`);
      await page.getByRole('button', { name: 'Check this device' }).click();
      const verdict = page.locator('[data-verdict]');
      await verdict.waitFor();
      const screenshot = process.env['SCREENSHOT'];
      if (screenshot !== undefined) await page.screenshot({ path: screenshot, fullPage: true });
      expect(await verdict.getAttribute('data-verdict')).toBe('working');
      await page.getByText('carries this device').waitFor();
      await page.goto(`https://${ORIGIN}/`);
      expect(await page.content()).toContain(`a picture for ${VPS_ADDRESS}`);
    } finally {
      await opened.close();
    }
  });

  it('sets a host up whose provider maps the public address to a private one, by questions', async () => {
    const mappedDirectory = join(folder, 'mapped');
    const answer = {
      'Domain of this service': ['nonsense', MAPPED_DOMAIN],
      'Does the provider map 198.51.99.50 to this host?': ['y'],
      'Mail address for the CA': ['me@mapped.example'],
      'Do you agree to the terms of the CA ca.home.example:9443?': ['y'],
      'Write the configuration and start the service?': [''],
    };
    const said = await converse(answer, '--dir', mappedDirectory, '--acme', acmeDirectory(CA));
    expect(said).toMatch(/sign in +https:\/\/dns\.mapped\.example\/sign-in#/);
    expect(said).toContain(`first: ${MAPPED_ADDRESS}`);
    const config = readFileSync(join(mappedDirectory, 'config.yaml'), 'utf8');
    expect(config).toMatch(/^address: 198\.51\.99\.50\n(.*\n)*listenAddress: 10\.0\.0\.5 /m);
    const key = /by the secret (\S+),/.exec(said)![1]!;
    const at = (host: string) => ['--resolve', `${host}:443:${MAPPED_ADDRESS}`];
    const headers = [
      '-H',
      `Authorization: Bearer ${key}`,
      '-H',
      'Content-Type: application/json',
      '-d',
      '{}',
    ];
    const made = await curl(...at(MAPPED_DOMAIN), ...headers, `https://${MAPPED_DOMAIN}/v1/registrations`);
    expect(JSON.parse(made).address).toBe(HOME_ADDRESS);
    const { stdout } = await run(home, 'dig', `@${MAPPED_ADDRESS}`, 'netflix.com', '+short');
    expect(stdout.trim()).toBe(MAPPED_ADDRESS);
    expect(await curl(...at(ORIGIN), `https://${ORIGIN}/`)).toBe(`a picture for ${MAPPED_ADDRESS}`);
    // The relay reaches its own page though nothing inside can reach the public address.
    const probe = `x.relayed.test.${MAPPED_DOMAIN}`;
    expect(
      await curl('-k', ...at(probe), '-o', '/dev/null', '-w', '%{http_code}', `https://${probe}/probe.svg`),
    ).toBe('200');
    // Nothing is asked again.
    expect(await converse({}, '--dir', mappedDirectory)).toContain('nothing is changed');
    expect(await converse({}, '--dir', mappedDirectory, '--undo')).toContain('is removed');
  });

  /** Runs init on the mapped host at a terminal. @param answers to questions, in their order; others fail the test */
  async function converse(answers: Record<string, string[]>, ...args: string[]): Promise<string> {
    const command = [NODE, MAIN, 'init', ...args].join(' ');
    const [file, ...rest] = [...inside(mapped), 'script', '-qefc', command, '/dev/null'];
    const child = spawn(file!, rest, { env: { ...process.env, NODE_EXTRA_CA_CERTS: root } });
    const open = Object.entries(answers).flatMap(([question, all]) =>
      all.map((text) => ({ question, text })),
    );
    let said = '';
    let heard = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [next] = open;
      if (next === undefined || !said.slice(heard).includes(next.question)) return;
      heard = said.length;
      open.shift();
      child.stdin.write(`${next.text}\n`);
    });
    const [code] = await once(child, 'close');
    expect([code, open], said).toEqual([0, []]);
    return said;
  }

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
