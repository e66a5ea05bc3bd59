import type { Socket } from 'node:net';
import { RelayDirection, RelayOutcome } from '../counters.ts';
import { RequestEvent, RequestReader } from '../http/request-reader.ts';
import { Upgrade, UpgradeReply } from '../http/upgrade-reply.ts';
import { HTTP_PORT } from '../policy.ts';
import { eventLoopTimers } from '../timers.ts';
import type { Client } from './client.ts';
import { carry, holdBack } from './flow.ts';

/** Time for an origin to finish its answers after the client named another host. */
const CHANGE_MS = 10_000;

/**
 * Relays HTTP/1.x. Authorizes each request's host before forwarding any of it. A request for another host gets
 * a new connection: the old one is half-closed so that its origin finishes its answers first. Answers pass
 * unchanged. The first request of a connection may switch to WebSocket: after the origin's 101 all bytes pass.
 */
export class HttpRelay {
  private readonly client: Client;
  private readonly port: number;
  private readonly requests = new RequestReader();
  /** Client bytes that wait for the connection to the origin. */
  private waiting: Buffer = Buffer.alloc(0);
  private isConnecting = false;
  private isFirst = true;
  /** Not null while the origin's reply to an upgrade request is awaited. */
  private upgrade: UpgradeReply | null = null;
  private isSwitched = false;
  private origin: Socket | null = null;
  /** Host of `origin`. */
  private host = '';
  private hasClientEnded = false;
  private cancelChange: () => void = () => {};

  constructor(client: Client, originPort: number | null) {
    this.client = client;
    this.port = originPort ?? HTTP_PORT;
    client.onData = (chunk) => this.handleData(chunk);
    client.socket.once('end', () => {
      this.hasClientEnded = true;
      if (!this.isConnecting) this.origin?.end();
    });
    client.socket.once('close', () => this.cancelChange());
  }

  private handleData(chunk: Buffer): void {
    if (this.isSwitched) {
      this.send(chunk);
      return;
    }
    if (this.isConnecting || this.upgrade !== null) {
      this.waiting = Buffer.concat([this.waiting, chunk]);
      return;
    }
    const { requests, client } = this;
    for (let at = 0; ; at = requests.next) {
      const event = requests.read(chunk, at);
      if (event === RequestEvent.MORE) return;
      if (event === RequestEvent.MALFORMED) {
        client.end(RelayOutcome.MALFORMED);
        return;
      }
      if (event === RequestEvent.BODY) this.send(chunk.subarray(at, requests.bodyEnd));
      else if (!this.handleHead(chunk.subarray(requests.next))) return;
    }
  }

  /** @param rest bytes behind the head @returns true if the request was forwarded at once */
  private handleHead(rest: Buffer): boolean {
    const { requests, client } = this;
    const { hostStart, hostEnd } = requests.head!;
    // Own listeners read the connection from its first byte on; they answer its later requests too.
    const { isFirst } = this;
    const prelude = isFirst ? () => Buffer.concat([requests.rawHead, rest]) : null;
    this.isFirst = false;
    if (!client.authorize(requests.rawHead, hostStart, hostEnd, prelude)) return false;
    const host = requests.rawHead.toString('latin1', hostStart, hostEnd).toLowerCase();
    if (this.origin !== null && host === this.host) {
      this.send(requests.headBytes);
      return true;
    }
    this.isConnecting = true;
    this.waiting = rest;
    client.socket.pause();
    // A later upgrade request would need its reply told from those of the requests before it: it goes as a plain one.
    const isUpgrade = isFirst && requests.head!.wantsWebSocket;
    const head = isUpgrade ? requests.rawHead : requests.headBytes;
    const connect = (): void => {
      // Authorize again: the old origin may have taken its time, and the context's name is the latest
      // caller's.
      if (!client.authorize(Buffer.from(host, 'latin1'), 0, host.length, null)) return;
      this.host = host;
      client.connect(this.port, (origin) => this.begin(origin, head, isUpgrade));
    };
    if (this.origin === null) connect();
    else this.leave(this.origin, connect);
    return false;
  }

  private begin(origin: Socket, head: Buffer, isUpgrade: boolean): void {
    const { client } = this;
    this.origin = origin;
    origin.on('data', (chunk) => {
      carry(client, RelayDirection.TO_CLIENT, origin, client.socket, chunk);
      if (this.upgrade !== null) this.readUpgrade(this.upgrade.read(chunk));
    });
    origin.once('error', () => client.end(RelayOutcome.RESET));
    origin.once('end', () => {
      if (this.origin === origin && !this.isConnecting) this.finish();
    });
    this.isConnecting = false;
    this.send(head);
    // The client stays paused: it sends nothing before the reply (RFC 6455 section 4.1).
    if (isUpgrade) this.upgrade = new UpgradeReply();
    else this.goOn();
  }

  private readUpgrade(result: Upgrade): void {
    if (result === Upgrade.PENDING) return;
    this.upgrade = null;
    this.isSwitched = result === Upgrade.SWITCHED;
    this.goOn();
  }

  /** Takes what the client has sent meanwhile. */
  private goOn(): void {
    const { client, waiting } = this;
    this.waiting = Buffer.alloc(0);
    client.socket.resume();
    if (waiting.length > 0) this.handleData(waiting);
    if (this.hasClientEnded && !this.isConnecting) this.origin?.end();
  }

  private send(bytes: Buffer): void {
    const { client, origin } = this;
    if (origin === null || bytes.length === 0) return;
    const hasRoom = origin.write(bytes);
    client.carried(RelayDirection.TO_ORIGIN, bytes.length, client.socket);
    if (!hasRoom) holdBack(client, client.socket, origin);
  }

  /** Lets the origin finish its answers, then calls `next`. */
  private leave(origin: Socket, next: () => void): void {
    this.origin = null;
    const leave = (): void => {
      this.cancelChange();
      origin.removeAllListeners('error');
      origin.on('error', () => {});
      origin.destroy();
      next();
    };
    if (origin.readableEnded) {
      leave();
      return;
    }
    this.cancelChange = eventLoopTimers(CHANGE_MS, () => this.client.end(RelayOutcome.RESET));
    origin.once('end', leave);
    origin.end();
  }

  private finish(): void {
    const { client } = this;
    client.socket.end(() => client.end(RelayOutcome.CARRIED));
  }
}
