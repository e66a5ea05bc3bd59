import { formatSocketAddress, type SocketAddress } from './socket-address.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use by another process',
  EACCES: 'this user may not bind it (ports below 1024 need CAP_NET_BIND_SERVICE)',
  EADDRNOTAVAIL: 'no interface of this machine has that address',
};

/** A listener could not be opened. The message names its configuration key, the address and the reason. */
export class ListenError extends Error {
  readonly code = 'listen_failed';
  /** Configuration key, such as `dns.udp`. */
  readonly key: string;
  readonly address: SocketAddress;
  /** The system's code, such as `EADDRINUSE`. */
  readonly errno: string;

  constructor(key: string, address: SocketAddress, errno: string) {
    super(`${key}: cannot listen on ${formatSocketAddress(address)}: ${REASONS[errno] ?? errno}`);
    this.name = 'ListenError';
    this.key = key;
    this.address = address;
    this.errno = errno;
  }
}
