import { formatSocketAddress, type SocketAddress } from '../net/index.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use by another process',
  EACCES: 'this user may not bind it (ports below 1024 need CAP_NET_BIND_SERVICE)',
  EADDRNOTAVAIL: 'no interface of this machine has that address',
};

/** The key of the listeners: dns.udp and so on. */
export type ListenKey = 'udp' | 'tcp' | 'tls' | 'https';

/** A DNS listener could not be opened. The message names the address and says what is in the way. */
export class ListenError extends Error {
  readonly code = 'LISTEN';
  readonly key: ListenKey;
  readonly address: SocketAddress;
  readonly errno: string;
  constructor(key: ListenKey, address: SocketAddress, errno: string) {
    const reason = REASONS[errno] ?? errno;
    super(`dns.${key}: cannot listen on ${formatSocketAddress(address)}: ${reason}`);
    this.name = 'ListenError';
    this.key = key;
    this.address = address;
    this.errno = errno;
  }
}
