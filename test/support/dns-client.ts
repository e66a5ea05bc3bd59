/**
 * Clients of a DNS server, from any loopback address: dig, and sockets whose messages dns-packet reads and writes.
 */
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import * as dnsPacket from 'dns-packet';
import type { Endpoint } from './service.ts';

/** Patience with a reply; one that must not come is shown by a later one that does. */
const REPLY_MS = 20_000;

export interface Query {
  readonly name: string;
  /** `A` by default. */
  readonly type?: dnsPacket.RecordType | 'ANY';
  readonly id?: number;
  /** With an OPT record; true by default. */
  readonly edns?: boolean;
}

export interface Reply {
  readonly id: number;
  readonly rcode: string;
  /** The data of the answer's records: addresses, targets. */
  readonly data: string[];
  readonly packet: dnsPacket.DecodedPacket;
  readonly bytes: Buffer;
}

let lastId = 0;

export function encodeQuery({ name, type = 'A', id = ++lastId & 0xffff, edns = true }: Query): Buffer {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] };
  return dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as dnsPacket.RecordType, class: 'IN' }],
    additionals: edns ? [opt as unknown as dnsPacket.Answer] : [],
  });
}

export function readReply(bytes: Buffer): Reply {
  const packet = dnsPacket.decode(bytes);
  const { rcode } = packet as unknown as { rcode: string };
  const data = (packet.answers ?? []).map((record) => String((record as { data?: unknown }).data));
  return { id: packet.id ?? 0, rcode, data, packet, bytes };
}

/** A UDP socket at a source address. */
export class UdpClient {
  readonly socket: dgram.Socket;
  private readonly replies = new Map<number, (bytes: Buffer) => void>();

  private constructor(socket: dgram.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (bytes) => {
      if (bytes.length >= 2) this.replies.get(bytes.readUInt16BE(0))?.(bytes);
    });
  }

  static async open(from: string): Promise<UdpClient> {
    const socket = dgram.createSocket(from.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, from);
    await once(socket, 'listening');
    return new UdpClient(socket);
  }

  /** Asks, and again every second until the reply is there: a busy machine may lose a packet. */
  ask({ host, port }: Endpoint, query: Query): Promise<Reply> {
    const bytes = encodeQuery(query);
    const id = bytes.readUInt16BE(0);
    return new Promise((resolve, reject) => {
      const send = (): void => this.socket.send(bytes, port, host, () => {});
      const again = setInterval(send, 1000);
      const late = setTimeout(() => done(() => reject(new Error('no reply over UDP'))), REPLY_MS);
      const done = (then: () => void): void => {
        clearInterval(again);
        clearTimeout(late);
        this.replies.delete(id);
        then();
      };
      this.replies.set(id, (reply) => done(() => resolve(readReply(reply))));
      send();
    });
  }

  send({ host, port }: Endpoint, bytes: Uint8Array): void {
    this.socket.send(bytes, port, host, () => {});
  }

  close(): void {
    this.socket.close();
  }
}

/** A TCP connection from a source address. */
export class TcpClient {
  readonly socket: net.Socket;
  /** Replies that nobody has taken yet, in the order in which they came. */
  readonly replies: Buffer[] = [];
  isClosed = false;
  private unread = Buffer.alloc(0);
  private readonly watchers = new Set<() => void>();

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.read(chunk));
    for (const event of ['error', 'end', 'close']) {
      socket.on(event, () => {
        this.isClosed = true;
        this.notify();
      });
    }
  }

  static async open({ host, port }: Endpoint, from: string): Promise<TcpClient> {
    const socket = net.connect({ host, port, localAddress: from });
    await once(socket, 'connect');
    return new TcpClient(socket);
  }

  /** Writes a message with its length in front. */
  send(message: Uint8Array): void {
    this.socket.write(Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]));
  }

  /** The next reply to the query with this ID; null if the connection is closed before it. */
  async next(id: number): Promise<Buffer | null> {
    for (const patience = AbortSignal.timeout(REPLY_MS); ; ) {
      const index = this.replies.findIndex((reply) => reply.readUInt16BE(0) === id);
      if (index >= 0) return this.replies.splice(index, 1)[0];
      if (this.isClosed) return null;
      if (patience.aborted) throw new Error('no reply over TCP');
      await new Promise<void>((resolve) => {
        this.watchers.add(resolve);
        patience.addEventListener('abort', () => resolve());
      });
    }
  }

  async ask(query: Query): Promise<Reply> {
    const bytes = encodeQuery(query);
    this.send(bytes);
    const reply = await this.next(bytes.readUInt16BE(0));
    if (reply === null) throw new Error('closed before the reply');
    return readReply(reply);
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    while (this.unread.length >= 2 && this.unread.length >= 2 + this.unread.readUInt16BE(0)) {
      const end = 2 + this.unread.readUInt16BE(0);
      this.replies.push(this.unread.subarray(2, end));
      this.unread = this.unread.subarray(end);
    }
    this.notify();
  }

  private notify(): void {
    for (const resolve of this.watchers) resolve();
    this.watchers.clear();
  }
}

/** One query over UDP from a source address. */
export async function askUdp(to: Endpoint, from: string, query: Query): Promise<Reply> {
  const client = await UdpClient.open(from);
  try {
    return await client.ask(to, query);
  } finally {
    client.close();
  }
}

/** One query over a TCP connection of its own. */
export async function askTcp(to: Endpoint, from: string, query: Query): Promise<Reply> {
  const client = await TcpClient.open(to, from);
  try {
    return await client.ask(query);
  } finally {
    client.close();
  }
}

/** An rcode, then the data of the answers: `NOERROR 192.0.2.10`. */
export function shown({ rcode, data }: Pick<Reply, 'rcode' | 'data'>): string {
  return [rcode, ...data.toSorted()].join(' ');
}

/** Runs dig from a source address; returns the reply in the form of `shown`. */
export async function dig(to: Endpoint, from: string, ...args: string[]): Promise<string> {
  const at = [`@${to.host}`, '-p', String(to.port), '-b', from, '+tries=5', '+time=4'];
  const text = await new Promise<string>((resolve, reject) => {
    execFile('dig', [...at, '+noall', '+comments', '+answer', ...args], (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout);
    });
  });
  const rcode = /status: (\w+)/.exec(text)?.[1] ?? 'none';
  const data = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.split(/\s+/).at(-1)!);
  return shown({ rcode, data });
}
