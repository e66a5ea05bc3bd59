import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type ShippedUser, shippedPassword } from '../../support/redis-server.ts';

/** A TCP path to a server with a delay, and which can be cut: bytes sent meanwhile arrive once it is mended. */
export class Wire {
  /** One-way delay. */
  delayMs = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private held: (() => void)[] = [];
  private isCut = false;

  private constructor(port: number) {
    this.server = createServer((client) => {
      const server = connect(port, '127.0.0.1');
      this.carry(client, server);
      this.carry(server, client);
    });
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    wire.server.listen(0, '127.0.0.1');
    await once(wire.server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The URL for a user of a shipped Redis. */
  urlOf(user: ShippedUser): string {
    return `redis://${user}:${shippedPassword(user)}@127.0.0.1:${this.port}/0`;
  }

  cut(): void {
    this.isCut = true;
  }

  mend(): void {
    this.isCut = false;
    for (const deliver of this.held.splice(0)) deliver();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private carry(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('error', () => {});
    from.on('data', (bytes) => this.later(() => void to.write(bytes)));
    from.on('close', () => {
      this.sockets.delete(from);
      this.later(() => void to.destroy());
    });
  }

  private later(deliver: () => void): void {
    setTimeout(() => (this.isCut ? this.held.push(deliver) : deliver()), this.delayMs);
  }
}
