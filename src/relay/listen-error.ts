import { formatSocketAddress, type SocketAddress } from '../net/index.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use by another process',
  EACCES: 'this user may not bind it (ports below 1024 need CAP_NET_BIND_SERVICE)',
  EADDRNOTAVAIL: 'no interface of this machine has that address',
};

/** A relay's listener could not be opened. The message names the address and says what is in the way. */
export class RelayListenError extends Error {
  readonly code = 'LISTEN';
  constructor(protocol: 'tls' | 'http' | 'quic', address: SocketAddress, errno: string) {
    const reason = REASONS[errno] ?? errno;
    super(`relay.${protocol}: cannot listen on ${formatSocketAddress(address)}: ${reason}`);
    this.name = 'RelayListenError';
  }
}
