/** Real DDNS clients (Debian's ddclient, inadyn, wget and curl) against the real program. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Api } from '../support/api.ts';
import { ProxiedHome } from '../support/proxied-home.ts';
import { Program, RunningService, temporaryFolder } from '../support/service.ts';

const FIRST = '203.0.114.7';
const SECOND = '203.0.114.8';

let service: RunningService;
beforeAll(async () => {
  service = await RunningService.start({ config: { control: { trustedProxies: ['127.0.0.1'] } } });
});

/** A home with a router that has an update token. */
class Router {
  readonly folder = temporaryFolder();
  readonly home: ProxiedHome;
  readonly id: string;
  readonly token: string;
  readonly api: Api;

  private constructor(home: ProxiedHome, account: { id: string; secret: string }, token: string) {
    this.home = home;
    this.id = account.id;
    this.token = token;
    this.api = new Api(home.url, { key: account.secret });
  }

  static async make(): Promise<Router> {
    const home = await ProxiedHome.open(service.controlUrl, FIRST);
    const account = await service.household([], { perAccount: 2 });
    const { token } = await service.as(account.secret).make('/v1/update-tokens', { label: 'router' });
    return new Router(home, account, token);
  }

  async registrations(): Promise<{ address: string; label: string; source: string; expiresAt: string }[]> {
    return (await this.api.call('GET', '/v1/registrations')).body.registrations;
  }

  async addresses(): Promise<string[]> {
    return (await this.registrations()).map(({ address }) => address);
  }

  /** Uses up the account's updates of its window. */
  async wearOut(): Promise<void> {
    const headers = {
      authorization: `Basic ${Buffer.from(`${this.id}:${this.token}`).toString('base64')}`,
      'user-agent': 'router/1',
    };
    for (let index = 0; index < 60; index += 1) {
      await new Api(this.home.url).call('GET', '/nic/update?hostname=other.example', undefined, headers);
    }
  }
}

async function run(file: string, args: string[], env: Record<string, string> = {}) {
  const program = new Program(file, args, { env });
  const { code } = await program.exited;
  return { code, output: program.output };
}

describe.concurrent('ddclient', () => {
  /** Runs one round of its daemon. `force`: the update that it makes every 25 days. */
  async function ddclient(
    router: Router,
    { password = router.token, force = false, reported = router.home.address, host = 'home.example' } = {},
  ) {
    const { folder, home, id } = router;
    writeFileSync(join(folder, 'address'), `${reported}\n`);
    const config = [
      'ssl=no',
      'min-interval=1',
      'use=cmd',
      `cmd='cat ${join(folder, 'address')}'`,
      'protocol=dyndns2',
      `server=127.0.0.1:${home.port}`,
      `login=${id}`,
      `password='${password}'`,
      host,
    ].join('\n');
    const file = join(folder, 'ddclient.conf');
    writeFileSync(file, `${config}\n`, { mode: 0o600 });
    const args = [
      '-daemon=0',
      '-foreground',
      '-noquiet',
      '-verbose',
      '-file',
      file,
      '-cache',
      join(folder, 'cache'),
    ];
    return run('ddclient', force ? [...args, '-force'] : args);
  }

  test('registers, sees that nothing changed, and moves to a new address', async () => {
    const router = await Router.make();
    const first = await ddclient(router);
    expect(first.output).toMatch(
      /SUCCESS:\s+updating home\.example: good: IP(v4)? address set to 203\.0\.114\.7/,
    );
    expect(await router.registrations()).toMatchObject([
      { address: FIRST, label: 'home.example', source: 'dyndns2' },
    ]);

    const forced = await ddclient(router, { force: true });
    expect(router.home.replies.filter((text) => text.startsWith('nochg'))).toEqual([`nochg ${FIRST}`]);
    expect(forced.output).not.toMatch(/FAILED/);

    router.home.address = SECOND;
    // ddclient does not update twice within a second and keeps the time in a file.
    const cache = join(router.folder, 'cache');
    writeFileSync(cache, readFileSync(cache, 'utf8').replaceAll(/mtime=\d+/g, 'mtime=1'));
    const moved = await ddclient(router);
    expect(moved.output).toMatch(
      /SUCCESS:\s+updating home\.example: good: IP(v4)? address set to 203\.0\.114\.8/,
    );
    expect(await router.addresses()).toEqual([SECOND]);
  });

  test('behind an ISP router reports its private address and succeeds', async () => {
    const router = await Router.make();
    const { output } = await ddclient(router, { reported: '192.168.1.2' });
    expect(output).toMatch(/SUCCESS:\s+updating home\.example/);
    expect(router.home.replies).toEqual([`good ${FIRST}`]);
    expect(await router.addresses()).toEqual([FIRST]);
  });

  test('reports a host name of 100 characters', async () => {
    const router = await Router.make();
    const host = `${'a'.repeat(40)}.${'b'.repeat(51)}.example`;
    expect((await ddclient(router, { host })).output).toMatch(/SUCCESS/);
    expect(await router.registrations()).toMatchObject([{ address: FIRST, label: host }]);
  });

  test('reports a wrong password and registers nothing', async () => {
    const router = await Router.make();
    const { output } = await ddclient(router, { password: 'msu_wrong' });
    expect(output).toMatch(/FAILED|WARNING/);
    expect(router.home.replies[0]).toBe('badauth');
    expect(await router.addresses()).toEqual([]);
  });

  test('reports that it updates too often', async () => {
    const router = await Router.make();
    await router.wearOut();
    const { output } = await ddclient(router);
    expect(output).toMatch(/abuse/);
    expect(router.home.replies.at(-1)).toBe('abuse');
  });
});

describe.concurrent('inadyn', () => {
  /** Runs one round. `force`: the update that it makes every 30 days. */
  async function inadyn(
    router: Router,
    { password = router.token, force = false, reported = router.home.address, myip = '%i' } = {},
  ) {
    const { folder, home, id } = router;
    const file = join(folder, 'inadyn.conf');
    const cache = join(folder, 'cache');
    mkdirSync(cache, { recursive: true });
    const config = [
      'custom mediastreamer {',
      `  username = ${id}`,
      `  password = "${password}"`,
      '  ssl = false',
      `  ddns-server = "127.0.0.1:${home.port}"`,
      `  ddns-path = "/nic/update?hostname=%h&myip=${myip}"`,
      '  hostname = home.example',
      `  checkip-command = "echo ${reported}"`,
      '}',
    ].join('\n');
    writeFileSync(file, `${config}\n`, { mode: 0o600 });
    const args = [
      '-1',
      '-n',
      '-l',
      'debug',
      '-f',
      file,
      '--cache-dir',
      cache,
      '-P',
      join(folder, 'pid'),
      '--no-pidfile',
    ];
    return run('inadyn', force ? [...args, '--force'] : args);
  }

  test('registers, sees that nothing changed, and moves to a new address', async () => {
    const router = await Router.make();
    const first = await inadyn(router);
    expect([first.code, await router.addresses()], first.output).toEqual([0, [FIRST]]);
    expect(router.home.replies[0]).toBe(`good ${FIRST}`);

    const forced = await inadyn(router, { force: true });
    expect(forced.code, forced.output).toBe(0);
    expect(router.home.replies.filter((text) => text.startsWith('nochg'))).toEqual([`nochg ${FIRST}`]);

    router.home.address = SECOND;
    const moved = await inadyn(router);
    expect([moved.code, await router.addresses()], moved.output).toEqual([0, [SECOND]]);
  });

  test.each([
    ['its CGNAT address', { reported: '100.65.1.2' }],
    ['an address run into a name', { myip: '%iother.example' }],
  ])('reports %s and succeeds', async (_what, options) => {
    const router = await Router.make();
    const { code, output } = await inadyn(router, options);
    expect([code, router.home.replies], output).toEqual([0, [`good ${FIRST}`]]);
    expect(await router.addresses()).toEqual([FIRST]);
  });

  test('reports a wrong password and registers nothing', async () => {
    const router = await Router.make();
    const { code, output } = await inadyn(router, { password: 'msu_wrong' });
    expect(code, output).not.toBe(0);
    expect(router.home.replies[0]).toBe('badauth');
    expect(await router.addresses()).toEqual([]);
  });

  test('reports that it updates too often', async () => {
    const router = await Router.make();
    await router.wearOut();
    const { output } = await inadyn(router);
    expect(router.home.replies.at(-1), output).toBe('abuse');
    expect(await router.addresses()).toEqual([FIRST]);
  });
});

describe.concurrent.each([
  [
    'wget',
    ({ id, token, home }: Router, query: string) => [
      '-q',
      '-O',
      '-',
      `--user=${id}`,
      `--password=${token}`,
      `${home.url}/nic/update?${query}`,
    ],
  ],
  [
    'curl',
    ({ id, token, home }: Router, query: string) => [
      '-s',
      '--anyauth',
      '-u',
      `${id}:${token}`,
      `${home.url}/nic/update?${query}`,
    ],
  ],
  [
    'python3',
    ({ id, token, home }: Router, query: string) => [
      '-c',
      [
        'import sys, urllib.request as u',
        'passwords = u.HTTPPasswordMgrWithDefaultRealm()',
        'passwords.add_password(None, *sys.argv[1:4])',
        'opener = u.build_opener(u.HTTPBasicAuthHandler(passwords))',
        'print(opener.open(sys.argv[1] + sys.argv[4]).read().decode())',
      ].join('\n'),
      home.url,
      id,
      token,
      `/nic/update?${query}`,
    ],
  ],
])('%s, which waits for the challenge', (program, args) => {
  test('updates 12 times a minute', async () => {
    const router = await Router.make();
    for (let index = 0; index < 12; index += 1) {
      const { output } = await run(program, args(router, 'hostname=w.example&myip=192.168.1.2'));
      expect(output).toContain(`${index === 0 ? 'good' : 'nochg'} ${FIRST}`);
    }
    expect(router.home.replies.filter((reply) => reply === 'badauth')).toHaveLength(12);
  });

  test('updates while a neighbour at the same address guesses', async () => {
    const router = await Router.make();
    const headers = { authorization: `Basic ${btoa(`${router.id}:msu_wrong`)}`, 'user-agent': 'guesser' };
    for (let index = 0; index < 12; index += 1) {
      await new Api(router.home.url).call('GET', '/nic/update?hostname=g.example', undefined, headers);
    }
    const { output } = await run(program, args(router, 'hostname=w.example'));
    expect(output).toContain(`good ${FIRST}`);
  });
});

test('busybox wget updates, by GET and by a form', async () => {
  const router = await Router.make();
  const server = `http://${router.id}:${router.token}@127.0.0.1:${router.home.port}`;
  const url = `${server}/nic/update?hostname=b.example&myip=192.168.1.2`;
  expect((await run('busybox', ['wget', '-q', '-O', '-', url])).output).toContain(`good ${FIRST}`);
  const form = ['--post-data', 'hostname=b.example', `${server}/v3/update`];
  expect((await run('busybox', ['wget', '-q', '-O', '-', ...form])).output).toContain(`nochg ${FIRST}`);
});

test('no log line holds an address, a name or a token of the clients', async () => {
  expect(service.output).not.toMatch(/203\.0\.114|home\.example|msu_/);
  expect(readFileSync(join(service.folder, 'config.yaml'), 'utf8')).toContain('trustedProxies');
});
