import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { shippedPassword } from '../../support/redis-server.ts';

/** A TCP path to a server that can hold back replies. */
export class Gate {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private isShut = false;
  /** Bytes sent to the server since the gate was shut. */
  private asked = '';

  private constructor(port: number) {
    this.server = createServer((client) => {
      const server = connect(port, '127.0.0.1');
      for (const socket of [client, server]) {
        this.sockets.add(socket);
        socket.on('error', () => {}).on('close', () => this.end(client, server));
      }
      client.on('data', (bytes) => {
        if (this.isShut) this.asked += bytes.toString('latin1');
        server.write(bytes);
      });
      server.on('data', (bytes) => {
        if (!this.isShut) client.write(bytes);
      });
    });
  }

  static async to(port: number): Promise<Gate> {
    const gate = new Gate(port);
    gate.server.listen(0, '127.0.0.1');
    await once(gate.server, 'listening');
    return gate;
  }

  /** The URL for a control of a shipped Redis. */
  get url(): string {
    return `redis://control:${shippedPassword('control')}@127.0.0.1:${(this.server.address() as AddressInfo).port}/0`;
  }

  /** Drops all replies from now on. */
  shut(): void {
    this.asked = '';
    this.isShut = true;
  }

  open(): void {
    this.isShut = false;
  }

  hasAsked(text: string): boolean {
    return this.asked.includes(text);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private end(...ended: Socket[]): void {
    for (const socket of ended) {
      socket.destroy();
      this.sockets.delete(socket);
    }
  }
}
