import { connect as connectSocket, type Socket } from 'node:net';
import { type Address, formatAddress } from '../../net/index.ts';
import { EgressOutcome } from '../egress/egress-outcome.ts';
import type { Dialer } from '../egress/proxy-pool.ts';
import { eventLoopTimers } from '../timers.ts';

/** Dialer on Node's sockets. Received bytes are kept until the socket is resumed. */
export const streamDialer: Dialer<Socket> = {
  after: eventLoopTimers,
  connect: (address, port, done) => attempt(address, port, [], done),
  converse(socket, handshake, done) {
    let isOver = false;
    const end = (): void => {
      isOver = true;
      socket.off('data', take);
      socket.off('end', broken);
      socket.off('error', broken);
    };
    const fail = (outcome: EgressOutcome): void => {
      end();
      discard(socket);
      done(null, outcome);
    };
    const broken = (): void => fail(EgressOutcome.FAILED);
    const take = (chunk: Buffer): void => {
      const answered = handshake.handle(chunk);
      if (answered.kind === 'send') socket.write(answered.bytes);
      else if (answered.kind === 'failed') fail(answered.outcome);
      else if (answered.kind === 'open') {
        end();
        socket.pause();
        if (answered.rest.length > 0) socket.unshift(answered.rest);
        done(socket, EgressOutcome.CONNECTED);
      }
    };
    socket.on('data', take);
    socket.once('end', broken);
    socket.once('error', broken);
    if (handshake.greeting.length > 0) socket.write(handshake.greeting);
    return () => {
      if (isOver) return;
      end();
      discard(socket);
    };
  },
};

/** Connects as epoll/epoll-connect.ts does, with a Node socket. */
export function attempt(
  address: Address,
  port: number,
  local: readonly Address[],
  done: (socket: Socket | null) => void,
): () => void {
  const from = local.find(({ family }) => family === address.family);
  if (local.length > 0 && from === undefined) {
    done(null);
    return () => {};
  }
  const socket = connectSocket({
    host: formatAddress(address),
    port,
    noDelay: true,
    allowHalfOpen: true,
    ...(from && { localAddress: formatAddress(from) }),
  });
  const failed = (): void => {
    socket.destroy();
    done(null);
  };
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    done(socket);
  });
  return () => {
    socket.off('error', failed);
    discard(socket);
  };
}

/** A socket destroyed in mid-operation may still emit an error. */
function discard(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}
