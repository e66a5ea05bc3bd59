/**
 * 2,000 messages, valid, odd and malformed, to the edge and to Debian's unbound in front of the same upstream: whatever
 * they answer differently is on the list below, with its reason.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as dnsPacket from 'dns-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeQuery, UdpClient } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Chance, PacketMaker } from '../support/mutate.ts';
import { type Endpoint, RunningService, temporaryFolder, until } from '../support/service.ts';

const MESSAGES = 2_000;
/** The same messages each time: a difference is a fault of the program, not of chance. */
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

/** A difference, and why it is none to mend. */
interface Difference {
  readonly reason: string;
  is(query: Buffer, ours: Answer | null, theirs: Answer | null): boolean;
}

const flagsOf = (query: Buffer): number => query.readUInt16BE(2);
const opcodeOf = (query: Buffer): number => (flagsOf(query) >>> 11) & 15;
const counts = (query: Buffer): number[] => [4, 6, 8, 10].map((at) => query.readUInt16BE(at));

/** Type and class of the question, as far as it can be read. */
function questionOf(query: Buffer): { type: number; qclass: number; end: number } | null {
  let at = 12;
  while (at < query.length && query[at] !== 0 && query[at] < 64) at += 1 + query[at];
  if (query[at] !== 0 || at + 5 > query.length) return null;
  return { type: query.readUInt16BE(at + 1), qclass: query.readUInt16BE(at + 3), end: at + 5 };
}

const DIFFERENCES: readonly Difference[] = [
  {
    reason:
      'RFC 9619 and our own rule: a question that is not one, or cannot be read, is FORMERR; unbound is silent or FORMERR',
    is: (query, ours) => (ours?.rcode === 'FORMERR' && questionOf(query) === null) || counts(query)[0] !== 1,
  },
  {
    reason: 'opcodes: NOTIMP (RFC 1035 4.1.1) for each; unbound refuses NOTIFY and answers others otherwise',
    is: (query, ours) => opcodeOf(query) !== 0 && ours?.rcode === 'NOTIMP',
  },
  {
    reason:
      'records in a query: we read them for their OPT alone (RFC 6891 6.1.1); unbound drops or refuses them by their sections',
    is: (query) => counts(query)[1] + counts(query)[2] > 0 || counts(query)[3] > 1,
  },
  {
    reason: 'additional data that is cut or no OPT: FORMERR; unbound ignores some of it',
    is: (query, ours) => ours?.rcode === 'FORMERR' && counts(query)[3] === 1,
  },
  {
    reason: 'octets behind the message are ignored by us; unbound says FORMERR to them',
    is: (query, ours, theirs) => theirs?.rcode === 'FORMERR' && ours !== null && counts(query)[0] === 1,
  },
  {
    reason: 'ANY: one HINFO (RFC 8482 4.2), unbound forwards it',
    is: (query) => questionOf(query)?.type === 255,
  },
  {
    reason: 'other bits that a query should not have: AA, RA, Z, rcode; unbound looks at some, we at none',
    is: (query) => (flagsOf(query) & 0x04cf) !== 0,
  },
  {
    reason:
      'names of special use are answered with our SOA, or by NODATA where unbound has local zones of other shape',
    is: (_, ours, theirs) =>
      ours?.rcode === theirs?.rcode && ours!.records.length + theirs!.records.length <= 2,
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
/** The SOA of the root, which holds every name, for 300 s. */
const START_OF_AUTHORITY = Buffer.from(
  `0000060001${'0000012c'}${'0016'}${'00'}${'00'}${'00000001'}${'00000e10'}${'00000258'}${'00015180'}${'0000012c'}`,
  'hex',
);

const DENIED = '\u0002no\u0007example\u0000';

/** What both resolvers stand before: known names, NXDOMAIN for those that end with `no.example`, NODATA for other types. */
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

/** One message to one server; null where it is silent. */
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
    // On a busy machine a reply may have come too late.
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
  // A reason that nothing needs any more is to be taken off the list.
  expect(DIFFERENCES.filter(({ reason }) => !used.has(reason)).map(({ reason }) => reason)).toEqual([]);
});
