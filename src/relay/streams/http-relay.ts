import type { Socket } from 'node:net';
import { RelayDirection, RelayOutcome } from '../counters.ts';
import { RequestEvent, RequestReader } from '../http/request-reader.ts';
import { HTTP_PORT } from '../policy.ts';
import { eventLoopTimers } from '../timers.ts';
import type { Client } from './client.ts';
import { carry, holdBack } from './flow.ts';

/** How long an origin has to finish its answers when the client has turned to another host. */
const CHANGE_MS = 10_000;

/**
 * Relays HTTP/1.x. Each request's host is judged before anything of it goes out. A request for another host than the
 * one before gets a connection of its own: the old one is half-closed, so that the origin answers what it was asked
 * and ends, and only then does the new one begin. Answers are carried as they are.
 */
export class HttpRelay {
  private readonly client: Client;
  private readonly port: number;
  private readonly requests = new RequestReader();
  /** What the client has sent and was not looked at yet, while a connection is made. */
  private waiting: Buffer = Buffer.alloc(0);
  private isConnecting = false;
  private origin: Socket | null = null;
  /** The host that `origin` is of. */
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
    if (this.isConnecting) {
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

  /** @param rest what follows the head @returns whether the request could be passed on at once */
  private handleHead(rest: Buffer): boolean {
    const { requests, client } = this;
    const { hostStart, hostEnd } = requests.head!;
    if (!client.authorize(requests.rawHead, hostStart, hostEnd)) return false;
    const host = requests.rawHead.toString('latin1', hostStart, hostEnd).toLowerCase();
    if (this.origin !== null && host === this.host) {
      this.send(requests.headBytes);
      return true;
    }
    this.isConnecting = true;
    this.waiting = rest;
    client.socket.pause();
    const head = requests.headBytes;
    const connect = (): void => {
      // Judged anew: the answer may have taken its time, and the context's name is of whoever came last.
      if (!client.authorize(Buffer.from(host, 'latin1'), 0, host.length)) return;
      this.host = host;
      client.connect(this.port, (origin) => this.begin(origin, head));
    };
    if (this.origin === null) connect();
    else this.leave(this.origin, connect);
    return false;
  }

  private begin(origin: Socket, head: Buffer): void {
    const { client } = this;
    this.origin = origin;
    origin.on('data', (chunk) => carry(client, RelayDirection.TO_CLIENT, origin, client.socket, chunk));
    origin.once('error', () => client.end(RelayOutcome.RESET));
    origin.once('end', () => {
      if (this.origin === origin && !this.isConnecting) this.finish();
    });
    this.isConnecting = false;
    this.send(head);
    const { waiting } = this;
    this.waiting = Buffer.alloc(0);
    client.socket.resume();
    if (waiting.length > 0) this.handleData(waiting);
    if (this.hasClientEnded && !this.isConnecting) origin.end();
  }

  private send(bytes: Buffer): void {
    const { client, origin } = this;
    if (origin === null || bytes.length === 0) return;
    const hasRoom = origin.write(bytes);
    client.carried(RelayDirection.TO_ORIGIN, bytes.length, client.socket);
    if (!hasRoom) holdBack(client, client.socket, origin);
  }

  /** Lets the origin end its answers, then goes on. */
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
