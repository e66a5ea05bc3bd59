import net from 'node:net';
import { StreamUpstream } from './stream.ts';
import type { UpstreamParts } from './upstream.ts';
import type { UpstreamConfig } from './url.ts';

/** Plain DNS over TCP (RFC 7766). */
export function createTcpUpstream(config: UpstreamConfig, parts: UpstreamParts): StreamUpstream {
  const { address: host, family, port } = config;
  return new StreamUpstream({
    connect: () => net.connect({ host, family, port, noDelay: true }),
    random: parts.random,
    idleMs: parts.timeouts.streamIdleMs,
    onIgnored: parts.onIgnored,
  });
}
