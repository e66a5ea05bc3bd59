/**
 * A proxy that does as it is told: SOCKS5 and HTTP CONNECT on one port, told apart by the first byte.
 *
 *     const proxy = await FakeProxy.start();
 *     proxy.behaviour = 'silent';
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Behaviour =
  | 'serve'
  /** Takes connections and says nothing. */
  | 'silent'
  /** Ends connections when the first bytes have come. */
  | 'closing'
  /** Says that the origin does not answer. */
  | 'no-origin'
  /** Its rules forbid it. */
  | 'forbid';

const GRANTED = Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);

export class FakeProxy {
  behaviour: Behaviour = 'serve';
  /** `user:password`, which it wants then. */
  credentials: string | null = null;
  /** Sent in one piece with the word that the tunnel is open. */
  early = '';
  /** Requested targets, `address:port` as written. */
  readonly asked: string[] = [];
  readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.keep(socket);
      void this.serve(socket).catch(() => socket.destroy());
    });
  }

  static async start(port = 0): Promise<FakeProxy> {
    const proxy = new FakeProxy();
    proxy.server.listen(port, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.sockets.delete(socket));
  }

  private async serve(socket: Socket): Promise<void> {
    const end = (): unknown => socket.end();
    socket.once('end', end);
    const first = await read(socket);
    if (this.behaviour === 'silent') return;
    socket.off('end', end);
    if (this.behaviour === 'closing') socket.destroy();
    else if (first[0] === 5) await this.serveSocks(socket, first);
    else this.serveConnect(socket, first.toString('latin1'));
  }

  private async serveSocks(socket: Socket, greeting: Buffer): Promise<void> {
    const methods = greeting.subarray(2);
    if (this.credentials !== null) {
      if (!methods.includes(2)) {
        socket.end(Buffer.of(5, 0xff));
        return;
      }
      socket.write(Buffer.of(5, 2));
      const given = await read(socket);
      const userLength = given[1]!;
      const user = given.subarray(2, 2 + userLength);
      const isRight = `${user}:${given.subarray(3 + userLength)}` === this.credentials;
      socket.write(Buffer.of(1, isRight ? 0 : 1));
      if (!isRight) return;
    } else socket.write(Buffer.of(5, 0));
    const request = await read(socket);
    const isIPv4 = request[3] === 1;
    const bytes = [...request.subarray(4, isIPv4 ? 8 : 20)];
    const address = isIPv4 ? bytes.join('.') : Buffer.from(bytes).toString('hex');
    const refusals: Partial<Record<Behaviour, number>> = { 'no-origin': 5, forbid: 2 };
    const refusal = refusals[this.behaviour];
    if (refusal !== undefined) socket.end(Buffer.of(5, refusal, 0, 1, 0, 0, 0, 0, 0, 0));
    else this.open(socket, address, request.readUInt16BE(request.length - 2), GRANTED);
  }

  private serveConnect(socket: Socket, head: string): void {
    const [, address, port] = /^CONNECT (.+):(\d+) HTTP\/1\.1\r\n/.exec(head)!;
    const given = /\r\nProxy-Authorization: Basic (\S+)\r\n/.exec(head)?.[1] ?? '';
    const isRight = Buffer.from(given, 'base64').toString() === (this.credentials ?? '');
    const refusals: Partial<Record<Behaviour, number>> = { 'no-origin': 502, forbid: 403 };
    const status = isRight ? refusals[this.behaviour] : 407;
    if (status !== undefined) socket.end(`HTTP/1.1 ${status} no\r\nContent-Length: 0\r\n\r\n`);
    else this.open(socket, address!, Number(port), Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
  }

  private open(socket: Socket, address: string, port: number, granted: Buffer): void {
    this.asked.push(`${address}:${port}`);
    const origin = connect({ host: address.replace(/^\[|\]$/g, ''), port, allowHalfOpen: true }, () => {
      socket.write(Buffer.concat([granted, Buffer.from(this.early)]));
      socket.pipe(origin);
      origin.pipe(socket);
    });
    this.keep(origin);
    // A close without an error comes when both directions have ended: what is on its way still goes there.
    origin.once('close', (isBroken) => isBroken && socket.destroy());
    socket.once('close', (isBroken) => isBroken && origin.destroy());
  }
}

async function read(socket: Socket): Promise<Buffer> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  queueMicrotask(() => socket.resume());
  return chunk;
}
