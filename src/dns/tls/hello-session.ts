import type { Socket } from 'node:net';
import { ClientHelloReader, HelloState } from '../../net/hello/index.ts';
import type { StreamSession } from '../stream/stream-server.ts';

export interface HelloSessionOptions {
  /**
   * Decides about a connection by its server name.
   * @returns the session that goes on; null to close the connection. Never rejects.
   */
  admit(serverName: string): Promise<StreamSession | null>;
  now(): number;
}

/**
 * A connection of an unregistered source until its ClientHello has shown a private name. Nothing is sent, and no handshake is
 * paid for, before that.
 */
export class HelloSession implements StreamSession {
  private readonly socket: Socket;
  private readonly options: HelloSessionOptions;
  private readonly reader = new ClientHelloReader();
  private readonly openedAtMs: number;
  private seen = Buffer.alloc(0);
  private isDeciding = false;
  private isDraining = false;
  private session: StreamSession | null = null;

  constructor(socket: Socket, options: HelloSessionOptions) {
    this.socket = socket;
    this.options = options;
    this.openedAtMs = options.now();
    socket.on('readable', this.read);
    socket.on('end', this.hangUp);
  }

  get activeAtMs(): number {
    return this.session?.activeAtMs ?? this.openedAtMs;
  }

  get isBusy(): boolean {
    return this.session?.isBusy ?? this.isDeciding;
  }

  closeIfIdle(nowMs: number, idleMs: number): void {
    if (this.session !== null) this.session.closeIfIdle(nowMs, idleMs);
    else if (!this.isDeciding && nowMs - this.openedAtMs >= idleMs) this.socket.destroy();
  }

  drain(): void {
    this.isDraining = true;
    if (this.session !== null) this.session.drain();
    else if (!this.isDeciding) this.socket.destroy();
  }

  private readonly read = (): void => {
    for (let chunk = this.socket.read(); chunk !== null; chunk = this.socket.read()) {
      this.seen = this.seen.length === 0 ? chunk : Buffer.concat([this.seen, chunk]);
    }
    const state = this.reader.read(this.seen, this.seen.length);
    if (state === HelloState.PARTIAL) return;
    this.socket.off('readable', this.read);
    if (state !== HelloState.NAMED) {
      this.socket.resetAndDestroy();
      return;
    }
    const { bytes, name } = this.reader;
    void this.decide(Buffer.from(bytes.subarray(name.start, name.end)).toString('latin1'));
  };

  private readonly hangUp = (): void => void this.socket.destroy();

  private async decide(serverName: string): Promise<void> {
    const { socket } = this;
    this.isDeciding = true;
    socket.off('end', this.hangUp);
    // Put back before the session begins: TLS takes what the socket has buffered.
    socket.unshift(this.seen);
    this.seen = Buffer.alloc(0);
    const session = await this.options.admit(serverName);
    this.isDeciding = false;
    if (session === null) {
      if (!socket.destroyed) socket.resetAndDestroy();
      return;
    }
    this.session = session;
    if (this.isDraining) session.drain();
  }
}
