import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { NO_SOURCES } from '../../src/load/index.ts';
import type { LoadPlan } from '../../src/load/plan.ts';
import { parseAddress } from '../../src/net/index.ts';
import { nameFromText } from '../../src/wire/index.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';

export const wire = (text: string): Uint8Array => nameFromText(text)!;

/** A plan of one catalog name over UDP. */
export function planOf(changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    target: { address: parseAddress('127.0.0.1')!, port: 53 },
    transport: 'udp',
    ratePerSecond: 1000,
    seconds: 1,
    warmUpSeconds: 0,
    timeoutMs: 1000,
    mix: { catalog: 1, hit: 0, miss: 0 },
    types: { A: 1, AAAA: 0, HTTPS: 0, MX: 0, NS: 0, SRV: 0, SVCB: 0, TXT: 0 },
    names: {
      catalog: [wire('netflix.com')],
      hits: [wire('hit.example')],
      missBase: wire('base.example'),
    },
    sources: NO_SOURCES(4),
    unregistered: NO_SOURCES(4),
    unregisteredPercent: 0,
    connections: 2,
    tls: { serverName: null, ca: null, verifies: true },
    path: '/dns-query',
    edns: true,
    ...changes,
  };
}

/** Counts of the server thread. */
export interface Seen {
  readonly queries: number;
  readonly sources: readonly string[];
}

export interface TestServer {
  readonly port: number;
  readonly certificate: TestCertificate | null;
  stop(): Promise<Seen>;
}

export interface ServerOptions {
  readonly transport: LoadPlan['transport'];
  /** Listening address; 127.0.0.1 by default. */
  readonly address?: '127.0.0.1' | '::1';
  /** Leaves every n-th query unanswered; 0: answers all. */
  readonly dropEvery?: number;
  /** Sources with this prefix get REFUSED. */
  readonly refused?: string;
}

/** A DNS server in its own thread: a UDP load never yields to this thread's event loop. */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const address = options.address ?? '127.0.0.1';
  const isSecure = options.transport === 'tls' || options.transport === 'https';
  const certificate = isSecure ? makeCertificate([`IP:${address}`]) : null;
  const worker = new Worker(new URL('./server-thread.ts', import.meta.url), {
    workerData: { dropEvery: 0, refused: null, ...options, address, certificate },
  });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    certificate,
    async stop() {
      worker.postMessage('stop');
      const [seen] = (await once(worker, 'message')) as [Seen];
      await worker.terminate();
      return seen;
    },
  };
}
