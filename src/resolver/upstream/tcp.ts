import net from 'node:net';
import { type StreamParts, StreamUpstream } from './stream.ts';
import type { UpstreamConfig } from './url.ts';

/** DNS over TCP (RFC 7766). */
export function createTcpUpstream(config: UpstreamConfig, options: StreamParts): StreamUpstream {
  const { address: host, family, port } = config;
  return new StreamUpstream({
    ...options,
    isEncrypted: false,
    connect: () => net.connect({ host, family, port, noDelay: true }),
  });
}
