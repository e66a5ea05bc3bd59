import { connect } from 'node:tls';
import { type StreamParts, StreamUpstream } from './stream.ts';
import type { UpstreamConfig } from './url.ts';

/**
 * DNS over TLS (RFC 7858): TLS 1.2 or later, ALPN `dot`, a certificate for the configured name or the address
 * itself (strict privacy, RFC 8310). The next connection resumes the last session.
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
        // SNI holds names only (RFC 6066 3); without one the certificate must be for the address.
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
      // A ticket that the server rejects must not break the next connection.
      socket.on('error', () => {
        session = undefined;
      });
      return socket;
    },
  });
}

/** Certificate authorities to trust. */
export interface UpstreamTrust {
  /** PEM of authorities that replace the runtime's. */
  readonly ca?: readonly string[];
}
