import type { Socket } from 'node:net';
import { ClientHelloReader, HelloState } from '../../net/hello/index.ts';
import { RelayDirection, RelayOutcome } from '../counters.ts';
import { TLS_PORT } from '../policy.ts';
import type { Client } from './client.ts';
import { carry } from './flow.ts';

/** Relays a TLS connection: reads the ClientHello, replays it, then carries bytes unchanged. */
export function serveTls(client: Client, originPort: number | null): void {
  const reader = new ClientHelloReader();
  let prelude: Buffer = Buffer.alloc(0);
  client.isTls = true;
  client.onData = (chunk) => {
    prelude = Buffer.concat([prelude, chunk]);
    const state = reader.read(prelude, prelude.length);
    if (state === HelloState.PARTIAL) return;
    if (state !== HelloState.NAMED) {
      client.end(state === HelloState.UNNAMED ? RelayOutcome.UNNAMED : RelayOutcome.MALFORMED);
      return;
    }
    if (!client.authorize(reader.bytes, reader.name.start, reader.name.end, () => prelude)) return;
    client.onData = (more) => {
      prelude = Buffer.concat([prelude, more]);
    };
    client.socket.pause();
    client.connect(originPort ?? TLS_PORT, (origin) => carryBoth(client, origin, prelude));
  };
}

function carryBoth(client: Client, origin: Socket, prelude: Buffer): void {
  const { socket } = client;
  client.onData = (chunk) => carry(client, RelayDirection.TO_ORIGIN, socket, origin, chunk);
  origin.on('data', (chunk) => carry(client, RelayDirection.TO_CLIENT, origin, socket, chunk));
  let ended = 0;
  const finish = (to: Socket): void => {
    to.end(() => {
      if (++ended === 2) client.end(RelayOutcome.CARRIED);
    });
  };
  socket.once('end', () => finish(origin));
  origin.once('end', () => finish(socket));
  origin.once('error', () => client.end(RelayOutcome.RESET));
  client.onData(prelude);
  if (socket.readableEnded) finish(origin);
  else socket.resume();
}
