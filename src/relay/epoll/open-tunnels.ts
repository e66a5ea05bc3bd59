import type { OpenConnection } from '../open-connection.ts';

/** A tunnel in the list of its thread. */
export interface OpenTunnel extends OpenConnection {
  /** Position in the list. */
  index: number;
  /** Ends the tunnel if its time is over or its registration has ended. */
  sweep(nowMs: number): void;
}

/**
 * A thread's open tunnels. Not a Set: a Set that grows and shrinks is copied again and again, and its old copies in V8's old
 * generation keep the tunnels of that moment alive until the next full collection.
 */
export class OpenTunnels {
  private readonly items: OpenTunnel[] = [];

  get size(): number {
    return this.items.length;
  }

  add(tunnel: OpenTunnel): void {
    tunnel.index = this.items.length;
    this.items.push(tunnel);
  }

  remove(tunnel: OpenTunnel): void {
    const last = this.items.pop()!;
    if (last === tunnel) return;
    this.items[tunnel.index] = last;
    last.index = tunnel.index;
  }

  /** Calls `visit` for each tunnel, which may end itself. */
  each(visit: (tunnel: OpenTunnel) => void): void {
    for (let i = this.items.length - 1; i >= 0; i--) visit(this.items[i]);
  }
}
