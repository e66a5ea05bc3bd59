import net from 'node:net';
import { StreamUpstream, type StreamUpstreamOptions } from './stream.ts';
import type { UpstreamConfig } from './url.ts';

/** Plain DNS over TCP (RFC 7766). */
export function createTcpUpstream(
  config: UpstreamConfig,
  options: Omit<StreamUpstreamOptions, 'connect'>,
): StreamUpstream {
  const { address: host, family, port } = config;
  return new StreamUpstream({
    ...options,
    connect: () => net.connect({ host, family, port, noDelay: true }),
  });
}
