/** Entry of the resolver's thread: API calls and collections of the main thread never delay it. */
import { randomFillSync } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { CounterBlock } from '../../metrics/index.ts';
import { CacheWriter } from '../../resolver/cache/index.ts';
import { hasSystemDatagrams, Resolver, SystemDatagrams } from '../../resolver/index.ts';
import { serveResolver } from '../../resolver/remote/index.ts';
import { LoopCounter, monotonicClock } from '../../sys/index.ts';
import { Deferral } from './deferral.ts';
import type { ResolverNotice, ResolverOrder, ResolverThreadData } from './messages.ts';

/** The main thread's view of the upstreams is at most this old. */
const REPORT_MS = 250;

const { upstreams, cache, nameSeed, ttlLimits, forward, counters: block } = workerData as ResolverThreadData;
const owner = parentPort!;
const now = monotonicClock();
const counters = new CounterBlock(block);
const usesThread = hasSystemDatagrams() && upstreams.some(({ scheme }) => scheme === 'udp');
const resolver = new Resolver({
  upstreams,
  cache: new CacheWriter(cache),
  now,
  nameSeed,
  fillRandom: (bytes) => void randomFillSync(bytes),
  ttlLimits,
  ...(forward !== null && { forward }),
  ...(usesThread && { datagrams: new SystemDatagrams(fail) }),
  onQuirk: (url, quirk) => post({ kind: 'quirk', url, quirk }),
});
let deferral: Deferral | null = null;
let reported = '';

function post(notice: ResolverNotice): void {
  owner.postMessage(notice);
}

/** No replies are read any more: ends the thread, and with it the process. */
function fail(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

function reportError(error: unknown): void {
  post({ kind: 'error', error });
}

function report(): void {
  const status = resolver.upstreams();
  reported = JSON.stringify(status);
  post({ kind: 'report', upstreams: status, counters: resolver.counters });
}

const loop = new LoopCounter();
loop.turn();
const reporter = setInterval(() => {
  loop.turn();
  if (JSON.stringify(resolver.upstreams()) !== reported) report();
}, REPORT_MS);

async function stop(): Promise<void> {
  clearInterval(reporter);
  await resolver.close();
  process.exit();
}

/** Orders that are confirmed when the returned promise resolves. */
function obey(order: Extract<ResolverOrder, { id: number }>): Promise<void> | void {
  switch (order.kind) {
    case 'tables':
      if (order.update.cache !== undefined) resolver.useCache(new CacheWriter(order.update.cache));
      return deferral?.attach(order.update);
    case 'upstreams':
      resolver.useUpstreams(order.upstreams, order.firstIndex);
      return report();
    case 'end':
      return deferral?.queries.end(order.ring);
    case 'closeSockets':
      return deferral?.queries.close(order.sockets);
    case 'idle':
      return deferral?.idle();
    case 'report':
      return report();
  }
}

owner.on('message', (order: ResolverOrder) => {
  if ('id' in order) {
    void Promise.resolve(obey(order)).then(() => post({ kind: 'done', id: order.id }));
    return;
  }
  switch (order.kind) {
    case 'port':
      serveResolver(order.port, resolver, reportError);
      break;
    case 'edge':
      deferral = new Deferral(order.tables, resolver, counters, now, reportError);
      break;
    case 'open':
      deferral?.queries.open(order.sockets);
      break;
    case 'follow':
      deferral?.queries.follow(order.ring, order.sockets);
      break;
    case 'stop':
      void stop();
      break;
  }
});
report();
post({ kind: 'ready' });
