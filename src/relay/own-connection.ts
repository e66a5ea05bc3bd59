import { Socket } from 'node:net';

/** A client's connection for a name of our own, as a thread passes it on; can be posted. */
export interface OwnConnection {
  /** Descriptor, which the receiver owns. */
  readonly fd: number;
  /** Bytes that were read to find the name. */
  readonly prelude: Uint8Array;
  /** Address and port of a client that a PROXY header named; null: the peer's. */
  readonly client: ClientEndpoint | null;
}

export interface ClientEndpoint {
  readonly address: string;
  readonly port: number;
}

/** Takes connections for own names, with what was read of them given back. */
export type TakeOwn = (protocol: 'tls' | 'http', socket: Socket) => void;

/** Opens a descriptor as a socket of this event loop. Throws if it is not a connection any more. */
export function openOwnConnection({ fd, prelude, client }: OwnConnection): Socket {
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: false });
  return returned(socket, prelude, client);
}

/** Gives back what was read of a socket, and names its client where a balancer is the peer. */
export function returned(socket: Socket, prelude: Uint8Array, client: ClientEndpoint | null): Socket {
  // A tunnel outlives one direction; an exchange of requests and answers ends with the client's end.
  socket.allowHalfOpen = false;
  if (prelude.length > 0) socket.unshift(Buffer.from(prelude));
  if (client !== null) {
    Object.defineProperty(socket, 'remoteAddress', { value: client.address });
    Object.defineProperty(socket, 'remotePort', { value: client.port });
  }
  return socket;
}
