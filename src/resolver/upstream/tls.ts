import { connect } from 'node:tls';
import { type StreamParts, StreamUpstream } from './stream.ts';
import type { UpstreamConfig } from './url.ts';

/**
 * DNS over TLS (RFC 7858): TLS 1.2 or later, ALPN `dot`, the certificate verified for the configured name or
 * the address itself (strict privacy, RFC 8310), the last session resumed by the next connection.
 */
export function createTlsUpstream(
  config: UpstreamConfig,
  options: StreamParts,
  trust: UpstreamTrust,
): StreamUpstream {
  const { address: host, port, serverName } = config;
  let session: Buffer | undefined;
  return new StreamUpstream({
    ...options,
    isEncrypted: true,
    connect() {
      const socket = connect({
        host,
        port,
        // SNI holds names only (RFC 6066 3); without one, the address is what the certificate is held to.
        ...(serverName !== null && { servername: serverName }),
        ...(session !== undefined && { session }),
        ...(trust.ca !== undefined && { ca: [...trust.ca] }),
        ALPNProtocols: ['dot'],
        minVersion: 'TLSv1.2',
      });
      socket.setNoDelay(true);
      socket.on('session', (ticket: Buffer) => {
        session = ticket;
      });
      // A ticket that the server takes no more must not keep the next connection from standing.
      socket.on('error', () => {
        session = undefined;
      });
      return socket;
    },
  });
}

/** Whose certificates are believed. */
export interface UpstreamTrust {
  /** PEM of further authorities in place of those that come with the runtime. */
  readonly ca?: readonly string[];
}
