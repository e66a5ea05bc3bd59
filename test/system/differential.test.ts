/**
 * Sends 2,000 valid, odd and malformed messages to the edge and to Debian's unbound with the same upstream. Every
 * difference between the replies must be on the list below, with its reason.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as dnsPacket from 'dns-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeQuery, UdpClient } from '../support/dns-client.ts';
import { FakeUpstream, refuse } from '../support/fake-upstream.ts';
import { Chance, PacketMaker } from '../support/mutate.ts';
import { type Endpoint, RunningService, temporaryFolder, until } from '../support/service.ts';

const MESSAGES = 2_000;
/** Fixed, so that a difference is a bug and not chance. */
const SEED = 0x5eed;
const HOME = '127.0.0.1';
const SILENCE_MS = 400;
const PATIENCE_MS = 6_000;
const NAMES = ['one.example', 'two.example', 'no.example', 'localhost', '1.0.0.10.in-addr.arpa', '.'];

interface Answer {
  rcode: string;
  /** Sorted: name, type and data of each record. */
  records: string[];
}

/** A difference that is intended, and why. */
interface Difference {
  readonly reason: string;
  is(query: Buffer, ours: Answer | null, theirs: Answer | null): boolean;
}

const opcodeOf = (query: Buffer): number => (query[2]! >>> 3) & 15;
const counts = (query: Buffer): number[] => [4, 6, 8, 10].map((at) => query.readUInt16BE(at));

/** Type and class of the question, as far as they are readable. */
function questionOf(query: Buffer): { type: number; qclass: number; end: number } | null {
  let at = 12;
  while (at < query.length && query[at] !== 0 && query[at] < 64) at += 1 + query[at];
  if (query[at] !== 0 || at + 5 > query.length) return null;
  return { type: query.readUInt16BE(at + 1), qclass: query.readUInt16BE(at + 3), end: at + 5 };
}

/** True if the question is followed by one well-formed OPT record (RFC 6891 6.1.2) and nothing else. */
function endsWithOpt(query: Buffer, end: number): boolean {
  if (query.length < end + 11 || query[end] !== 0 || query.readUInt16BE(end + 1) !== 41) return false;
  let at = end + 11;
  if (at + query.readUInt16BE(end + 9) !== query.length) return false;
  while (at + 4 <= query.length) at += 4 + query.readUInt16BE(at + 2);
  return at === query.length;
}

const isFormerr = (answer: Answer | null): boolean => answer?.rcode === 'FORMERR';
const isBare = (answer: Answer | null, rcode: string): boolean =>
  answer?.rcode === rcode && answer.records.length === 0;
/** True for one question of class IN and a matching type. */
const asksFor = (query: Buffer, types: (type: number) => boolean): boolean => {
  const question = opcodeOf(query) === 0 && counts(query)[0] === 1 ? questionOf(query) : null;
  return question !== null && question.qclass === 1 && types(question.type);
};
const LOCALHOST = Buffer.from('\u0009localhost\u0000', 'latin1');

const DIFFERENCES: readonly Difference[] = [
  {
    reason:
      'an opcode that is not known is NOTIMP whatever follows (RFC 1035 4.1.1); to unbound what follows is FORMERR first',
    is: (query, ours, theirs) => opcodeOf(query) !== 0 && isBare(ours, 'NOTIMP') && isBare(theirs, 'FORMERR'),
  },
  {
    reason: 'FORMERR is without records; unbound sends those of the query back with it',
    is: (query, ours, theirs) =>
      counts(query)[1] + counts(query)[2] > 0 && isBare(ours, 'FORMERR') && isFormerr(theirs),
  },
  {
    reason:
      'AXFR behind which no whole OPT stands is FORMERR; unbound refuses transfers before it looks there',
    is: (query, ours, theirs) =>
      questionOf(query)?.type === 252 &&
      !endsWithOpt(query, questionOf(query)!.end) &&
      isBare(ours, 'FORMERR') &&
      isBare(theirs, 'REFUSED'),
  },
  {
    reason: 'another class than IN is REFUSED whatever follows; to unbound what follows is FORMERR first',
    is: (query, ours, theirs) =>
      (questionOf(query)?.qclass ?? 1) !== 1 && isBare(ours, 'REFUSED') && isBare(theirs, 'FORMERR'),
  },
  {
    reason: 'meta types but those of RFC 1035 (128 to 251) are NOTIMP; unbound says FORMERR to them',
    is: (query, ours, theirs) =>
      asksFor(query, (type) => type >= 128 && type < 252) &&
      isBare(ours, 'NOTIMP') &&
      isBare(theirs, 'FORMERR'),
  },
  {
    reason: 'anything but one whole OPT behind the question: we ignore it, unbound says FORMERR',
    is: (query, ours, theirs) =>
      asksFor(query, () => true) &&
      !endsWithOpt(query, questionOf(query)!.end) &&
      ours !== null &&
      !isFormerr(ours) &&
      isBare(theirs, 'FORMERR'),
  },
  {
    reason: 'ANY: one HINFO (RFC 8482 4.2), unbound forwards it',
    is: (query, ours) =>
      asksFor(query, (type) => type === 255) && ours?.records[0]?.includes(' HINFO ') === true,
  },
  {
    reason:
      'SOA of localhost and of names below it: NODATA; unbound makes up a zone with one (RFC 6761 6.3 asks for none)',
    is: (query, ours, theirs) =>
      asksFor(query, (type) => type === 6) &&
      query.subarray(12, questionOf(query)!.end - 4).includes(LOCALHOST) &&
      isBare(ours, 'NOERROR') &&
      theirs?.rcode === 'NOERROR' &&
      theirs.records.length === 1 &&
      /^(\S+\.)?localhost SOA /.test(theirs.records[0]!),
  },
];

let service: RunningService;
let upstream: FakeUpstream;
let unbound: ChildProcess;
let unboundPort = 0;

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** An A record of the question's name, for 300 s. */
const ADDRESS = Buffer.from('c00c000100010000012c0004c0000201', 'hex');
/** The root's SOA, for 300 s. */
const START_OF_AUTHORITY = Buffer.from(
  `0000060001${'0000012c'}${'0016'}${'00'}${'00'}${'00000001'}${'00000e10'}${'00000258'}${'00015180'}${'0000012c'}`,
  'hex',
);

const DENIED = '\u0002no\u0007example\u0000';

/** The upstream of both: known names; NXDOMAIN below `no.example`; NODATA for other types. */
function answerAll({ bytes }: { bytes: Buffer }, replier: { send(message: Uint8Array): void }): void {
  const { type, end } = questionOf(bytes)!;
  const isDenied = bytes
    .toString('latin1', 12, end - 4)
    .toLowerCase()
    .endsWith(DENIED);
  const isA = type === 1 && !isDenied;
  const reply = Buffer.concat([bytes.subarray(0, end), isA ? ADDRESS : START_OF_AUTHORITY]);
  reply.writeUInt16BE(isDenied ? 0x8183 : 0x8180, 2);
  for (const [at, count] of [isA ? 1 : 0, isA ? 0 : 1, 0].entries()) reply.writeUInt16BE(count, 6 + 2 * at);
  replier.send(reply);
}

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = answerAll;
  upstream.tcp = upstream.udp;
  service = await RunningService.start({ config: { upstreams: [upstream.url] } });
  await service.household([HOME]);
  unboundPort = await freePort();
  const [host, port] = new URL(upstream.url).host.split(':');
  const file = join(temporaryFolder(), 'unbound.conf');
  writeFileSync(
    file,
    `server:
  interface: 127.0.0.1@${unboundPort}
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  deny-any: no
forward-zone:
  name: "."
  forward-addr: ${host}@${port}
`,
  );
  unbound = spawn('/usr/sbin/unbound', ['-d', '-c', file], { stdio: 'ignore' });
  const client = await UdpClient.open(HOME);
  await until(async () => {
    const asked = ask(
      client,
      { host: '127.0.0.1', port: unboundPort },
      encodeQuery({ name: 'one.example', id: 1 }),
    );
    return (await asked) !== null;
  }, 'unbound answers');
  client.close();
});
afterAll(async () => {
  unbound?.kill('SIGTERM');
  await service.stop();
  await upstream.stop();
});

/** Asks one server; null without a reply. */
async function ask(
  client: UdpClient,
  to: Endpoint,
  message: Buffer,
  patienceMs = SILENCE_MS,
): Promise<Answer | null> {
  const id = message.length >= 2 ? message.readUInt16BE(0) : -1;
  return new Promise((resolve) => {
    const timer = setTimeout(() => end(null), patienceMs);
    const take = (bytes: Buffer): void => {
      if (bytes.readUInt16BE(0) === id) end(answerOf(bytes));
    };
    const end = (answer: Answer | null): void => {
      clearTimeout(timer);
      client.socket.off('message', take);
      resolve(answer);
    };
    client.socket.on('message', take);
    client.send(to, message);
  });
}

function answerOf(bytes: Buffer): Answer {
  const rcode = dnsPacket.decode(Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(8)])) as unknown as {
    rcode: string;
  };
  try {
    const { answers = [] } = dnsPacket.decode(bytes);
    const lines = answers.map((record) => {
      const { name, type, data } = record as { name: string; type: string; data?: unknown };
      return `${name.toLowerCase()} ${type} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
    });
    return { rcode: rcode.rcode, records: lines.toSorted() };
  } catch {
    return { rcode: rcode.rcode, records: [] };
  }
}

it(`answers ${MESSAGES} messages as unbound does, but for what is on the list`, async () => {
  const maker = new PacketMaker(new Chance(SEED), NAMES);
  const messages = Array.from({ length: MESSAGES }, (_, id) => maker.next(id)).filter(
    ({ length }) => length >= 12,
  );
  const unexplained: string[] = [];
  const used = new Map<string, number>();
  let same = 0;
  const WIDTH = 40;
  const clients = await Promise.all(
    Array.from(
      { length: WIDTH },
      async () => [await UdpClient.open(HOME), await UdpClient.open(HOME)] as const,
    ),
  );
  const compare = async (
    message: Buffer,
    [one, other]: readonly [UdpClient, UdpClient],
    patienceMs: number,
  ): Promise<void> => {
    const ours = await ask(one, service.udp, message, patienceMs);
    const theirs = await ask(other, { host: '127.0.0.1', port: unboundPort }, message, patienceMs);
    if (JSON.stringify(ours) === JSON.stringify(theirs)) {
      same++;
      return;
    }
    const listed = DIFFERENCES.find((difference) => difference.is(message, ours, theirs));
    if (listed !== undefined) used.set(listed.reason, (used.get(listed.reason) ?? 0) + 1);
    // A reply may have come too late on a busy machine.
    else if (patienceMs < PATIENCE_MS) await compare(message, [one, other], PATIENCE_MS);
    else unexplained.push(`${message.toString('hex')} ${JSON.stringify({ ours, theirs })}`);
  };
  for (let at = 0; at < messages.length; at += WIDTH) {
    await Promise.all(
      messages.slice(at, at + WIDTH).map((message, i) => compare(message, clients[i], SILENCE_MS)),
    );
  }
  for (const pair of clients) for (const client of pair) client.close();
  expect(unexplained).toEqual([]);
  expect(same).toBeGreaterThan(MESSAGES / 2);
  // Unused reasons must be removed from the list.
  expect(DIFFERENCES.filter(({ reason }) => !used.has(reason)).map(({ reason }) => reason)).toEqual([]);
});

it('says SERVFAIL where the upstream refuses, as unbound does: REFUSED would say that the device is not registered', async () => {
  upstream.udp = refuse();
  upstream.tcp = refuse();
  const client = await UdpClient.open(HOME);
  const message = encodeQuery({ name: 'refused.example', id: 5 });
  const both = [];
  for (const to of [service.udp, { host: '127.0.0.1', port: unboundPort }]) {
    both.push(await ask(client, to, message, PATIENCE_MS));
  }
  client.close();
  expect(both).toEqual([
    { rcode: 'SERVFAIL', records: [] },
    { rcode: 'SERVFAIL', records: [] },
  ]);
});
