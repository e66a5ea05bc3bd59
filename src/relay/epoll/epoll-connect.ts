import type { Address } from '../../net/index.ts';
import { connectError, connectTcp, EpollEvent } from '../../sys/index.ts';
import { CONNECTION_EVENTS, type Handler, type Reactor } from './reactor.ts';

/** An established connection: descriptor, reactor slot, and the events seen so far. */
export interface Connected {
  readonly fd: number;
  readonly slot: number;
  readonly events: number;
  /** Bytes of the origin that a proxy handshake has already read. */
  readonly early: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const FAILED = EpollEvent.ERR | EpollEvent.HUP;

/**
 * Connects to an address.
 * @param local addresses to connect from: the one of the same family is used. A family without one is not
 *   connected to; an empty list leaves the choice to the kernel
 * @param done called once with the connection or null, synchronously or later; never after cancellation
 * @returns a function that cancels the attempt
 */
export function attempt(
  reactor: Reactor,
  address: Address,
  port: number,
  local: readonly Address[],
  done: (connected: Connected | null) => void,
): () => void {
  const from = local.length === 0 ? null : (local.find(({ family }) => family === address.family) ?? null);
  if (local.length > 0 && from === null) {
    done(null);
    return () => {};
  }
  const fd = connectTcp(address, port, from);
  if (fd < 0) {
    done(null);
    return () => {};
  }
  let slot = -1;
  const handler: Handler = {
    ready(events) {
      if ((events & FAILED) !== 0 && connectError(fd) !== 0) {
        reactor.close(fd, slot);
        done(null);
      } else done({ fd, slot, events, early: NOTHING });
    },
  };
  try {
    slot = reactor.add(fd, CONNECTION_EVENTS, handler);
  } catch {
    // fs.epoll.max_user_watches is exhausted; the descriptor is closed.
    done(null);
    return () => {};
  }
  return () => reactor.close(fd, slot);
}
