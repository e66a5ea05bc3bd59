import { readFileSync } from 'node:fs';
import type { Config } from '../../config/index.ts';
import { threadsOf } from './threads.ts';

/** Descriptors of the process itself, and of each thread: event loops, channels, wake-ups. */
const BASE = 40;
const PER_THREAD = 8;
/** Upstream sockets of one thread that forwards misses (src/decisions/upstream-sockets.md). */
const UPSTREAM_SOCKETS = 256;
/** Connections that the API and the metrics listener accept. */
const API_CONNECTIONS = 4_096;
const METRICS_CONNECTIONS = 64;
/** Kept free for upstreams, the API and files, or a quarter where there are few. */
const KEPT = 256;

export interface DescriptorPlan {
  /** Soft limit of open files; null if unknown. */
  readonly available: number | null;
  /** Open files if every limit of the configuration is reached. */
  readonly needed: number;
  /** False where the UDP threads' upstream sockets don't fit: then the resolver forwards all misses. */
  readonly forwardsInThreads: boolean;
  /** The configuration with limits lowered so that some descriptors stay free. */
  readonly config: Config;
}

/** Reads the soft limit of open files. Node has raised it to the hard limit at its start. Null where unknown. */
export function openFilesLimit(): number | null {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}

/**
 * Adds up the descriptors that the limits allow, and lowers connection limits where the system allows fewer: idle
 * connections must not take the last ones, which upstream queries and the API need.
 */
export function planDescriptors(config: Config, available = openFilesLimit()): DescriptorPlan {
  const { dns, relay, roles } = config;
  const isEdge = roles.includes('edge');
  const isRelay = roles.includes('relay');
  const threads = workersOf(isEdge, dns.workers) * 2 + workersOf(isRelay, relay.workers);
  const streamKinds = isEdge ? [dns.tcp, dns.tls, dns.https].filter(({ length }) => length > 0).length : 0;
  const upstreams = isEdge ? workersOf(true, dns.workers) * UPSTREAM_SOCKETS : 0;
  const api = roles.includes('control') ? API_CONNECTIONS : 0;
  const own = BASE + threads * PER_THREAD;
  const connections = streamKinds * dns.tcpLimits.connections + (isRelay ? 2 * relay.limits.connections : 0);
  const needed = own + upstreams + api + METRICS_CONNECTIONS + connections;
  if (available === null || needed <= available) {
    return { available, needed, forwardsInThreads: true, config };
  }
  const kept = Math.min(KEPT, Math.floor(available / 4));
  const forwardsInThreads = own + kept + 2 * upstreams <= available;
  const spare = Math.max(0, available - own - kept - (forwardsInThreads ? upstreams : 0));
  const share = Math.min(1, spare / Math.max(1, connections));
  const lower = (limit: number): number => Math.max(1, Math.floor(limit * share));
  const { tcpLimits } = dns;
  const { limits } = relay;
  return {
    available,
    needed,
    forwardsInThreads,
    config: {
      ...config,
      dns: {
        ...dns,
        tcpLimits: {
          ...tcpLimits,
          connections: lower(tcpLimits.connections),
          connectionsPerSource: Math.min(tcpLimits.connectionsPerSource, lower(tcpLimits.connections)),
          strangerConnections: lower(tcpLimits.strangerConnections),
        },
      },
      relay: {
        ...relay,
        limits: {
          ...limits,
          connections: lower(limits.connections),
          connectionsPerSource: Math.min(limits.connectionsPerSource, lower(limits.connections)),
        },
      },
    },
  };
}

function workersOf(hasRole: boolean, workers: 'auto' | number): number {
  return hasRole ? threadsOf(workers) : 0;
}
