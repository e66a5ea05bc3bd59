import type { Address } from '../../net/index.ts';
import { connectError, connectTcp, type TcpEndpoint } from '../../sys/index.ts';
import { CONNECTION_EVENTS, type Handler, type Reactor } from './reactor.ts';

/** A connection that has been made: its descriptor, the reactor's slot for it, and the events it had by then. */
export interface Connected {
  readonly fd: number;
  readonly slot: number;
  readonly events: number;
  /** What came before the connection was handed over. */
  readonly early: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * Connects to an address.
 * @param local addresses to connect from: that of the same family is used, and a family without one is not
 *   connected to; where there are none at all the system chooses
 * @param done called once with the connection or null, during the call or later; not after it was cancelled
 * @returns what cancels it
 */
export function attempt(
  reactor: Reactor,
  address: Address,
  port: number,
  local: readonly Address[],
  done: (connected: Connected | null) => void,
): () => void {
  const from = local.find(({ family }) => family === address.family) ?? null;
  if (local.length > 0 && from === null) {
    done(null);
    return () => {};
  }
  const fd = connectTcp(endpointOf(address), port, from && endpointOf(from));
  if (fd < 0) {
    done(null);
    return () => {};
  }
  let slot = -1;
  const handler: Handler = {
    ready(events) {
      if (connectError(fd) === 0) {
        done({ fd, slot, events, early: NOTHING });
        return;
      }
      reactor.close(fd, slot);
      done(null);
    },
  };
  try {
    slot = reactor.add(fd, CONNECTION_EVENTS, handler);
  } catch {
    // The user's handle of watches (fs.epoll.max_user_watches) is used up.
    done(null);
    return () => {};
  }
  return () => reactor.close(fd, slot);
}

function endpointOf({ family, bytes }: Address): TcpEndpoint {
  return { family, bytes };
}
