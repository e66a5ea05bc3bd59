import type { RandomSource } from '../random.ts';
import type { ResolverTimeouts } from '../timeouts.ts';
import type { DatagramPool } from './datagram-pool.ts';
import { HttpsUpstream } from './https.ts';
import { createTcpUpstream } from './tcp.ts';
import { createTlsUpstream, type UpstreamTrust } from './tls.ts';
import { UdpUpstream } from './udp.ts';
import type { Upstream } from './upstream.ts';
import type { UpstreamConfig } from './url.ts';

export interface UpstreamParts {
  readonly random: RandomSource;
  readonly now: () => number;
  readonly timeouts: ResolverTimeouts;
  readonly createDatagramPool: (remote: UpstreamConfig) => DatagramPool;
  readonly trust: UpstreamTrust;
  /** Counts an ignored message. */
  readonly onIgnored: () => void;
}

/** Transports of one configured upstream. */
export interface UpstreamTransports {
  readonly first: Upstream;
  /** For truncated and doubtful replies; the same as `first` if that is a stream. */
  readonly stream: Upstream;
}

/** Makes the transports of an upstream by its scheme. */
export function createTransports(config: UpstreamConfig, parts: UpstreamParts): UpstreamTransports {
  const { random, now, onIgnored, timeouts, trust } = parts;
  const streamOptions = {
    random,
    now,
    onIgnored,
    stallMs: timeouts.minTryMs,
    idleMs: timeouts.streamIdleMs,
  };
  switch (config.scheme) {
    case 'udp':
      return {
        first: new UdpUpstream(parts.createDatagramPool(config), onIgnored),
        stream: createTcpUpstream(config, streamOptions),
      };
    case 'tcp': {
      const stream = createTcpUpstream(config, streamOptions);
      return { first: stream, stream };
    }
    case 'tls': {
      const stream = createTlsUpstream(config, streamOptions, trust);
      return { first: stream, stream };
    }
    case 'https': {
      const stream = new HttpsUpstream(config, { trust, idleMs: timeouts.streamIdleMs, onIgnored });
      return { first: stream, stream };
    }
  }
}
