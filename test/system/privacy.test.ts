/**
 * No address, name asked, secret or label in any log line, metric, error, crash or file: random ones are sent down
 * every path, and all output and all files are searched for them in many encodings.
 */
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api, type ApiReply } from '../support/api.ts';
import { askTcp, askUdp, encodeQuery, shown, TcpClient, UdpClient } from '../support/dns-client.ts';
import {
  answer,
  type Behaviour,
  closeMidMessage,
  drop,
  FakeUpstream,
  garbage,
  malformed,
  refuse,
  truncate,
  wrongId,
  wrongPort,
  wrongQuestion,
} from '../support/fake-upstream.ts';
import { FILMS, RELAY, ROOT, RunningService, writeServiceFile } from '../support/service.ts';
import { filesOf, found, type Haystack, haystack, Traces } from '../support/traces.ts';

/** Time until a change has left the log (a minute) and then the write-ahead log. */
const ERASED_WITHIN_MS = 61_000;
/** Long timers of the services under test run this many times as fast. */
const TIMES_AS_FAST = 20;
const FASTER = `
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (then, ms, ...more) => setTimeout(then, ms >= 10_000 ? ms / ${TIMES_AS_FAST} : ms, ...more);
`;
const SLOW_MACHINE_MS = 30_000;
/** The admin key may stand in its own file. */
const KEY_FILE = ['admin.key'];

/** Only the caller's reply may name the wrong field. */
const FIELD_NAME = 'field name';

/** The upstream's behavior for a name of the form `token.KIND.example`. */
const UPSTREAM: Readonly<Record<string, Behaviour>> = {
  nxdomain: answer({ rcode: 3 }),
  servfail: refuse(2),
  refused: refuse(5),
  malformed: malformed(),
  garbage: garbage(),
  silent: drop(),
  truncated: truncate(),
  wrongid: wrongId(300),
  wrongport: wrongPort(),
  wrongquestion: wrongQuestion(),
  cut: closeMidMessage(),
};
const byKind: Behaviour = (query, replier) =>
  (UPSTREAM[query.name.split('.').at(-2)?.toLowerCase() ?? ''] ?? answer())(query, replier);

/** A service, and everything sent to it. */
class Subject {
  readonly traces = new Traces();
  readonly service: RunningService;
  /** Replies to failed calls. */
  readonly faults: string[] = [];
  readonly scrapes: string[] = [];
  readonly home: string;
  accounts: string[] = [];

  private constructor(service: RunningService) {
    this.service = service;
    this.home = this.traces.loopback('registered address');
  }

  static async start(engine: string, upstream: string): Promise<Subject> {
    const config = {
      dns: { engine, rateLimit: { perSecond: 1, burst: 5 } },
      upstreams: [upstream],
      log: { level: 'trace' },
      control: { trustedProxies: ['127.0.0.66/32'] },
    };
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(FASTER)}` };
    return new Subject(await RunningService.start({ config, env }));
  }

  /** Keeps error replies. */
  async call(api: Api, ...call: Parameters<Api['call']>): Promise<ApiReply> {
    const reply = await api.call(...call);
    if (reply.status >= 400) this.faults.push(`${reply.text} ${JSON.stringify(reply.headers)}`);
    return reply;
  }

  /** Finds traces in the service's output. */
  told(): string[] {
    const { stdout, stderr } = this.service;
    const texts = { stdout, stderr, metrics: this.scrapes.join('\n') };
    const said = Object.entries(texts).map(([place, content]) => haystack(place, content));
    const others = this.traces.all.filter(({ kind }) => kind !== FIELD_NAME);
    const replies = haystack('replies', this.faults.join('\n'));
    return [...found(this.traces.all, said), ...found(others, [replies])];
  }

  files(): Haystack[] {
    return filesOf(this.service.dataDir, KEY_FILE);
  }

  async scrape(): Promise<void> {
    const { metricsUrl } = this.service;
    for (const path of ['/metrics', '/readyz', '/healthz', `/${this.traces.token('path')}`])
      this.scrapes.push(await (await fetch(metricsUrl + path)).text());
  }
}

async function register(subject: Subject): Promise<void> {
  const { service, traces, home } = subject;
  const { admin } = service;
  traces.secret('admin key', service.adminKey);
  for (const address of [home, traces.loopback('registered address')]) {
    const { id, secret } = await admin.make('/v1/accounts');
    traces.secret('account id', id);
    traces.secret('secret', secret);
    subject.accounts.push(id);
    const own = service.as(secret, address);
    const headers = { 'idempotency-key': traces.token('idempotency key') };
    const label = traces.token('label');
    expect((await own.call('POST', '/v1/registrations', { label }, headers)).status).toBe(201);
    expect((await own.call('POST', '/v1/registrations', { label }, headers)).status).toBe(201);
    const rotated = await own.call('POST', `/v1/accounts/${id}/secret`, {});
    traces.secret('secret', rotated.body.secret);
    for (const other of [traces.ipv6('registered address'), traces.loopback('registered address')])
      await admin.make(`/v1/accounts/${id}/registrations`, { address: other, label: traces.token('label') });
    // From behind a trusted proxy.
    const proxied = new Api(service.controlUrl, { key: rotated.body.secret, from: '127.0.0.66' });
    const forwarded = { 'x-forwarded-for': traces.loopback('registered address') };
    expect((await proxied.call('POST', '/v1/registrations', {}, forwarded)).status).toBe(201);
    await proxied.call('PATCH', '/v1/account', { region: 'gb', services: { films: 'us' } });
    await proxied.call('GET', '/v1/account/export');
  }
}

async function askWell(subject: Subject): Promise<void> {
  const { service, traces, home } = subject;
  const name = (below: string) => `${traces.token('name')}.${below}`;
  const names = [FILMS, 'example.com', 'localhost', 'onion', '10.in-addr.arpa', 'resolver.arpa'].map(name);
  for (const one of [...names, ...names]) {
    for (const type of ['A', 'AAAA', 'TXT', 'PTR', 'ANY'] as const) {
      if (type === 'A' || one.endsWith('example.com')) await askUdp(service.udp, home, { name: one, type });
    }
    await askTcp(service.tcp, home, { name: one });
  }
  const bytes = traces.loopback('name').split('.').toReversed();
  await askUdp(service.udp, home, { name: `${bytes.join('.')}.in-addr.arpa`, type: 'PTR' });
}

async function askFailingUpstreams(subject: Subject): Promise<void> {
  const { service, traces, home } = subject;
  const asked = Object.keys(UPSTREAM).flatMap((kind) => {
    const name = `${traces.token('name')}.${kind}.example`;
    return [askUdp(service.udp, home, { name }), askTcp(service.tcp, home, { name: `tcp-${name}` })];
  });
  const rcodes = (await Promise.all(asked)).map(({ rcode }) => rcode);
  expect(new Set(rcodes)).toEqual(new Set(['NXDOMAIN', 'SERVFAIL']));
}

/** Malformed queries, each with a token in it. */
function malformedQueries(traces: Traces): Buffer[] {
  const query = (token = traces.token('name')) => encodeQuery({ name: `${token}.example` });
  const changed = (at: number, byte: number) => {
    const packet = query();
    packet[at] = byte;
    return packet;
  };
  const option = Buffer.from(traces.token('EDNS option'));
  const withOption = (code: number) => {
    const packet = Buffer.concat([query(), Buffer.of(0, code, 0, option.length), option]);
    // The length of the OPT record's data, which is empty as yet.
    packet.writeUInt16BE(4 + option.length, packet.length - 4 - option.length - 2);
    return packet;
  };
  return [
    query().subarray(0, 25),
    changed(2, 0x80),
    changed(2, 0x28),
    changed(5, 2),
    changed(12, 0x40),
    changed(12, 0xc0),
    changed(12, 0x3f),
    changed(11, 5),
    withOption(3),
    withOption(8),
    withOption(10),
    Buffer.concat([query(), Buffer.from(traces.token('trailing bytes'))]),
    Buffer.from(traces.token('noise').repeat(3)),
  ];
}

async function askBadly(subject: Subject): Promise<void> {
  const { service, traces, home } = subject;
  const stranger = traces.loopback('stranger');
  for (const from of [home, stranger]) {
    const client = await UdpClient.open(from);
    for (const packet of malformedQueries(traces)) client.send(service.udp, packet);
    for (const packet of malformedQueries(traces)) {
      const connection = await TcpClient.open(service.tcp, from);
      connection.send(packet);
      connection.socket.end(Buffer.from(`\xff\xff${traces.token('noise')}`, 'latin1'));
      // A reset ends it too.
      await new Promise((resolve) => connection.socket.resume().once('close', resolve));
    }
    client.close();
  }
  // Refused; past the rate limit, unanswered.
  const others = Array.from({ length: 6 }, () => traces.loopback('stranger'));
  for (const from of others) {
    const client = await UdpClient.open(from);
    for (let index = 0; index < 5; index++)
      client.send(service.udp, encodeQuery({ name: `${traces.token('name')}.${FILMS}` }));
    client.close();
    await askTcp(service.tcp, from, { name: `${traces.token('name')}.${FILMS}` });
  }
}

/** Calls that are refused: each has tokens where a careless program would repeat them. */
async function callBadly(subject: Subject): Promise<void> {
  const { service, traces } = subject;
  const from = traces.loopback('caller');
  const stranger = new Api(service.controlUrl, { key: traces.token('wrong key'), from });
  const admin = new Api(service.controlUrl, { key: service.adminKey, from });
  const [id] = subject.accounts;
  const token = () => traces.token('in a call');
  const field = () => traces.token(FIELD_NAME);
  const calls: [Api, ...Parameters<Api['call']>][] = [
    ...Array.from({ length: 15 }, () => [stranger, 'GET', '/v1/account'] as [Api, 'GET', string]),
    [stranger, 'POST', '/v1/accounts', { region: token() }],
    [stranger, 'GET', `/v1/registrations/${token()}?${token()}=${token()}`],
    [admin, 'GET', `/${token()}`],
    [admin, 'GET', `/v1/accounts/${token()}`],
    [admin, 'GET', `/v1/accounts?after=${token()}&limit=${token()}`],
    [admin, 'GET', `/v1/accounts?${field()}=1`],
    [admin, 'GET', `/%${token()}`],
    [admin, 'PUT', `/v1/accounts/${token()}`],
    [admin, 'POST', '/v1/accounts', { region: token() }],
    [admin, 'POST', '/v1/accounts', { [field()]: 1 }],
    [admin, 'POST', '/v1/accounts', `{"region": ${token()}`],
    [admin, 'POST', '/v1/accounts', `{"__proto__": "${token()}"}`],
    [admin, 'POST', '/v1/accounts', `${token()}=1`, { 'content-type': 'application/x-www-form-urlencoded' }],
    [admin, 'POST', '/v1/accounts', {}, { 'content-type': `application/${token()}` }],
    [admin, 'POST', '/v1/accounts', {}, { 'idempotency-key': `${token()} with a space` }],
    [admin, 'POST', '/v1/accounts', token().repeat(8_000)],
    [admin, 'POST', `/v1/accounts/${id}/registrations`, { address: token() }],
    [admin, 'POST', `/v1/accounts/${id}/registrations`, { address: `${traces.loopback('refused')}/24` }],
    [admin, 'POST', `/v1/accounts/${id}/registrations`, { address: '0.1.2.3', label: token() }],
    [admin, 'POST', `/v1/accounts/${id}/registrations`, { address: '37.1.2.3', label: `${token()}\n` }],
    [admin, 'POST', `/v1/accounts/${token()}/registrations`, { address: '37.1.2.3', label: token() }],
    [admin, 'DELETE', `/v1/accounts/${id}/registrations/${token()}`],
    [admin, 'GET', '/v1/ip', undefined, { host: `${token()}.example` }],
    [admin, 'GET', '/v1/ip', undefined, { origin: `https://${token()}.example` }],
    [admin, 'GET', '/v1/ip', undefined, { [token()]: token().repeat(1_000) }],
    [new Api(service.controlUrl, { key: `${token()} ${token()}`, from }), 'GET', '/v1/account'],
  ];
  for (const call of calls) expect((await subject.call(...call)).status, call[2]).toBeGreaterThan(399);
  const forwarded = { 'x-forwarded-for': `${traces.loopback('forwarded')}, ${token()}` };
  expect((await subject.call(admin, 'GET', '/v1/ip', undefined, forwarded)).status).toBe(200);
  const proxy = new Api(service.controlUrl, { from: '127.0.0.66' });
  expect((await subject.call(proxy, 'GET', '/v1/ip', undefined, forwarded)).status).toBe(400);
  const own = await admin.make('/v1/accounts');
  traces.secret('secret', own.secret);
  subject.accounts.push(own.id);
  const account = service.as(own.secret, from);
  const other = { address: traces.loopback('refused'), label: token() };
  expect((await subject.call(account, 'POST', '/v1/registrations', other)).status).toBe(403);
  const services = { services: { [field()]: token() } };
  expect((await subject.call(account, 'PATCH', '/v1/account', services)).status).toBe(400);
  await rawHttp(subject, `${token()} /${token()} ${token()}\r\n\r\n`);
  await rawHttp(subject, `GET /${token()} HTTP/1.1\r\n${token()}\r\n\r\n`);
  await rawHttp(
    subject,
    `POST /v1/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${token()}\r\n\r\n`,
  );
}

/** Sends bytes that are not HTTP, and keeps the reply. */
async function rawHttp(subject: Subject, bytes: string): Promise<void> {
  const { hostname, port } = new URL(subject.service.controlUrl);
  const localAddress = subject.traces.loopback('caller');
  const socket = net.connect({ host: hostname, port: Number(port), localAddress }).setEncoding('utf8');
  socket.on('data', (text) => subject.faults.push(String(text)));
  socket.end(bytes);
  await once(socket, 'close');
}

async function reload(subject: Subject): Promise<void> {
  const { service } = subject;
  service.kill('SIGHUP');
  await service.logged('configuration and catalog read again');
  writeServiceFile(service.folder, { service: 'films', title: 'Films', regions: ['us'], names: ['com'] });
  service.kill('SIGHUP');
  await service.logged('not reloaded: the old configuration and catalog stay');
}

async function drive(subject: Subject): Promise<void> {
  await register(subject);
  await askWell(subject);
  await Promise.all([askFailingUpstreams(subject), askBadly(subject), callBadly(subject)]);
  await subject.scrape();
  await reload(subject);
  await subject.scrape();
}

let upstream: FakeUpstream;
const subjects: Subject[] = [];
let before: Haystack[][];

beforeAll(async () => {
  upstream = await FakeUpstream.start({ udp: byKind, tcp: byKind });
  for (const engine of ['mmsg', 'dgram']) subjects.push(await Subject.start(engine, upstream.url));
  await Promise.all(subjects.map(drive));
  before = subjects.map((subject) => subject.files());
});
afterAll(() => upstream.stop());

describe.each([0, 1])('after traffic of every kind (service %i)', (index) => {
  it('the search finds the registrations in the store', () => {
    const kinds = new Set(
      found(subjects[index].traces.all, before[index]).map((place) => place.split(' as ')[0]),
    );
    expect(kinds).toEqual(new Set(['registered address', 'label', 'account id']));
  });

  it('the names, and most of what was sent, reached the other side', () => {
    const asked = [
      { place: 'upstream', bytes: Buffer.from(upstream.queries.map(({ name }) => name).join()) },
    ];
    expect(found(subjects[index].traces.of('name'), asked)).toEqual(['name as utf8 in upstream']);
  });

  it('output, metrics and error replies hold none of it', () => {
    const { scrapes, faults } = subjects[index];
    expect(scrapes.join()).toContain('mediastreamer_queries_total');
    expect(faults.length).toBeGreaterThan(30);
    expect(subjects[index].told()).toEqual([]);
  });
});

/** Environment that injects errors whose messages contain `text`. */
function faulty(text: string, file = '/nonexistent'): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${join(ROOT, 'test/support/fault-injection.mjs')}`,
    TEST_FAULT_TEXT: text,
    TEST_FAULT_FILE: file,
  };
}

describe('a process that fails', () => {
  it.each([
    ['an error that nothing catches', 'SIGUSR2'],
    ['a promise that nothing catches', 'SIGWINCH'],
  ] as const)('tells of %s without its words, and leaves no core', async (_what, signal) => {
    const traces = new Traces();
    const service = await RunningService.start({
      env: faulty(traces.token('message')),
      config: { log: { level: 'trace' } },
    });
    const home = traces.loopback('registered address');
    await service.household([home]);
    const name = `${traces.token('name')}.${FILMS}`;
    expect(shown(await askUdp(service.udp, home, { name }))).toBe(`NOERROR ${RELAY.us.address}`);
    service.kill(signal);
    expect(await service.exited).toEqual({ code: 70, signal: null });
    expect(service.lines.at(-1)).toMatchObject({ level: 'fatal', msg: 'crash' });
    expect(found(traces.all, [haystack('output', service.output)])).toEqual([]);
    expect(readdirSync(service.folder).toSorted()).toEqual(['config.yaml', 'services', 'var']);
    expect(
      readdirSync(service.dataDir).filter((file) => !/^(admin\.key|registry\.|operator\.sock$)/.test(file)),
    ).toEqual([]);
  });

  it('logs of a failing store neither the data nor the error text', async () => {
    const traces = new Traces();
    const trigger = join(ROOT, 'node_modules/.cache', `fault-${process.pid}`);
    const service = await RunningService.start({
      env: faulty(traces.token('message'), trigger),
      config: { log: { level: 'trace' } },
    });
    const { secret, id } = await service.household();
    traces.secret('secret', secret);
    const own = service.as(secret, traces.loopback('address'));
    writeFileSync(trigger, '');
    try {
      const label = traces.token('label');
      const headers = { 'idempotency-key': traces.token('idempotency key') };
      const calls = [
        await own.call('POST', '/v1/registrations', { label }, headers),
        await service.admin.call('GET', `/v1/accounts/${traces.token('path')}`),
        await service.admin.call('POST', `/v1/accounts/${id}/registrations`, {
          address: traces.loopback('address'),
          label: traces.token('label'),
        }),
      ];
      expect(calls.map(({ status }) => status)).toEqual([503, 503, 503]);
      const replies = haystack('replies', calls.map(({ text }) => text).join());
      expect(found(traces.all, [replies, haystack('output', service.output)])).toEqual([]);
    } finally {
      rmSync(trigger, { force: true });
    }
    await service.stop();
    expect(found(traces.all, [haystack('output', service.output)])).toEqual([]);
  });

  it('leaves no core dump when killed', async () => {
    const service = await RunningService.start();
    await service.stop('SIGKILL');
    expect(readdirSync(service.folder).toSorted()).toEqual(['config.yaml', 'services', 'var']);
    expect(existsSync(join(service.dataDir, 'core'))).toBe(false);
  });
});

/** Waits until files hold none of some kinds of traces, for the time that is stated, played faster. */
async function gone(...kinds: readonly string[]): Promise<string[]> {
  const end = performance.now() + ERASED_WITHIN_MS / TIMES_AS_FAST + SLOW_MACHINE_MS;
  const left = () => subjects.flatMap((subject) => found(subject.traces.of(...kinds), subject.files()));
  while (left().length > 0 && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 100));
  return left();
}

describe('erased data', () => {
  it('leaves every file within the stated time: addresses and their labels', {
    timeout: 60_000,
  }, async () => {
    for (const { service, accounts } of subjects) {
      for (const id of accounts) {
        const path = `/v1/accounts/${id}/registrations`;
        const { registrations } = (await service.admin.call('GET', path)).body;
        for (const one of registrations)
          expect((await service.admin.call('DELETE', `${path}/${one.id}`)).status).toBe(204);
      }
    }
    expect(await gone('registered address', 'label', 'idempotency key')).toEqual([]);
  });

  it('leaves every file within the stated time: accounts', async () => {
    for (const { service, accounts } of subjects) {
      for (const id of accounts)
        expect((await service.admin.call('DELETE', `/v1/accounts/${id}`)).status).toBe(204);
    }
    expect(await gone('account id', 'secret')).toEqual([]);
  });

  it('is nowhere after the service has stopped', async () => {
    for (const subject of subjects) {
      expect(await subject.service.stop()).toEqual({ code: 0, signal: null });
      const files = filesOf(subject.service.folder, KEY_FILE);
      expect([...subject.told(), ...found(subject.traces.all, files)]).toEqual([]);
      expect(subject.service.stderr).toBe('');
    }
  });
});
