import type { Socket } from 'node:net';
import type { RelayDirection } from '../counters.ts';
import type { Client } from './client.ts';

/** Writes to `to`; pauses `from` while `to` is full. */
export function carry(
  client: Client,
  direction: RelayDirection,
  from: Socket,
  to: Socket,
  chunk: Buffer,
): void {
  const hasRoom = to.write(chunk);
  client.carried(direction, chunk.length, from);
  if (!hasRoom) holdBack(client, from, to);
}

/** Pauses `from` until `to` has drained. */
export function holdBack(client: Client, from: Socket, to: Socket): void {
  from.pause();
  to.once('drain', () => {
    if (!client.isThrottled(from) && to.writableLength === 0) from.resume();
  });
}
