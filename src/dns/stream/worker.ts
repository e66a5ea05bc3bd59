/** Thread that serves DNS over TCP, TLS and HTTPS on an event loop. */

import { parentPort, workerData } from 'node:worker_threads';
import { AllowlistReader } from '../../allowlist/index.ts';
import { CatalogView } from '../../catalog/lookup/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import { ListenError } from '../../net/index.ts';
import { CacheReader } from '../../resolver/cache/index.ts';
import { RemoteResolver } from '../../resolver/remote/index.ts';
import { LoopCounter, monotonicClock } from '../../sys/index.ts';
import { QueryState } from '../answer/query-state.ts';
import { Answerer } from '../answerer.ts';
import { ThreadClaims } from '../private-names/thread-claims.ts';
import { RateLimiter } from '../rate-limit.ts';
import { ConnectionBudget } from './connection-budget.ts';
import { StreamListeners } from './listeners.ts';
import type { StreamOrder, StreamReport, StreamWorkerData } from './worker-data.ts';

/** Interval of showing the main thread that the event loop moves. */
const TURN_MS = 500;

const report = (message: StreamReport): void => parentPort!.postMessage(message);

async function serve(data: StreamWorkerData): Promise<void> {
  const { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy, counters, limits } = data;
  const now = monotonicClock();
  const state = new QueryState(
    {
      allowlist: new AllowlistReader(allowlist),
      catalog: new CatalogView(catalog),
      cache: new CacheReader(cache),
      rateLimiter: new RateLimiter(rateLimit, rateLimitOptions, policy.seed),
      counters: new CounterBlock(counters),
    },
    policy,
  );
  const resolver = new RemoteResolver(data.resolver);
  const answerer = new Answerer(state, resolver, now, (error) =>
    report({ kind: 'error', error: postable(error) }),
  );
  const budget = (memory: SharedArrayBuffer) => new ConnectionBudget(memory, limits, policy.seed);
  const { tcp, tls, https } = data.budgets;
  const { addresses, identity, proxies, reusePort, privateDomain } = data;
  const privateNames =
    privateDomain === null
      ? null
      : new ThreadClaims(privateDomain, (claim) => report({ kind: 'claim', claim }));
  const listeners = await StreamListeners.start({
    addresses,
    answerer,
    limits,
    proxies,
    reusePort,
    identity,
    privateNames,
    now,
    budgets: { tcp: budget(tcp), tls: budget(tls), https: budget(https) },
  });
  parentPort!.on('message', (order: StreamOrder) => {
    if (order.kind === 'claimed') privateNames?.answered(order.id, order.outcome);
    else void obey(order, state, listeners, data);
  });
}

async function obey(
  order: Exclude<StreamOrder, { kind: 'claimed' }>,
  state: QueryState,
  listeners: StreamListeners,
  data: StreamWorkerData,
): Promise<void> {
  if (order.kind === 'tables') {
    state.attach(order.update);
    report({ kind: 'attached' });
  } else if (order.kind === 'identity') listeners.useIdentity(order.identity);
  else if (order.kind === 'retire') {
    const ended = listeners.retire();
    report({ kind: 'retired' });
    await ended;
    report({ kind: 'drained' });
  } else if (order.kind === 'stop') {
    await listeners.drain();
    report({ kind: 'drained' });
  } else {
    await listeners.close();
    data.resolver.close();
    parentPort!.close();
  }
}

/** Makes an error that can be posted to another thread. */
function postable(error: unknown): Error {
  return error instanceof Error ? error : new Error('something other than an Error was thrown');
}

try {
  await serve(workerData as StreamWorkerData);
  new LoopCounter().turnEvery(TURN_MS);
  report({ kind: 'ready' });
} catch (error) {
  if (!(error instanceof ListenError)) throw error;
  const { key, address, errno } = error;
  report({ kind: 'cannot-listen', key, address, errno });
}
