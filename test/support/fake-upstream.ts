/**
 * A DNS server that does as it is told: honest, slow, broken or hostile. UDP and TCP on one port of a
 * loopback address; every query that reaches it is kept, so a test can say what was asked and how often.
 *
 *     const upstream = await FakeUpstream.start();
 *     upstream.udp = inTurn(drop(), answer());     // the first query is lost, all others are answered
 *     upstream.tcp = answer();
 *     ... `${upstream.url}` goes into the configuration ...
 *     await upstream.stop();
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import * as dnsPacket from 'dns-packet';

export type Transport = 'udp' | 'tcp';

/** A query as it arrived. */
export interface ReceivedQuery {
  readonly transport: Transport;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** Counted over both transports, from 0. */
  readonly index: number;
  readonly id: number;
  /** In the case that it was sent in, without the last dot. */
  readonly name: string;
  /** `A`, `AAAA`, ...; `UNKNOWN_n` for those that dns-packet does not know. */
  readonly type: string;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly authenticData: boolean;
  /** Content of its OPT record; null without one. */
  readonly edns: {
    readonly udpSize: number;
    readonly dnssecOk: boolean;
    readonly options: readonly number[];
  } | null;
  readonly bytes: Buffer;
}

/** The ways to answer one query. None of them throws when the peer is gone. */
export interface Replier {
  /** Sends a message to the client from the address it asked; over TCP with a length prefix. */
  send(message: Uint8Array): void;
  /** UDP: sends it from another port of the same address. TCP: the same as send. */
  sendFromOtherPort(message: Uint8Array): void;
  /** TCP: writes bytes as they are, without a length. UDP: sends them as a datagram. */
  write(bytes: Uint8Array): void;
  /** TCP: closes the connection once all is written. */
  close(): void;
}

export type Behaviour = (query: ReceivedQuery, replier: Replier) => void;

/** Record data as dns-packet has it. */
export type FakeRecord = dnsPacket.Answer;

export interface ReplyFields {
  readonly rcode?: number;
  /** By default one record for A, AAAA and TXT, and a SOA for all others. */
  readonly answers?: readonly FakeRecord[];
  readonly authorities?: readonly FakeRecord[];
  readonly additionals?: readonly FakeRecord[];
  readonly ttlSeconds?: number;
  readonly authenticData?: boolean;
  readonly recursionAvailable?: boolean;
  readonly truncated?: boolean;
  /** By default a reply has OPT if the query has it. */
  readonly opt?: boolean;
}

const RECURSION_AVAILABLE = 0x0080;
const AUTHENTIC_DATA = 0x0020;
const TRUNCATED = 0x0200;
const HEADER_BYTES = 12;

/** The message that an honest server would send, or one with the fields given changed. */
export function buildReply(query: ReceivedQuery, fields: ReplyFields = {}): Buffer {
  const { name, type, edns, id } = query;
  const ttlSeconds = fields.ttlSeconds ?? 300;
  const answers = fields.answers ?? ((fields.rcode ?? 0) === 0 ? defaultAnswers(name, type, ttlSeconds) : []);
  const authorities = fields.authorities ?? (answers.length === 0 ? [soa(ttlSeconds)] : []);
  const flags =
    (fields.recursionAvailable === false ? 0 : RECURSION_AVAILABLE) |
    (fields.authenticData ? AUTHENTIC_DATA : 0) |
    (fields.truncated ? TRUNCATED : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    (query.checkingDisabled ? 0x0010 : 0) |
    (fields.rcode ?? 0);
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    flags: edns?.dnssecOk ? 0x8000 : 0,
    options: [],
  };
  const withOpt = fields.opt ?? edns !== null;
  return dnsPacket.encode({
    type: 'response',
    id,
    flags,
    questions: [{ name, type: type as dnsPacket.RecordType, class: 'IN' }],
    answers: [...answers],
    authorities: [...authorities],
    additionals: [...(fields.additionals ?? []), ...(withOpt ? [opt as unknown as FakeRecord] : [])],
  });
}

export function soa(ttlSeconds: number, owner = 'example'): FakeRecord {
  const data = {
    mname: 'ns.example',
    rname: 'root.example',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86400,
    minimum: ttlSeconds,
  };
  return { type: 'SOA', name: owner, ttl: ttlSeconds, data };
}

function defaultAnswers(name: string, type: string, ttl: number): FakeRecord[] {
  if (type === 'A') return [{ type, name, ttl, data: '192.0.2.1' }];
  if (type === 'AAAA') return [{ type, name, ttl, data: '2001:db8::1' }];
  if (type === 'TXT') return [{ type, name, ttl, data: 'text' }];
  return [];
}

/** Answers as an honest server, with the fields given. */
export const answer =
  (fields: ReplyFields = {}): Behaviour =>
  (query, replier) =>
    replier.send(buildReply(query, fields));

/** Replies with an rcode and nothing else. */
export const refuse = (rcode = 5): Behaviour => answer({ rcode, answers: [], authorities: [] });

/** Never answers. */
export const drop = (): Behaviour => () => {};

/** Does `then` after delayMs. */
export const delay =
  (delayMs: number, then: Behaviour = answer()): Behaviour =>
  (query, replier) => {
    setTimeout(() => then(query, replier), delayMs);
  };

/** Replies TC=1 without records. */
export const truncate = (): Behaviour => answer({ truncated: true, answers: [], authorities: [] });

/** Sends `times` replies with IDs that were not asked with, forged to lead elsewhere; then does `then`. */
export const wrongId =
  (times: number, then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    for (let i = 1; i <= times; i++) {
      const message = forged(query);
      message.writeUInt16BE((query.id + i) & 0xffff, 0);
      replier.send(message);
    }
    then(query, replier);
  };

/** Sends a forged reply from another port, then does `then`. */
export const wrongPort =
  (then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    replier.sendFromOtherPort(forged(query));
    // The other socket's datagram is on its way first.
    setTimeout(() => then(query, replier), 10);
  };

/** Sends a forged reply to another question, then does `then`. */
export const wrongQuestion =
  (then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    replier.send(forged({ ...query, name: `other-${query.name}` }));
    then(query, replier);
  };

/** Sends the query back as it came (QR=0), then does `then`. */
export const echo =
  (then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    replier.send(query.bytes);
    then(query, replier);
  };

/** Sends a reply whose one record runs past the end, then does `then`. */
export const malformed =
  (then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    replier.send(buildReply(query, { opt: false }).subarray(0, -2));
    then(query, replier);
  };

/** Sends a reply cut at `length` bytes, without TC, as some middleboxes do. */
export const cut =
  (length: number): Behaviour =>
  (query, replier) =>
    replier.send(buildReply(query).subarray(0, length));

/** Sends an error code in a header alone. */
export const bareError =
  (code: number): Behaviour =>
  (query, replier) => {
    const message = buildReply(query, { rcode: code, answers: [], authorities: [], opt: false });
    message.writeUInt16BE(0, 4);
    replier.send(message.subarray(0, HEADER_BYTES));
  };

/** Sends an answer without its question. */
export const questionless = (): Behaviour => (query, replier) => {
  const message = buildReply(query, { opt: false });
  const end = HEADER_BYTES + Buffer.byteLength(query.name) + 2 + 4;
  const bytes = Buffer.concat([message.subarray(0, HEADER_BYTES), message.subarray(end)]);
  bytes.writeUInt16BE(0, 4);
  replier.send(bytes);
};

/** Drops queries with EDNS; else does `then`. */
export const dropEdns =
  (then: Behaviour = answer()): Behaviour =>
  (query, replier) => {
    if (query.edns === null) then(query, replier);
  };

/** Sends bytes that are not a DNS message but start with the query's ID, then does `then`. */
export const garbage =
  (then: Behaviour = drop()): Behaviour =>
  (query, replier) => {
    for (const length of [2, 11, 12, 13, 40]) {
      const bytes = Buffer.alloc(length, 0xff);
      bytes.writeUInt16BE(query.id, 0);
      replier.send(bytes);
    }
    then(query, replier);
  };

/** Sends the same reply twice. */
export const twice = (): Behaviour => (query, replier) => {
  replier.send(buildReply(query));
  replier.send(buildReply(query));
};

/** Answers with the case of each letter of the question turned round. */
export const caseChanged = (): Behaviour => (query, replier) => {
  const message = buildReply(query);
  const end = HEADER_BYTES + Buffer.byteLength(query.name) + 2;
  for (let at = HEADER_BYTES; at < end; at++) if (isLetter(message[at])) message[at] ^= 0x20;
  replier.send(message);
};

/** Answers FORMERR, with a header alone or with the question, to queries with EDNS; else does `then`. */
export const formerrOnEdns =
  (headerOnly = false, then: Behaviour = answer()): Behaviour =>
  (query, replier) => {
    if (query.edns === null) {
      then(query, replier);
      return;
    }
    const message = buildReply(query, { rcode: 1, answers: [], authorities: [], opt: false });
    if (headerOnly) message.writeUInt16BE(0, 4);
    replier.send(headerOnly ? message.subarray(0, HEADER_BYTES) : message);
  };

/** TCP: closes the connection in the middle of the reply. UDP: sends the first half of it. */
export const closeMidMessage = (): Behaviour => (query, replier) => {
  const message = buildReply(query);
  const framed = Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);
  replier.write((query.transport === 'tcp' ? framed : message).subarray(0, message.length / 2));
  replier.close();
};

/** TCP: closes the connection without a word. */
export const hangUp = (): Behaviour => (_query, replier) => replier.close();

/** TCP: does `then`, and closes the connection. */
export const andHangUp =
  (then: Behaviour = answer()): Behaviour =>
  (query, replier) => {
    then(query, replier);
    replier.close();
  };

/** Does one behaviour a query, in turn; the last one for all that follow. */
export function inTurn(...behaviours: [Behaviour, ...Behaviour[]]): Behaviour {
  let next = 0;
  return (query, replier) => {
    const behaviour = behaviours[Math.min(next++, behaviours.length - 1)];
    behaviour(query, replier);
  };
}

/** Does what `behaviours` has for the name asked, in lower case; else `otherwise`. */
export const byName =
  (behaviours: Readonly<Record<string, Behaviour>>, otherwise: Behaviour = answer()): Behaviour =>
  (query, replier) =>
    (behaviours[query.name.toLowerCase()] ?? otherwise)(query, replier);

/** An answer that no test expects: a client that returns it was deceived. */
export const FORGED_ADDRESS = '203.0.113.66';

function forged(query: ReceivedQuery): Buffer {
  return buildReply(query, { answers: [{ type: 'A', name: query.name, ttl: 300, data: FORGED_ADDRESS }] });
}

function isLetter(byte: number): boolean {
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x7a;
}

export interface FakeUpstreamOptions {
  /** A loopback address; 127.0.0.1 by default. */
  readonly address?: string;
  readonly udp?: Behaviour;
  readonly tcp?: Behaviour;
  /** Speaks TLS on its TCP port: its certificate. */
  readonly tls?: TlsOptions;
}

export class FakeUpstream {
  readonly address: string;
  readonly port: number;
  /** All queries in the order of their arrival, except health checks. */
  readonly queries: ReceivedQuery[] = [];
  /** Health checks (`. NS`); they are answered like other queries. */
  readonly checks: ReceivedQuery[] = [];
  udp: Behaviour;
  tcp: Behaviour;
  /** TCP connections since the start. */
  connectionCount = 0;
  private readonly socket: dgram.Socket;
  private readonly otherSocket: dgram.Socket;
  private readonly server: net.Server;
  private readonly connections = new Set<net.Socket>();

  private constructor(
    options: FakeUpstreamOptions,
    sockets: { udp: dgram.Socket; other: dgram.Socket; tcp: net.Server },
  ) {
    this.udp = options.udp ?? answer();
    this.tcp = options.tcp ?? answer();
    this.socket = sockets.udp;
    this.otherSocket = sockets.other;
    this.server = sockets.tcp;
    const { address, port } = sockets.udp.address();
    this.address = address;
    this.port = port;
    this.socket.on('message', (message, from) => this.receivedDatagram(message, from));
    this.server.on(options.tls === undefined ? 'connection' : 'secureConnection', (connection) =>
      this.accepted(connection),
    );
  }

  static async start(options: FakeUpstreamOptions = {}): Promise<FakeUpstream> {
    const address = options.address ?? '127.0.0.1';
    for (let left = 20; ; left--) {
      const udp = await boundSocket(address);
      const tcp =
        options.tls === undefined
          ? net.createServer({ allowHalfOpen: false })
          : createTlsServer({ ALPNProtocols: ['dot'], ...options.tls }).on('tlsClientError', () => {});
      tcp.listen(udp.address().port, address);
      try {
        await once(tcp, 'listening');
      } catch (error) {
        // Another program has the port for TCP: try with another one.
        udp.close();
        if (left === 0) throw error;
        continue;
      }
      return new FakeUpstream(options, { udp, tcp, other: await boundSocket(address) });
    }
  }

  get url(): string {
    return this.urlFor('udp');
  }

  urlFor(scheme: Transport): string {
    const host = this.address.includes(':') ? `[${this.address}]` : this.address;
    return `${scheme}://${host}:${this.port}`;
  }

  /** Sends bytes that nobody asked for to a port of this machine. */
  sendTo(port: number, bytes: Uint8Array): void {
    this.socket.send(bytes, port, '127.0.0.1', () => {});
  }

  /** Queries by one transport. */
  over(transport: Transport): ReceivedQuery[] {
    return this.queries.filter((query) => query.transport === transport);
  }

  /** TCP connections that are open now. */
  get openConnections(): number {
    return this.connections.size;
  }

  /** Behaves so from now on. */
  serve({ udp = this.udp, tcp = this.tcp }: { udp?: Behaviour; tcp?: Behaviour }): void {
    this.udp = udp;
    this.tcp = tcp;
  }

  /** Refuses TCP connections from now on. */
  closeTcp(): void {
    this.server.close();
    this.dropConnections();
  }

  /** Ends all TCP connections, as a server that restarts does. */
  dropConnections(): void {
    for (const connection of this.connections) connection.destroy();
  }

  async stop(): Promise<void> {
    const tcpClosed = this.server.listening ? once(this.server, 'close') : null;
    const closed = Promise.all([tcpClosed, once(this.socket, 'close')]);
    this.server.close();
    this.dropConnections();
    this.socket.close();
    this.otherSocket.close();
    await closed;
  }

  private receivedDatagram(message: Buffer, from: dgram.RemoteInfo): void {
    const query = this.keep(message, 'udp', from.address, from.port);
    const via = (socket: dgram.Socket) => (bytes: Uint8Array) => {
      // A behaviour with a delay may act after stop().
      try {
        socket.send(bytes, from.port, from.address, () => {});
      } catch {}
    };
    const send = via(this.socket);
    this.udp(query, { send, write: send, sendFromOtherPort: via(this.otherSocket), close: () => {} });
  }

  private accepted(connection: net.Socket): void {
    this.connectionCount++;
    this.connections.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => this.connections.delete(connection));
    let unread = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const end = 2 + unread.readUInt16BE(0);
        this.receivedMessage(unread.subarray(2, end), connection);
        unread = unread.subarray(end);
      }
    });
  }

  private receivedMessage(message: Buffer, connection: net.Socket): void {
    const { remoteAddress = '', remotePort = 0 } = connection;
    const query = this.keep(message, 'tcp', remoteAddress, remotePort);
    const write = (bytes: Uint8Array): void => {
      if (connection.writable) connection.write(bytes);
    };
    const send = (bytes: Uint8Array): void =>
      write(Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]));
    this.tcp(query, { send, write, sendFromOtherPort: send, close: () => connection.end() });
  }

  private keep(
    message: Buffer,
    transport: Transport,
    sourceAddress: string,
    sourcePort: number,
  ): ReceivedQuery {
    const bytes = Buffer.from(message);
    const packet = dnsPacket.decode(bytes);
    const question = packet.questions?.[0];
    const opt = packet.additionals?.find(({ type }) => type === 'OPT') as dnsPacket.OptAnswer | undefined;
    const query: ReceivedQuery = {
      transport,
      sourceAddress,
      sourcePort,
      index: this.queries.length,
      id: bytes.readUInt16BE(0),
      name: question?.name ?? '',
      type: question?.type ?? '',
      recursionDesired: (bytes[2] & 0x01) !== 0,
      authenticData: (bytes[3] & 0x20) !== 0,
      checkingDisabled: (bytes[3] & 0x10) !== 0,
      edns:
        opt === undefined
          ? null
          : {
              udpSize: opt.udpPayloadSize,
              dnssecOk: (opt.flags & 0x8000) !== 0,
              options: opt.options.map(({ code }) => Number(code)),
            },
      bytes,
    };
    const isCheck = query.type === 'NS' && (query.name === '.' || query.name === '');
    (isCheck ? this.checks : this.queries).push(query);
    return query;
  }
}

async function boundSocket(address: string): Promise<dgram.Socket> {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {});
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}
